package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider"
)

// killedEnv makes the test binary do one call and be killed in it: the data
// folder, the call, the box and the key.
const killedEnv = "BERTH_TEST_KILLED"

// TestKilledCall is no test: it is what others kill.
func TestKilledCall(t *testing.T) {
	words := strings.Fields(os.Getenv(killedEnv))
	if len(words) == 0 {
		t.Skip("it is for other tests")
	}
	p := Open(words[0]).(*lxcProvider)
	var err error
	switch words[1] {
	case "checkpoint":
		err = p.Checkpoint(context.Background(), words[2], words[3], nil)
	case "collect":
		err = p.Collect(context.Background(), provider.Collection{Checkpoints: []string{"free"}}, nil, nil)
	case "import":
		err = p.ImportImage(context.Background(), provider.Import{File: words[2], Name: words[3]}, nil)
	case "restore":
		r, loadErr := p.store.load(words[2])
		if loadErr != nil {
			t.Fatal(loadErr)
		}
		spec := provider.Spec{ID: r.ID, Name: r.Name, Image: r.Image, User: "dev", Hostname: "box", HostKey: []byte("key"), AuthorizedKey: "key"}
		err = p.Restore(context.Background(), spec, words[3], nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// changes are the system calls by which berth changes a disk, in groups that do
// the same.
var changes = []string{
	"renameat,renameat2", "linkat,symlinkat", "unlinkat", "mkdirat", "fsync,fdatasync,syncfs",
	"write,pwrite64,copy_file_range", "fchownat,fchown,fchmodat,fchmod,utimensat", "lsetxattr,fsetxattr,setxattr",
	"mount,mount_setattr,move_mount,open_tree,umount2", "ioctl",
}

// killedAtChanges does a call in another process again and again, and kills it as it
// is about to make a change: the first of each kind, the third, the ninth and so on,
// until it comes to its end. Each time is between before and after, which gets
// what to call that moment. Calls that came to their end are counted, since a
// test in which none did, or none was killed, tests nothing.
func killedAtChanges(t *testing.T, p *lxcProvider, words []string, before func(), after func(moment string)) {
	t.Helper()
	testenv.NeedTool(t, "strace")
	whole, cut := 0, 0
	for _, change := range changes {
		for n := 1; ; n *= 3 {
			before()
			// strace(1) counts for each thread, so the n-th may come a little later.
			cmd := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace="+change,
				"-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", change, n), os.Args[0], "-test.run=^TestKilledCall$")
			cmd.Env = append(os.Environ(), killedEnv+"="+strings.Join(append([]string{p.store.root}, words...), " "))
			out, err := cmd.CombinedOutput()
			if err != nil && cmd.ProcessState.Exited() && cmd.ProcessState.ExitCode() != 1 && cmd.ProcessState.ExitCode() != 128+int(syscall.SIGKILL) {
				t.Fatalf("strace: %v: %s", err, out)
			}
			after(fmt.Sprintf("%s %d", change, n))
			if err == nil {
				whole++
				break
			}
			cut++
		}
	}
	t.Logf("killed %d times, at its end %d times", cut, whole)
	if cut < 5 || whole == 0 {
		t.Errorf("killed %d times, and %d times it came to its end: this has tested little", cut, whole)
	}
}

// A checkpoint that is killed at any moment is complete or not there, its box
// goes on, and the next one cleans up.
func TestRealCheckpointKilled(t *testing.T) {
	p, spec := realProvider(t)
	c := churner{t, p, spec}
	c.begin("")
	if out, err := inBox(t, p, spec.ID, "mkdir /srv/many; cd /srv/many; for i in $(seq 400); do echo $i >f$i; done; head -c 8M /dev/urandom >big"); err != nil {
		t.Fatal(out, err)
	}
	want, _ := inBox(t, p, spec.ID, "cat /srv/many/* | md5sum")
	done := 0
	begin := func() {
		if err := p.store.forgetKept(spec.ID); err != nil { // so that each has all to do
			t.Fatal(err)
		}
	}
	killedAtChanges(t, p, []string{"checkpoint", spec.ID, "key"}, begin, func(moment string) {
		all, err := p.Checkpoints(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// The box goes on at once, or a moment later, when the helper has noticed.
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := exec.CommandContext(ctx, "lxc-attach", "-n", spec.ID, "-P", p.store.boxes(), "--", "/bin/true").Run(); err != nil {
			t.Errorf("killed at %s the box stands still: %v", moment, err)
		}
		cancel()
		if len(all) == 0 {
			return
		}
		done++
		twin := spec
		twin.ID, twin.Checkpoint = spec.ID+"-twin", "key"
		if err := p.Create(t.Context(), twin, nil); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context(), twin, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := inBox(t, p, twin.ID, "cat /srv/many/* | md5sum"); err != nil || got != want {
			t.Errorf("killed at %s: the checkpoint has other files: %s, %v", moment, got, err)
		}
		if err := p.Destroy(t.Context(), twin.ID, nil); err != nil {
			t.Error(err)
		}
		if err := p.RemoveCheckpoint(t.Context(), "key"); err != nil {
			t.Error(err)
		}
	})
	if done == 0 {
		t.Error("no checkpoint was complete")
	}
	c.keep("at-last")
	if got := len(layersOf(t, p)); got != 1 {
		t.Errorf("%d layers are left, want that of the last checkpoint: %v", got, layersOf(t, p))
	}
	removeAllKept(t, p)
}

// layersOf lists the layers of checkpoints, whole or not.
func layersOf(t *testing.T, p *lxcProvider) []string {
	t.Helper()
	entries, err := os.ReadDir(p.store.keptLayers())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".sum") {
			names = append(names, e.Name())
		}
	}
	return names
}

