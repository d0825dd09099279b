package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Box is one development machine.
type Box struct {
	Name      string // [a-z0-9-], at most 30 bytes; unique in the Envfile
	Block     string // label of its block: Name, or what is before "-KEY" in it when count or for_each make several boxes
	Hostname  string // inside the box; the box's name unless said otherwise
	Image     string // what it starts from; the provider defines the form; never empty
	Message   string // shown to the user after `berth up`; empty: none
	Autostart bool   // `berth up` without names starts it; true unless said otherwise
	Primary   bool   // commands for one box take it when none is named; at most one box is

	DependsOn []string          // names of boxes that are up before this one, without repetition; those that its steps use included
	Env       map[string]string // environment of every login; nil: none
	HostProxy bool              // the host's proxy variables hold in the box; true unless said otherwise
	HostCA    bool              // the box trusts the certificates that the host trusts beyond its distribution's; true unless said otherwise

	PackageCache bool // the project's boxes share the packages they download; true unless said otherwise

	BootTimeout time.Duration // how long a boot may take until the box answers; 60 s unless said otherwise
	HaltTimeout time.Duration // how long a shutdown may take before it is forced; 0 forces at once; 60 s unless said otherwise

	Resources    Resources
	SSH          SSH
	Provider     ProviderBlock
	Provisioners []*Provisioner // in the order they run

	Networks []Network // private networks, eth1 and up in this order
	Forwards []Forward // ports and sockets that lead into the box, or out of it
	Folders  []Folder  // parents before what is in them; the project's folder unless that was taken away

	Personal    bool // its block is not in the project's Envfile: other users do not have the box
	AutoForward bool // ports that begin to listen in the box are forwarded by themselves

	DeclRange hcl.Range // the header of the block

	dependsOn  hcl.Expression       // nil: not written
	imageGiven bool                 // image was written, if only wrongly
	ranges     map[string]hcl.Range // where values were written, by dotted path
}

func newBox(name string) *Box {
	return &Box{
		Name:         name,
		Hostname:     name,
		Autostart:    true,
		HostProxy:    true,
		HostCA:       true,
		PackageCache: true,
		BootTimeout:  time.Minute,
		HaltTimeout:  time.Minute,
		SSH:          SSH{User: "dev"},
		Provider:     ProviderBlock{Name: DefaultProvider},
		Folders:      []Folder{impliedFolder()},
		ranges:       map[string]hcl.Range{},
	}
}

// Range returns where the value at a dotted path was written, such as "image",
// "resources.io.read" or "env.PATH". For one that was not written it returns
// the place of the nearest thing around it, at last the box's header.
func (b *Box) Range(path string) hcl.Range {
	for path != "" {
		if r, ok := b.ranges[path]; ok {
			return r
		}
		path = path[:max(0, strings.LastIndexByte(path, '.'))]
	}
	return b.DeclRange
}

// note remembers where the arguments of a block were written.
func (b *Box) note(prefix string, attrs hcl.Attributes) {
	for name, a := range attrs {
		b.ranges[prefix+name] = a.Expr.Range()
	}
}

// decodeBox applies one block, of defaults or of a box, to b. Applied in the
// order of their layers, blocks override each other argument by argument.
func (d *decoder) decodeBox(b *Box, body hcl.Body, schema *hcl.BodySchema) {
	content := d.content(body, schema)
	attrs, blocks := content.Attributes, content.Blocks.ByType()
	b.note("", attrs)

	d.text(attrs["hostname"], &b.Hostname, checkHostname)
	d.text(attrs["image"], &b.Image, checkImage)
	b.imageGiven = b.imageGiven || attrs["image"] != nil
	d.text(attrs["message"], &b.Message, nil)
	d.boolean(attrs["autostart"], &b.Autostart)
	d.boolean(attrs["primary"], &b.Primary)
	d.boolean(attrs["auto_forward"], &b.AutoForward)
	if a := attrs["depends_on"]; a != nil {
		d.texts(a, &b.DependsOn)
		b.dependsOn = a.Expr
	}
	d.environment(attrs["env"], b)
	d.boolean(attrs["host_proxy"], &b.HostProxy)
	d.boolean(attrs["host_ca"], &b.HostCA)
	d.boolean(attrs["package_cache"], &b.PackageCache)
	d.duration(attrs["boot_timeout"], &b.BootTimeout, time.Second, time.Hour)
	d.duration(attrs["halt_timeout"], &b.HaltTimeout, 0, time.Hour)

	d.decodeResources(b, d.single(blocks["resources"]))
	d.decodeSSH(b, d.single(blocks["ssh"]))
	d.decodeProvider(b, d.single(blocks["provider"]))
	d.decodeNetworks(b, blocks["network"])
	d.decodeForwards(b, blocks["forward"])
	d.decodeFolders(b, blocks["folder"])
	for _, p := range blocks["provisioner"] {
		d.decodeProvisioner(b, p)
	}
}

func checkImage(s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return fmt.Errorf(`it is empty; name an image such as "debian:bookworm"`)
	case strings.ContainsAny(s, "\x00\n\r\t "):
		return fmt.Errorf("it holds white space")
	}
	return nil
}

var boxSchema = &hcl.BodySchema{
	Attributes: append(attributes("hostname", "primary", "depends_on", "count", "for_each"), defaultsSchema.Attributes...),
	Blocks:     defaultsSchema.Blocks,
}

// defaultsSchema lacks what can hold for one box only.
var defaultsSchema = &hcl.BodySchema{
	Attributes: attributes("image", "message", "autostart", "auto_forward", "env", "host_proxy", "host_ca", "package_cache", "boot_timeout", "halt_timeout"),
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "resources"},
		{Type: "ssh"},
		{Type: "provider", LabelNames: []string{"name"}},
		{Type: "provisioner", LabelNames: []string{"type", "name?"}},
		{Type: "network", LabelNames: []string{"name"}},
		{Type: "forward", LabelNames: []string{"name"}},
		{Type: "folder", LabelNames: []string{"source"}},
	},
}
