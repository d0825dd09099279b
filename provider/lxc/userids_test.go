package lxc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindRange(t *testing.T) {
	const text = "bert:100000:65536\nanna:165536:1000\n1234:200000:65535\nanna:300000:65536\n"
	for _, c := range []struct {
		name string
		uid  uint32
		want uint32
		ok   bool
	}{
		{"bert", 1, 100000, true},
		{"anna", 1, 300000, true},    // the first is too short
		{"anna", 1234, 200000, true}, // by number
		{"carl", 7, 0, false},
	} {
		if got, ok := findRange(strings.NewReader(text), c.name, c.uid); got != c.want || ok != c.ok {
			t.Errorf("%s (%d): %d, %v", c.name, c.uid, got, ok)
		}
	}
}

// The map leaves no id of a box out, and the user itself is the login user.
func TestKeepMap(t *testing.T) {
	want := []string{"0", "100000", "1000", "1000", "1234", "1", "1001", "101000", "64535"}
	if diff := cmp.Diff(want, keepMap(100000, 1234)); diff != "" {
		t.Error(diff)
	}
	next := uint32(0)
	for _, span := range keptSpans {
		if span[0] != next {
			t.Errorf("the spans have a hole at %d", next)
		}
		next = span[0] + span[1]
	}
	if next != idRange {
		t.Errorf("the spans end at %d", next)
	}
}

// What fails outside is blamed on the same argument inside.
func TestAnswer(t *testing.T) {
	for _, a := range []answer{{}, {Error: "x"}, {Arg: "box.folder./work", Error: "x"}} {
		if got := answerOf(a.err()); got != a {
			t.Errorf("%+v became %+v", a, got)
		}
	}
}
