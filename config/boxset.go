package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// boxSet holds all boxes of an Envfile as values for the steps of others:
// box.NAME.ip, and for a block with count or for_each box.NAME[KEY].ip.
type boxSet struct {
	groups    []*boxGroup
	hostnames map[string]string // by box; empty until all boxes are decoded
	unknown   map[string]cty.Value
}

func newBoxSet(groups []*boxGroup) *boxSet {
	s := &boxSet{groups: groups, hostnames: map[string]string{}}
	s.unknown = s.values(nil)
	return s
}

// finish takes over what decoding has brought to light, and gives it to the
// steps that use it.
func (s *boxSet) finish(e *Envfile) {
	for _, b := range e.Boxes {
		s.hostnames[b.Name] = b.Hostname
	}
	s.unknown = s.values(nil)
	for _, b := range e.Boxes {
		for _, p := range b.Provisioners {
			if len(p.uses) > 0 {
				p.boxes = s
				p.EvalContext = withVar(p.EvalContext, "box", s.unknown)
			}
		}
	}
}

// names lists all names that box.NAME and depends_on take.
func (s *boxSet) names() []string {
	var out []string
	for _, g := range s.groups {
		out = append(out, g.name)
		if g.repeat != "" {
			for _, i := range g.instances {
				out = append(out, i.name)
			}
		}
	}
	return out
}

// group returns the block with that name, or nil.
func (s *boxSet) group(name string) *boxGroup {
	for _, g := range s.groups {
		if g.name == name {
			return g
		}
	}
	return nil
}

// named returns the boxes for which a name stands: one, or all of a repeated
// block.
func (s *boxSet) named(name string) ([]string, bool) {
	if g := s.group(name); g != nil {
		names := make([]string, 0, len(g.instances))
		for _, i := range g.instances {
			names = append(names, i.name)
		}
		return names, true
	}
	for _, g := range s.groups {
		if g.instance(name) != nil {
			return []string{name}, true
		}
	}
	return nil, false
}

// boxValues are what can be used of a box.
func boxValues() []string { return []string{"ip", "hostname", "name"} }

// values returns what box holds: all names, hostnames and the addresses in ips.
func (s *boxSet) values(ips map[string]string) map[string]cty.Value {
	out := map[string]cty.Value{}
	for _, g := range s.groups {
		byKey, list := map[string]cty.Value{}, []cty.Value{}
		for _, i := range g.instances {
			v := s.value(i.name, ips)
			out[i.name] = v
			byKey[i.key] = v
			list = append(list, v)
		}
		switch g.repeat {
		case "count":
			out[g.name] = cty.TupleVal(list)
		case "for_each":
			out[g.name] = cty.ObjectVal(byKey)
		}
	}
	return out
}

func (s *boxSet) value(name string, ips map[string]string) cty.Value {
	ip, hostname := cty.UnknownVal(cty.String), cty.UnknownVal(cty.String)
	if known, ok := ips[name]; ok {
		ip = cty.StringVal(known)
	}
	if known, ok := s.hostnames[name]; ok {
		hostname = cty.StringVal(known)
	}
	return cty.ObjectVal(map[string]cty.Value{"ip": ip, "hostname": hostname, "name": cty.StringVal(name)})
}

// Uses returns the names of the boxes whose values the step's arguments use,
// perhaps its own among them. As long as their addresses are not known, some
// arguments are not.
func (p *Provisioner) Uses() []string {
	var out []string
	for _, use := range p.uses {
		if !slices.Contains(out, use.on) {
			out = append(out, use.on)
		}
	}
	return out
}

// With returns what the arguments may refer to when the boxes have these
// addresses, by name. It is EvalContext for a step that uses no box.
func (p *Provisioner) With(ips map[string]string) *hcl.EvalContext {
	if p.boxes == nil {
		return p.EvalContext
	}
	return withVar(p.EvalContext, "box", p.boxes.values(ips))
}
