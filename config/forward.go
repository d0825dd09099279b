package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Forward is a port of the host that leads to one of a box.
type Forward struct {
	Name        string
	Guest       int64  // port in the box, 1 to 65535
	Host        int64  // port on the host, 1 to 65535; 0: one is chosen
	HostIP      string // address on the host; "127.0.0.1" unless said otherwise
	Protocol    string // "tcp" or "udp"; "tcp" unless said otherwise
	AutoCorrect bool   // take another port of the host when this one is in use
	DeclRange   hcl.Range
}

func (d *decoder) decodeForwards(b *Box, blocks hcl.Blocks) {
	for _, block := range d.unique("forward", blocks) {
		f := Forward{Name: block.Labels[0], HostIP: "127.0.0.1", Protocol: "tcp", DeclRange: block.DefRange}
		if err := checkName(f.Name); err != nil {
			d.fail(block.LabelRanges[0], "Invalid name", "A forward cannot be named %q: %s.", f.Name, err)
		}
		attrs := d.content(block.Body, forwardSchema).Attributes
		d.integer(attrs["guest"], &f.Guest, 1, 65535, "")
		d.integer(attrs["host"], &f.Host, 1, 65535, "")
		d.text(attrs["host_ip"], &f.HostIP, checkAddress)
		d.choice(attrs["protocol"], &f.Protocol, "tcp", "udp")
		d.boolean(attrs["auto_correct"], &f.AutoCorrect)
		b.Forwards = slices.DeleteFunc(b.Forwards, func(o Forward) bool { return o.Name == f.Name })
		b.Forwards = append(b.Forwards, f)
		d.checkYet("forward", `"forward" blocks`, block.DefRange)
	}
}

func checkAddress(s string) error {
	if _, err := netip.ParseAddr(s); err != nil {
		return fmt.Errorf(`write an IP address, such as "127.0.0.1" or "0.0.0.0" for all`)
	}
	return nil
}

var forwardSchema = &hcl.BodySchema{
	Attributes: append(attributes("host", "host_ip", "protocol", "auto_correct"), hcl.AttributeSchema{Name: "guest", Required: true}),
}
