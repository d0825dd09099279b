package guest

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestLineWriter(t *testing.T) {
	long := strings.Repeat("é", maxLine) // twice the limit in bytes
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"lines", "a\n\nb\n", []string{"a", "", "b"}},
		{"no end", "a\nb", []string{"a", "b"}},
		{"windows", "a\r\nb\r\r\n", []string{"a", "b"}},
		{"progress", "10%\r20%\r30%\n", []string{"30%"}},
		{"progress without end", "10%\r20%\r", []string{"20%"}},
		{"long progress", strings.Repeat("0123456789\r", maxLine) + "end\n", []string{"end"}},
	} {
		for _, size := range []int{1, 3, 1 << 20} {
			var got []string
			w := &lineWriter{emit: func(b []byte) { got = append(got, string(b)) }}
			for in := c.in; in != ""; {
				n := min(size, len(in))
				w.Write([]byte(in[:n]))
				in = in[n:]
			}
			w.flush()
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s by %d: (-want +got)\n%s", c.name, size, diff)
			}
		}
	}
	var all strings.Builder
	w := &lineWriter{emit: func(b []byte) {
		if len(b) > maxLine || !utf8.Valid(b) {
			t.Errorf("a piece of %d bytes, valid: %v", len(b), utf8.Valid(b))
		}
		all.Write(b)
	}}
	w.Write([]byte("x" + long))
	w.flush()
	if all.String() != "x"+long {
		t.Error("a long line has changed")
	}
}

func TestTail(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"a\nb\n", "a\nb"},
		{"1%\r2%\n", "2%"},
		{strings.Repeat("x\n", 30) + "end", strings.Repeat("x\n", 19) + "end"},
		{strings.Repeat("é", 3000) + "\nend\n", "end"},
	} {
		tl := &tail{}
		for i := 0; i < len(c.in); i += 7 {
			tl.Write([]byte(c.in[i:min(i+7, len(c.in))]))
		}
		if got := tl.String(); got != c.want {
			t.Errorf("tail of %.20q…: %q, want %q", c.in, got, c.want)
		}
	}
}
