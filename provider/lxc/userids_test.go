package lxc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUserRange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subuid")
	if err := os.WriteFile(path, []byte("anna:165536:65534\nanna:300000:65535\nanna:400000:65536\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := UserRange(path, "anna", 1); got != 300000 || err != nil { // the first is too short
		t.Errorf("got %d, %v", got, err)
	}
	_, err := UserRange(path, "carl", 7)
	if err == nil || !strings.Contains(err.Error(), path+" gives user carl no range of 65535 ids") || !strings.Contains(err.Error(), "sudo berth setup") {
		t.Errorf("a user without ids: %v", err)
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
