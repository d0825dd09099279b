package lxc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// withFIFO puts a FIFO that nobody writes to into a folder, and returns that.
func withFIFO(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// Nobody waits for a FIFO where a box or an image has one instead of what is looked
// for.
func TestFIFOs(t *testing.T) {
	s := store{root: t.TempDir()}
	withFIFO(t, s.layer("abc"), "etc/passwd")
	p := &lxcProvider{store: s}
	for name, call := range map[string]func() error{
		"certificates": func() error {
			return seedCertificates(boxDisk{upper: openRoot(t, withFIFO(t, t.TempDir(), certificatesDir))}, nil)
		},
		"user":     func() error { return p.checkUser(image{Layer: "abc"}, "dev") },
		"packages": func() error { _, err := takePackages(withFIFO(t, t.TempDir(), packagesFile)); return err },
		"sources":  func() error { return sameSources(openRoot(t, withFIFO(t, t.TempDir(), "etc/apt/sources.list"))) },
		"keys":     func() error { return finishImage(withFIFO(t, t.TempDir(), "etc/ssh")) },
		"text": func() error {
			boxDisk{upper: openRoot(t, withFIFO(t, t.TempDir(), "etc/hosts"))}.text("etc/hosts")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() { done <- call() }()
			select {
			case err := <-done:
				t.Log(err)
			case <-time.After(5 * time.Second):
				t.Fatal("it waits for somebody to write to the FIFO")
			}
		})
	}
}

func TestReadFileIn(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	root := openRoot(t, dir)
	if b, err := readFileIn(root, "file", 4); string(b) != "text" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	for name, most := range map[string]int64{"file": 3, ".": 100, "none": 100} {
		if b, err := readFileIn(root, name, most); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %q, %v", name, b, err)
		}
	}
}
