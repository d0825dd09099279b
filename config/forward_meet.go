package config

import (
	"fmt"
	"net/netip"

	"github.com/hashicorp/hcl/v2"
)

// listener is a forward of a box.
type listener struct {
	box   string
	f     Forward
	order int
}

// listeners are forwards by where they listen: an Envfile can have so many that
// each cannot be compared with each.
type listeners struct {
	at    map[listenEnd]*listener // the first at a place
	any   map[listenEnd]*listener // the first at any address, by the place that stands for all of the family
	count int
}

// listenEnd is a place where a forward listens.
type listenEnd struct {
	box      string // of one in a box; "": on the host
	protocol string
	end      Endpoint
	addr     netip.Addr // zero: it has none
}

// endOf returns where a forward listens; false: that is still to be chosen, or
// wrong, which is reported where it is.
func endOf(box string, f Forward) (listenEnd, bool) {
	switch {
	case f.Reverse:
		return listenEnd{box: box, end: f.Guest}, true
	case f.Host == Endpoint{} || f.AutoCorrect:
		return listenEnd{}, false
	case f.Host.Path != "":
		return listenEnd{end: f.Host}, true
	}
	ip, err := netip.ParseAddr(f.HostIP)
	return listenEnd{protocol: f.Protocol, end: f.Host, addr: ip.Unmap()}, err == nil
}

// add adds a forward and returns the first one that one socket cannot listen beside:
// it has the same place, or one of the two has all addresses. nil: there is none.
func (l *listeners) add(box string, f Forward) *listener {
	at, ok := endOf(box, f)
	if !ok {
		return nil
	}
	l.count++
	n := &listener{box, f, l.count}
	first := l.at[at]
	if at.addr.IsValid() {
		all := at
		if all.addr = netip.IPv6Unspecified(); at.addr.Is4() {
			all.addr = netip.IPv4Unspecified()
		}
		other := l.at[all]
		if at == all {
			other = l.any[all]
		}
		if first == nil || other != nil && other.order < first.order {
			first = other
		}
		if l.any[all] == nil {
			l.any[all] = n
		}
	}
	if l.at[at] == nil {
		l.at[at] = n
	}
	return first
}

// checkForwards checks what can be known only when all layers are applied: which
// forwards meet at the host, and which within their box.
func (d *decoder) checkForwards(e *Envfile) {
	all := listeners{at: map[listenEnd]*listener{}, any: map[listenEnd]*listener{}}
	told := map[hcl.Range]bool{} // a block of several boxes is reported once
	fail := func(at hcl.Range, summary, format string, args ...any) {
		if !told[at] {
			d.fail(at, summary, format, args...)
		}
		told[at] = true
	}
	for _, b := range e.Boxes {
		for _, f := range b.Forwards {
			if first := all.add(b.Name, f); first != nil {
				fail(f.listens, "Duplicate forward", "%s.", d.taken(first.box, first.f, b, f))
			}
			d.checkUDP(b, f, fail)
			if f.Reverse && f.Guest.Port > 0 && f.Guest.Port < reservedPorts && b.SSH.User != "root" {
				fail(f.DeclRange, "Out of range", "In the box, %q listens as user %q, who cannot have port %d: only root can have those below %d. Take a higher one.",
					f.Name, b.SSH.User, f.Guest.Port, reservedPorts)
			}
		}
	}
}

// taken says that a forward of b listens where that of a first box does, and what
// to do.
func (d *decoder) taken(box string, first Forward, b *Box, f Forward) string {
	port := !f.Reverse && f.Host.Path == "" // only another port can be chosen
	what := ""
	if first.listens != f.listens {
		what = fmt.Sprintf("%s has the forward %q of box %q already, at %s. Take another", meetingPoint(f), first.Name, box, place(first.listens))
	} else {
		what = fmt.Sprintf("%s cannot lead to both %q and %q. Give each box its own", meetingPoint(f), box, b.Name)
		if g := d.boxes.group(b.Block); g.repeat == "count" && port {
			what += fmt.Sprintf(", such as host = %d + count.index", f.Host.Port)
		}
	}
	if port {
		what += `, leave "host" out to have one chosen, or allow auto_correct`
	}
	return what
}

// meetingPoint names the end of a forward that listens.
func meetingPoint(f Forward) string {
	switch {
	case f.Reverse:
		return fmt.Sprintf("In the box, %s", f.Guest)
	case f.Host.Path != "":
		return fmt.Sprintf("On the host, %s", f.Host)
	}
	return fmt.Sprintf("On the host, %s %d of %s", f.Protocol, f.Host.Port, f.HostIP)
}
