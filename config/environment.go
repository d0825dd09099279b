package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// maxEnvValue is the size in bytes of the longest value. The kernel itself takes
// no more than 128 KiB (execve(2)).
const maxEnvValue = 32 << 10

// environment merges an env argument into the box's, key by key. A null value
// removes what a lower layer set.
func (d *decoder) environment(a *hcl.Attribute, b *Box) {
	values, ok := d.textMap(a)
	if !ok {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		v := values[key]
		at := exprRange(a.Expr, d.plain, key)
		switch {
		case !envNameRE.MatchString(key):
			d.failPart(a.Expr, keyRange(a.Expr, d.plain, key), "Invalid value", "%s is no name for an environment variable: use letters, digits and '_', and begin with a letter or '_'.", quoted(key))
			continue
		case v == nil:
			delete(b.Env, key)
			continue
		case len(*v) > maxEnvValue:
			d.failPart(a.Expr, at, "Invalid value", "The value of %s in %q is longer than %s.", key, a.Name, formatSize(maxEnvValue))
			continue
		case strings.ContainsAny(*v, "\x00\n\r"):
			d.failPart(a.Expr, at, "Invalid value", "The value of %s in %q holds a newline or a NUL, which the environment of a login cannot.", key, a.Name)
			continue
		}
		if b.Env == nil {
			b.Env = map[string]string{}
		}
		b.Env[key] = *v
		b.ranges["env."+key] = at
	}
}

// textMap returns the value of an argument that maps names to strings, without
// the elements that are none, which it reports.
func (d *decoder) textMap(a *hcl.Attribute) (map[string]*string, bool) {
	v, ok := d.typed(a, cty.DynamicPseudoType, "a map")
	if !ok {
		return nil, false
	}
	if ty := v.Type(); !ty.IsMapType() && !ty.IsObjectType() {
		d.failValue(a.Expr, "Wrong type", `%q must be a map of strings, such as { NAME = "value" }; this is %s.`, a.Name, describe(v))
		return nil, false
	}
	out := map[string]*string{}
	elems := v.AsValueMap()
	for _, key := range slices.Sorted(maps.Keys(elems)) {
		elem := elems[key]
		text, err := convert.Convert(elem, cty.String)
		switch {
		case err != nil:
			d.failPart(a.Expr, exprRange(a.Expr, d.plain, key), "Wrong type", "The value of %s in %q must be a string; this is %s.", quoted(key), a.Name, describe(elem))
			out[key] = new(string) // so that the key is looked at
		case text.IsNull():
			out[key] = nil
		default:
			s := text.AsString()
			out[key] = &s
		}
	}
	return out, true
}
