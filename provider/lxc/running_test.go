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
)

// A user's box has its cgroups below a scope of systemd, which its last start has
// written down: there it is found without lxc-info, and what is left of it too.
func TestCgroupsBelowScope(t *testing.T) {
	testenv.NeedRoot(t)
	point, err := unifiedPoint()
	if err != nil {
		t.Skip(err)
	}
	s, id := store{root: t.TempDir()}, fmt.Sprintf("test-%d", os.Getpid())
	scope := "/" + id + ".scope"
	payload := filepath.Join(point, scope, payloadCgroup(id))
	t.Cleanup(func() { _ = removeCgroup(filepath.Join(point, scope)) })
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
	t.Cleanup(func() { _ = first.Process.Kill(); _ = first.Wait() })
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
}