// A restore that is killed at any moment has happened, has not, or happens with
// the next start: never a bit of it.
func TestRealRestoreKilled(t *testing.T) {
	p, spec := realProvider(t)
	c := churner{t, p, spec}
	c.begin("")
	mark := func(what string) {
		if out, err := inBox(t, p, spec.ID, "rm -rf /srv/s; mkdir /srv/s; for i in $(seq 300); do echo "+what+" >/srv/s/$i; done"); err != nil {
			t.Fatal(out, err)
		}
	}
	seen := func() string {
		out, err := inBox(t, p, spec.ID, "cat /srv/s/* | sort | uniq -c | tr -s ' '")
		if err != nil {
			t.Fatal(out, err)
		}
		return strings.TrimSpace(out)
	}
	mark("old")
	c.keep("old")
	mark("new")
	stop := func() {
		if err := p.Stop(t.Context(), spec.ID, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	start := func() {
		if err := p.Start(t.Context(), spec, nil); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	outcomes := map[string]int{}
	begin := func() {
		start()
		mark("new")
		stop()
	}
	killedAtChanges(t, p, []string{"restore", spec.ID, "old"}, begin, func(moment string) {
		start()
		got := seen()
		outcomes[got]++
		if got != "300 old" && got != "300 new" {
			t.Errorf("killed at %s: the box has %q", moment, got)
		}
		stop()
	})
	if outcomes["300 old"] == 0 || outcomes["300 new"] == 0 {
		t.Errorf("outcomes: %v; want both", outcomes)
	}
	if exists(p.store.file(spec.ID, "disk-new")) {
		if err := p.Restore(t.Context(), spec, "old", nil); err != nil || exists(p.store.file(spec.ID, "disk-new")) {
			t.Errorf("half a disk is left: %v", err)
		}
	}
}

// A checkpoint for which there is no room says so, and leaves nothing.
func TestRealCheckpointDiskFull(t *testing.T) {
	p, spec := realProvider(t)
	testenv.NeedRoot(t)
	c := churner{t, p, spec}
	c.begin("")
	if out, err := inBox(t, p, spec.ID, "head -c 8M /dev/urandom >/srv/big"); err != nil {
		t.Fatal(out, err)
	}
	if err := os.MkdirAll(p.store.keptLayers(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", p.store.keptLayers(), "tmpfs", 0, "size=4m"); err != nil {
		t.Fatal(err)
	}
	unmount := func() { _ = unix.Unmount(p.store.keptLayers(), unix.MNT_DETACH) }
	t.Cleanup(unmount)
	err := p.Checkpoint(t.Context(), spec.ID, "full", nil)
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "The disk is full") {
		t.Errorf("Checkpoint on a full disk: %v", err)
	}
	if left := layersOf(t, p); len(left) > 0 {
		t.Errorf("layers are left: %v", left)
	}
	if all, err := p.Checkpoints(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("checkpoints are left: %v, %v", all, err)
	}
	if b, err := p.Inspect(t.Context(), spec.ID); err != nil || b.State != provider.Running {
		t.Errorf("the box is %s, %v", b.State, err)
	}
	unmount()
	c.keep("room")
}

// A layer that somebody has been at is noticed before a box is made from it.
func TestRealCheckpointDamaged(t *testing.T) {
	p, spec := realProvider(t)
	c := churner{t, p, spec}
	c.begin("")
	if out, err := inBox(t, p, spec.ID, "mkdir /srv/d; echo text >/srv/d/file"); err != nil {
		t.Fatal(out, err)
	}
	c.keep("good")
	c.destroy()
	layer := filepath.Join(p.store.keptLayers(), layersOf(t, p)[0])
	file := filepath.Join(layer, "srv/d/file")
	spec.Checkpoint = "good"
	for what, damage := range map[string]func() error{
		"another mode":   func() error { return os.Chmod(file, 0o600) },
		"cut short":      func() error { return os.Truncate(file, 1) },
		"written to":     func() error { return os.WriteFile(file, []byte("TEXT\n"), 0o644) },
		"another owner":  func() error { return os.Lchown(file, 5, 5) },
		"a file more":    func() error { return os.WriteFile(filepath.Dir(file)+"/more", nil, 0o600) },
		"a link instead": func() error { return errors.Join(os.Remove(file), os.Symlink("/etc/passwd", file)) },
		"gone":           func() error { return os.Remove(file) },
		"all gone":       func() error { return os.RemoveAll(filepath.Join(layer, "srv")) },
	} {
		if out, err := exec.Command("cp", "-a", layer, layer+"-good").CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if err := p.Create(t.Context(), spec, nil); !errors.Is(err, provider.ErrNoCheckpoint) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: Create: %v", what, err)
		}
		if err := errors.Join(os.RemoveAll(layer), os.Rename(layer+"-good", layer)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Errorf("Create from the undamaged one: %v", err)
	}
	c.destroy()
	if all, err := p.Checkpoints(t.Context()); err != nil || !slices.ContainsFunc(all, func(c provider.Checkpoint) bool { return c.Key == "good" }) {
		t.Errorf("Checkpoints: %v, %v", all, err)
	}
	removeAllKept(t, p)
}
