package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSocketFolder(t *testing.T) {
	run := t.TempDir()
	if err := os.Chmod(run, 0o700); err != nil {
		t.Fatal(err)
	}
	live, err := newSocketDir(run, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer live.remove()
	if want := filepath.Join(run, "berth", "plugins"); filepath.Dir(live.path) != want {
		t.Errorf("folder %s, want one in %s", live.path, want)
	}
	stale := filepath.Join(run, "berth", "plugins", "stale")
	if err := os.MkdirAll(filepath.Join(stale, "plugin-dir1"), 0o700); err != nil {
		t.Fatal(err)
	}
	second, err := newSocketDir(run, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer second.remove()
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the folder of a dead host is still there: %v", err)
	}
	if _, err := os.Stat(live.path); err != nil {
		t.Errorf("the folder of a living host: %v", err)
	}
}

func TestSocketFolderFallsBack(t *testing.T) {
	tmp := t.TempDir()
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	open := t.TempDir()
	for dir, mode := range map[string]os.FileMode{long: 0o700, open: 0o777} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, run := range map[string]string{"too long": long, "of anybody": open, "relative": ".", "missing": "/no/such", "unset": ""} {
		t.Run(name, func(t *testing.T) {
			d, err := newSocketDir(run, tmp)
			if err != nil {
				t.Fatal(err)
			}
			defer d.remove()
			if len(d.path) > maxSocketDir || (run != "" && strings.HasPrefix(d.path, run+"/")) {
				t.Errorf("folder %s", d.path)
			}
		})
	}
}

func TestPluginStartsUnderLongPaths(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 180))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	t.Setenv("XDG_RUNTIME_DIR", long)
	m := newManager(t, Options{}, "berth-provider-ok")
	if _, err := m.Provider(t.Context(), "ok"); err != nil {
		t.Error(err)
	}
}

// TestHostIsKilled kills a host and looks for what is left of its plugin.
func TestHostIsKilled(t *testing.T) {
	if dir := os.Getenv("BERTH_TEST_HOST"); dir != "" {
		m := New(Options{Path: dir, DataHome: dir})
		p, err := m.Provider(t.Context(), "ok")
		if err != nil {
			t.Fatal(err)
		}
		box, err := p.Bind(nil).Inspect(t.Context(), "x")
		fmt.Println("pid", box.SSHAddr, err)
		os.WriteFile(filepath.Join(dir, "pid"), []byte(box.SSHAddr), 0o600)
		time.Sleep(time.Minute)
	}
	dir := pluginDir(t, "berth-provider-ok")
	host := exec.Command(os.Args[0], "-test.run=^TestHostIsKilled$")
	host.Env = append(os.Environ(), "BERTH_TEST_HOST="+dir)
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	defer host.Process.Kill()
	var pid []byte
	for end := time.Now().Add(10 * time.Second); len(pid) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the host has not started its plugin")
		}
		pid, _ = os.ReadFile(filepath.Join(dir, "pid"))
	}
	if !alive(string(pid)) {
		t.Fatal("the plugin does not run")
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	waitGone(t, string(pid))
}
