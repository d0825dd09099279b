package config

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// meet says slowly what listeners find out.
func meet(sameBox bool, a, b Forward) bool {
	switch {
	case a.Reverse != b.Reverse || a.Reverse && !sameBox:
		return false
	case a.Reverse:
		return a.Guest == b.Guest
	case a.Host != b.Host || a.Host == Endpoint{} || a.AutoCorrect || b.AutoCorrect:
		return false
	case a.Host.Path != "":
		return true
	}
	x, y := netip.MustParseAddr(a.HostIP).Unmap(), netip.MustParseAddr(b.HostIP).Unmap()
	return a.Protocol == b.Protocol && (x == y || x.Is4() == y.Is4() && (x.IsUnspecified() || y.IsUnspecified()))
}

func TestListeners(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	for range 300 {
		all := listeners{at: map[listenEnd]*listener{}, any: map[listenEnd]*listener{}}
		var before []listener
		for range 20 {
			box := pick("a", "b")
			f := Forward{
				HostIP:   pick("127.0.0.1", "127.0.0.2", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1"),
				Protocol: pick("tcp", "udp"), AutoCorrect: r.IntN(8) == 0, Reverse: r.IntN(4) == 0,
				Guest: Endpoint{Port: r.Int64N(3) + 1}, Host: Endpoint{Port: r.Int64N(4)},
			}
			if r.IntN(4) == 0 {
				f.Host = Endpoint{Path: pick("/a", "/b")}
			}
			want := 0
			for i, o := range before {
				if meet(o.box == box, o.f, f) {
					want = i + 1
					break
				}
			}
			got := 0
			if first := all.add(box, f); first != nil {
				for i, o := range before {
					if o.order == first.order {
						got = i + 1
					}
				}
			}
			if got != want {
				t.Fatalf("%+v after %+v: meets %d, want %d", f, before, got, want)
			}
			before = append(before, listener{box, f, order(all, f, box)})
		}
	}
}

// order is what a forward was counted as; 0: it was not.
func order(all listeners, f Forward, box string) int {
	if _, ok := endOf(box, f); !ok {
		return 0
	}
	return all.count
}
