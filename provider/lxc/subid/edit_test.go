package subid

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEdit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subuid")
	read := func() string {
		b, _ := os.ReadFile(path)
		return string(b)
	}
	do := func(f func(string, Range) error, r Range, want string) {
		t.Helper()
		for range 2 { // the second time changes nothing
			if err := f(path, r); err != nil {
				t.Fatal(err)
			}
			if got := read(); got != want {
				t.Errorf("it is %q, want %q", got, want)
			}
		}
	}
	anna, bert := Range{"anna", 100000, 65536}, Range{"bert", 165536, 65536}
	do(Remove, anna, "") // no such file
	do(Add, anna, "anna:100000:65536\n")
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("a new file: %v, %v", st.Mode(), err)
	}
	// A file of root's, with notes and without a newline at its end.
	if err := os.WriteFile(path, []byte("# mine\nanna:100000:65536\nanna:100000:1000000\n\nx"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 12, 34); err != nil {
			t.Fatal(err)
		}
	}
	before := ownerOf(t, path)
	do(Remove, anna, "# mine\nanna:100000:1000000\n\nx")
	if err := os.WriteFile(path, []byte("# mine\nx"), 0o644); err != nil {
		t.Fatal(err)
	}
	do(Add, bert, "# mine\nx\nbert:165536:65536\n")
	if after := ownerOf(t, path); after != before {
		t.Errorf("it is %s now, and was %s", after, before)
	}
	// Somebody was faster.
	err := Add(path, Range{"carl", 165000, 65536})
	if err == nil || !strings.Contains(err.Error(), "given to bert") || read() != "# mine\nx\nbert:165536:65536\n" {
		t.Errorf("an overlap: %v, %q", err, read())
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
		t.Errorf("left are %q", left)
	}
}

func ownerOf(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("stat", "-c", "%u:%g %a", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The lock is that of useradd and its like.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subuid")
	name := path + ".lock"
	lockPause = time.Millisecond
	t.Cleanup(func() { lockPause = time.Second })
	for text, want := range map[string]string{
		strconv.Itoa(os.Getpid()) + "\x00": "process " + strconv.Itoa(os.Getpid()) + " holds it",
		"":                                 "process unknown holds it",
		"0":                                "process unknown holds it",
		"999999999\x00":                    "", // that has ended
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Add(path, Range{"anna", 1, 2})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("with the lock %q: %v", text, err)
		}
		if _, err := os.Stat(name); (err == nil) != (want != "") {
			t.Errorf("with the lock %q: it is %v", text, err)
		}
		_ = os.Remove(name)
	}
	// It is waited for.
	unlock, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	lockPause = 20 * time.Millisecond
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := Add(path, Range{"bert", 7, 8}); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(40 * time.Millisecond)
	if all, _ := Load(path); len(all) > 1 {
		t.Error("the file is changed though it is locked")
	}
	unlock()
	wait.Wait()
	if all, _ := Load(path); len(all) != 2 {
		t.Errorf("once it is free: %v", all)
	}
}
