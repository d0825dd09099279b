package setup

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/berth/provider/lxc/subid"
)

// fakeHost is a host whose files are in a folder, and which only notes what it is
// to run.
func fakeHost(t *testing.T, files map[string]string) (*host, *[]string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	done, err := openJournal(filepath.Join(root, "/etc/berth/setup.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ran []string
	h := &host{root: root, user: person{name: "anna", uid: 1234, gid: 1234}, done: done, booted: true}
	h.run = func(_ context.Context, argv ...string) error {
		ran = append(ran, strings.Join(argv, " "))
		return nil
	}
	h.program = func() (string, error) { return "/opt/berth", nil }
	return h, &ran
}

// make makes all changes and returns what was said of them.
func makeAll(t *testing.T, h *host, s step, ask func(step) ([]change, error)) string {
	t.Helper()
	var out bytes.Buffer
	if err := apply(t.Context(), h, Options{Out: &out}, []step{s}, ask, "nothing for %s\n"); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func (h *host) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(h.path(name))
	if err != nil {
		return "missing"
	}
	return string(b)
}

func TestSubIDs(t *testing.T) {
	h, ran := fakeHost(t, map[string]string{
		"/etc/subuid": "bert:100000:65536\nanna:165536:1000\n",
		"/etc/subgid": "anna:300000:65536\n",
	})
	if out := makeAll(t, h, subIDs{h}, step.missing); out != "give anna the ids 166536-232071, in /etc/subuid\n" {
		t.Errorf("said %q", out)
	}
	if got := h.read(t, "/etc/subuid"); got != "bert:100000:65536\nanna:165536:1000\nanna:166536:65536\n" {
		t.Errorf("/etc/subuid is %q", got)
	}
	if out := makeAll(t, h, subIDs{h}, step.missing); out != "nothing for anna\n" {
		t.Errorf("the second time it said %q", out)
	}
	makeAll(t, h, subIDs{h}, step.undo)
	if got := h.read(t, "/etc/subuid"); got != "bert:100000:65536\nanna:165536:1000\n" {
		t.Errorf("after undo /etc/subuid is %q", got)
	}
	if len(*ran) > 0 {
		t.Errorf("ran %q: usermod refuses where the user has a process, or is not in /etc/passwd", *ran)
	}
	if out := makeAll(t, h, subIDs{h}, step.undo); out != "nothing for anna\n" {
		t.Errorf("the second undo said %q", out)
	}
}

func TestKernel(t *testing.T) {
	h, _ := fakeHost(t, map[string]string{
		"/proc/filesystems":                       "nodev\toverlay\n",
		"/proc/sys/fs/inotify/max_user_instances": "128\n",
		"/proc/sys/fs/inotify/max_user_watches":   "999999\n", // more than enough: never lowered
		"/etc/sysctl.d/README":                    "",
	})
	out := makeAll(t, h, kernel{h}, step.missing)
	if out != "raise the sysctl fs.inotify.max_user_instances from 128 to 1024, in /etc/sysctl.d/60-berth.conf\n" {
		t.Errorf("said %q", out)
	}
	if got := h.read(t, "/proc/sys/fs/inotify/max_user_instances"); got != "1024" {
		t.Errorf("the sysctl is %q", got)
	}
	if got := h.read(t, sysctlFile); !strings.HasSuffix(got, "\nfs.inotify.max_user_instances = 1024\n") {
		t.Errorf("%s holds %q", sysctlFile, got)
	}
	if out := makeAll(t, h, kernel{h}, step.missing); out != "nothing for anna\n" {
		t.Errorf("the second time it said %q", out)
	}
	makeAll(t, h, kernel{h}, step.undo)
	if got := h.read(t, "/proc/sys/fs/inotify/max_user_instances"); got != "128" || h.read(t, sysctlFile) != "missing" {
		t.Errorf("after undo the sysctl is %q and the file %q", got, h.read(t, sysctlFile))
	}
}

// A module is loaded now and at every boot; where overlayfs is built in there is
// nothing to do.
func TestOverlayModule(t *testing.T) {
	h, ran := fakeHost(t, map[string]string{"/proc/filesystems": "\text4\n"})
	makeAll(t, h, kernel{h}, step.missing)
	if !slices.Contains(*ran, "modprobe overlay") || !strings.Contains(h.read(t, "/etc/modules-load.d/berth.conf"), "\noverlay\n") {
		t.Errorf("ran %q", *ran)
	}
}

// What others use is left when one user is taken back.
func TestUndoLeavesOthers(t *testing.T) {
	h, ran := fakeHost(t, map[string]string{"/proc/filesystems": "\toverlay\n", "/proc/sys/user/max_user_namespaces": "3\n"})
	makeAll(t, h, kernel{h}, step.missing)
	makeAll(t, h, delegation{h}, step.missing)
	h.done.of("anna")
	h.done.of("bert")
	for _, s := range []step{kernel{h}, delegation{h}} {
		if out := makeAll(t, h, s, step.undo); out != "nothing for anna\n" {
			t.Errorf("undo said %q, though bert is prepared too", out)
		}
	}
	if err := h.done.remove("bert"); err != nil {
		t.Fatal(err)
	}
	makeAll(t, h, delegation{h}, step.undo)
	if got := h.read(t, "/etc/systemd/system/user@.service.d/50-berth.conf"); got != "missing" {
		t.Errorf("with the last user, the file is %q", got)
	}
	if want := []string{"systemctl daemon-reload", "systemctl daemon-reload"}; !slices.Equal(*ran, want) {
		t.Errorf("ran %q", *ran)
	}
}

// A file that is not setup's is never overwritten.
func TestForeignFile(t *testing.T) {
	const name = "/etc/systemd/system/user@.service.d/50-berth.conf"
	h, _ := fakeHost(t, map[string]string{name: "mine"})
	if _, err := (delegation{h}).missing(); err == nil || !strings.Contains(err.Error(), "not setup's") {
		t.Errorf("got %v", err)
	}
}

func TestLinger(t *testing.T) {
	h, ran := fakeHost(t, nil)
	makeAll(t, h, linger{h}, step.missing)
	makeAll(t, h, linger{h}, step.undo)
	if want := []string{"loginctl enable-linger anna", "loginctl disable-linger anna"}; !slices.Equal(*ran, want) {
		t.Errorf("ran %q", *ran)
	}
	h, _ = fakeHost(t, map[string]string{"/var/lib/systemd/linger/anna": ""})
	if out := makeAll(t, h, linger{h}, step.missing); out != "nothing for anna\n" {
		t.Errorf("said %q of a user that lingers already", out)
	}
	if out := makeAll(t, h, linger{h}, step.undo); out != "nothing for anna\n" {
		t.Errorf("undo would take away what was there before: %q", out)
	}
}

func TestLines(t *testing.T) {
	text, more := addLines("a veth br0 3", []string{"b veth br1 9", "a veth br0 3"})
	if text != "a veth br0 3\nb veth br1 9\n" || !more {
		t.Errorf("addLines: %q, %v", text, more)
	}
	if text, more := addLines(text, []string{"b veth br1 9"}); more {
		t.Errorf("a line is added twice: %q", text)
	}
	if rest, fewer := dropLines(text, []string{"b veth br1 9"}); rest != "a veth br0 3\n" || !fewer {
		t.Errorf("dropLines: %q, %v", rest, fewer)
	}
}

func TestFreeRange(t *testing.T) {
	for text, want := range map[string]uint64{
		"":                                      100000,
		"a:1000:500\n":                          100000,
		"a:100000:65536":                        165536,
		"a:500000:1\nb:x:1\nc\n":                100000,
		"b:165536:65536\na:100000:65536\n":      231072, // not in their order
		"a:100000:65536\nb:400000:65536\n":      165536, // a gap
		"a:100000:65536\nb:231071:65536\n":      296607, // a gap that lacks one
		"a:90000:10001\nb:100000:500000000\n":   500100000,
		"root:1000000:1000000000\na:1:300000\n": 300001,
	} {
		if got, err := freeRange(subid.Parse(strings.NewReader(text))); got != want || err != nil {
			t.Errorf("freeRange(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	_, err := freeRange([]subid.Range{{Owner: "lxd", First: 100000, Count: 1 << 31}})
	if err == nil || !strings.Contains(err.Error(), "no 65536 ids in a row are free") {
		t.Errorf("where all are given: %v", err)
	}
}
