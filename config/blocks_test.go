package config

import (
	"fmt"
	"strings"
	"testing"
)

// What a short file stands for is bounded before it is made.
func TestTooManyBlocks(t *testing.T) {
	forwards := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "forward \"f%d\" { guest = 1 }\n", i)
		}
		return b.String()
	}
	for _, tt := range []struct{ name, src, want string }{
		{"for each box", "defaults {\nimage = \"x\"\n" + forwards(201) + "}\nbox \"a\" { count = 250 }", "have 50250 blocks"},
		{"of the boxes", "box \"a\" {\nimage = \"x\"\ncount = 250\n" + forwards(201) + "}", "have 50250 blocks"},
		{"in one", "box \"a\" {\nimage = \"x\"\n" + forwards(2001) + "}", "This holds 2001 blocks"},
	} {
		_, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(tt.src)}}, t.TempDir(), Options{})
		if len(diags) != 1 || diags[0].Summary != tooComplex || !strings.Contains(diags[0].Detail, tt.want) {
			t.Errorf("%s: %s", tt.name, diagText(diags))
		}
	}
	e := parseOK(t, Options{}, "defaults {\nimage = \"x\"\n"+forwards(10)+"}\nbox \"a\" { count = 250 }")
	if n := len(e.Boxes[249].Forwards); n != 10 {
		t.Errorf("%d forwards", n)
	}
}
