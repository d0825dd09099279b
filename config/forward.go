package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Forward is a port or socket of the host that leads to one of a box or, when
// it is reversed, one of the box that leads to the host.
type Forward struct {
	Name        string
	Guest       Endpoint // in the box; never zero
	Host        Endpoint // on the host; zero: a port is chosen
	GuestIP     string   // address in the box; "": the box's own, and its loopback
	HostIP      string   // address on the host; "127.0.0.1" unless said otherwise
	Protocol    string   // "tcp" or "udp"; "tcp" unless said otherwise, which sockets go with
	AutoCorrect bool     // take another port of the host when this one is in use
	PortRange   PortRange
	Reverse     bool // the box's end listens, the host's is connected to
	DeclRange   hcl.Range
	HostRange   hcl.Range // where Host was written; zero: it was not

	listens hcl.Range // where the end that listens was written, or else the block
	guestIP hcl.Range // where GuestIP was written
}

// reservedPorts is where the ports begin that anybody may listen on.
const reservedPorts = 1024

func (d *decoder) decodeForwards(b *Box, blocks hcl.Blocks) {
	for _, block := range d.unique("forward", blocks) {
		f := Forward{
			Name: block.Labels[0], HostIP: "127.0.0.1", Protocol: "tcp", PortRange: defaultPortRange,
			DeclRange: block.DefRange, listens: block.DefRange,
		}
		if err := checkName(f.Name); err != nil {
			d.fail(block.LabelRanges[0], "Invalid name", "A forward cannot be named %q: %s.", f.Name, err)
		}
		attrs := d.content(block.Body, forwardSchema).Attributes
		d.endpoint(attrs["guest"], &f.Guest, 1)
		d.endpoint(attrs["host"], &f.Host, 0)
		d.text(attrs["guest_ip"], &f.GuestIP, checkGuestAddress)
		d.text(attrs["host_ip"], &f.HostIP, checkAddress)
		d.choice(attrs["protocol"], &f.Protocol, "tcp", "udp")
		d.boolean(attrs["auto_correct"], &f.AutoCorrect)
		d.portRange(attrs["port_range"], &f.PortRange)
		d.boolean(attrs["reverse"], &f.Reverse)
		if a := attrs["host"]; a != nil {
			f.HostRange = a.Expr.Range()
		}
		end := "host"
		if f.Reverse {
			end = "guest"
		}
		if a := attrs[end]; a != nil {
			f.listens = a.Expr.Range()
		}
		if a := attrs["guest_ip"]; a != nil {
			f.guestIP = a.Expr.Range()
			d.checkGuestIP(f, a)
		}
		d.checkForward(f, attrs)
		b.Forwards = slices.DeleteFunc(b.Forwards, func(o Forward) bool { return o.Name == f.Name })
		b.Forwards = append(b.Forwards, f)
	}
}

// checkForward reports arguments that do not go together.
func (d *decoder) checkForward(f Forward, attrs hcl.Attributes) {
	conflict := func(name, format string, args ...any) {
		at := f.DeclRange
		if a := attrs[name]; a != nil {
			at = a.Expr.Range()
		}
		d.fail(at, "Conflicting arguments", format, args...)
	}
	if f.Protocol == "udp" {
		switch {
		case f.Guest.Path != "" || f.Host.Path != "":
			conflict("protocol", `A Unix socket carries streams, so this cannot be "udp".`)
		case f.Reverse:
			conflict("reverse", `SSH, which carries reversed forwards, has no "udp".`)
		}
	}
	if f.Host.Path != "" && attrs["host_ip"] != nil {
		conflict("host_ip", `"host" is a Unix socket, which has no address.`)
	}
	if f.Guest.Path != "" && attrs["guest_ip"] != nil {
		conflict("guest_ip", `"guest" is a Unix socket, which has no address.`)
	}
	if f.AutoCorrect && (f.Reverse || f.Host.Path != "") {
		conflict("auto_correct", `Only a port of the host that Berth listens on can be corrected.`)
	}
	if f.Reverse && f.Host == (Endpoint{}) {
		conflict("reverse", `A reversed forward leads to the host: "host" must say where.`)
	}
}

// checkGuestIP reports an address that is nobody's, or that UDP does not reach.
func (d *decoder) checkGuestIP(f Forward, a *hcl.Attribute) {
	ip, err := netip.ParseAddr(f.GuestIP)
	switch {
	case err != nil: // reported, or null
	case ip.Unmap().IsUnspecified() && !f.Reverse:
		d.failValue(a.Expr, "Invalid value", `"guest_ip" cannot be %s, where nobody can be reached: leave it out for the box's own address and its loopback, or write "127.0.0.1" for its loopback alone.`,
			quoted(f.GuestIP))
	case ip.Unmap().IsLoopback() && f.Protocol == "udp" && !f.Reverse:
		d.failValue(a.Expr, "Invalid value", `UDP does not reach the box's loopback: leave "guest_ip" out, and let the program listen on the box's own address.`)
	}
}

// checkUDP reports UDP to an address that is not the box's own: packets to it would
// go out from the host.
func (d *decoder) checkUDP(b *Box, f Forward, fail func(at hcl.Range, summary, format string, args ...any)) {
	ip, err := netip.ParseAddr(f.GuestIP)
	if err != nil || f.Protocol != "udp" || f.Reverse || ip.Unmap().IsLoopback() || ip.Unmap().IsUnspecified() || b.HasAddress(f.GuestIP) {
		return
	}
	fail(f.guestIP, "Invalid value", `UDP reaches the box's own addresses only, and the box %q has none like this: leave "guest_ip" out, or write the "ip" that one of its networks has.`, b.Name)
}

// HasAddress reports whether ip is what the Envfile gives the box in a private
// network.
func (b *Box) HasAddress(ip string) bool {
	a, err := netip.ParseAddr(ip)
	return err == nil && slices.ContainsFunc(b.Networks, func(n Network) bool { return n.IP.IsValid() && n.IP.Addr() == a.Unmap() })
}

func checkAddress(s string) error {
	if _, err := netip.ParseAddr(s); err != nil {
		return fmt.Errorf(`write an IP address, such as "127.0.0.1" or "0.0.0.0" for all`)
	}
	return nil
}

func checkGuestAddress(s string) error {
	if checkAddress(s) != nil {
		return fmt.Errorf(`write an IP address of the box, such as "127.0.0.1"`)
	}
	return nil
}

var forwardSchema = &hcl.BodySchema{
	Attributes: append(attributes("host", "guest_ip", "host_ip", "protocol", "auto_correct", "port_range", "reverse"),
		hcl.AttributeSchema{Name: "guest", Required: true}),
}
