package subid_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/provider/lxc/subid"
)

func TestParse(t *testing.T) {
	all := subid.Parse(strings.NewReader(
		"bert:100000:65536\n\n# a note\nanna:165536:1000\n1234:200000:65535\nanna:x:1\nanna:1:2:3\nanna:9999999999:1\n anna:300000:65536 \n"))
	for _, c := range []struct {
		name string
		uid  int
		want []subid.Range
	}{
		{"bert", 1, []subid.Range{{"bert", 100000, 65536}}},
		{"anna", 1234, []subid.Range{{"anna", 165536, 1000}, {"1234", 200000, 65535}, {"anna", 300000, 65536}}}, // by number too
		{"carl", 7, []subid.Range{}},
	} {
		if diff := cmp.Diff(c.want, subid.Of(all, c.name, c.uid)); diff != "" {
			t.Errorf("%s (%d):\n%s", c.name, c.uid, diff)
		}
	}
}

func TestOverlaps(t *testing.T) {
	r := subid.Range{First: 100, Count: 10}
	for _, c := range []struct {
		first, count uint64
		want         bool
	}{
		{90, 10, false}, {90, 11, true}, {109, 1, true}, {110, 1, false}, {103, 2, true}, {0, 1 << 32, true}, {105, 0, false},
	} {
		o := subid.Range{First: c.first, Count: c.count}
		if r.Overlaps(o) != c.want || o.Overlaps(r) != c.want {
			t.Errorf("%v and %v: not %v", r, o, c.want)
		}
	}
}
