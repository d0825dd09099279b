package lxc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// A user's box has its cgroups below a scope of systemd, which its last start has
// written down: there it is found without lxc-info, and what is left of it too, and
// the scope goes with the box.
func TestCgroupsBelowScope(t *testing.T) {
	testenv.NeedRoot(t)
	point, err := unifiedPoint()
	if err != nil {
		t.Skip(err)
	}
	s, id := store{root: t.TempDir()}, fmt.Sprintf("test-%d", os.Getpid())
	scope := "/" + scopeName(id)
	payload := filepath.Join(point, scope, cgroup.Payload(id))
	t.Cleanup(func() { _ = cgroup.Remove(filepath.Join(point, scope)) })
	if err := os.MkdirAll(payload, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(payload)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	first := exec.Command("sleep", "600") // the first of a pid namespace, as a box's init is
	first.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Process.Kill() })
	if err := os.MkdirAll(s.box(id), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"config": "", "cgroup": scope + "\n"} {
		if err := os.WriteFile(s.file(id, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", "") // no lxc-info
	state, pid, err := lxcTools{store: s}.info(t.Context(), id)
	if err != nil || state != "RUNNING" || pid != first.Process.Pid {
		t.Errorf("info: %s, process %d, %v; want RUNNING, %d", state, pid, err, first.Process.Pid)
	}
	left, err := Leftovers(s.root, id)
	for _, want := range []string{"cgroup " + payload, fmt.Sprintf("process %d", first.Process.Pid)} {
		if err != nil || !slices.Contains(left, want) {
			t.Errorf("Leftovers: %v, %v; want %s", left, err, want)
		}
	}
	go func() { _ = first.Wait() }() // else it stays in its cgroup
	p := &lxcProvider{store: s, mode: rootMode{}}
	if err := p.settle(t.Context(), id); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(point, scope)); !os.IsNotExist(err) {
		t.Errorf("the scope is left: %v", err)
	}
}
