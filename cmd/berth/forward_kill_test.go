package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A berth killed at any moment of an up, the first one or one that changes the
// forwards of a running box, leaves what the next up heals and destroy removes.
func TestKillDuringForwards(t *testing.T) {
	work := t.TempDir()
	env := append(os.Environ(), "BERTH_PLUGIN_PATH="+buildPlugins(t), "BERTH_HOME="+filepath.Join(work, "data"),
		"XDG_CONFIG_HOME="+work, "NO_COLOR=1")
	end, err := takeTurn(t, "forward-kill", work, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	berth := func(args ...string) *exec.Cmd {
		cmd := exec.Command("berth", args...)
		cmd.Dir, cmd.Env = work, env
		return cmd
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := berth(args...).CombinedOutput()
		if err != nil {
			t.Fatalf("berth %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	write := func(port string) {
		t.Helper()
		text := "box \"web\" {\n  image = \"host\"\n  provider \"local\" {}\n  forward \"http\" {\n    guest = 80\n    host = " + port +
			"\n  }\n  forward \"sock\" {\n    guest = 80\n    host = \"${path.project}/w.sock\"\n  }\n}\n"
		if err := os.WriteFile(filepath.Join(work, "Envfile"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = berth("destroy", "-f").Run() })
	write("23851")
	begin := time.Now()
	must("up")
	whole := time.Since(begin)
	must("destroy", "-f")
	const moments = 24
	for i := range moments {
		changes := i%2 == 1
		if changes {
			must("up")
			write("23852")
		}
		cmd := berth("up")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(whole * time.Duration(i+1) / moments)
		_ = cmd.Process.Kill() // it may have ended just now
		_ = cmd.Wait()
		must("port")
		if i%4 < 2 {
			must("up")
			if got := must("port"); strings.Count(got, " up\n") != 2 {
				t.Errorf("killed at moment %d, then up:\n%s", i, got)
			}
			if c, err := net.Dial("unix", filepath.Join(work, "w.sock")); err != nil {
				t.Errorf("killed at moment %d, then up: %v", i, err)
			} else {
				c.Close()
			}
		}
		must("destroy", "-f")
		if left := forwarders(work); len(left) > 0 {
			t.Errorf("killed at moment %d, then destroyed: %v is left", i, left)
		}
		for _, pattern := range []string{"w.sock", "data/boxes/*"} {
			if left, _ := filepath.Glob(filepath.Join(work, pattern)); len(left) > 0 {
				t.Errorf("killed at moment %d, then destroyed: left %v", i, left)
			}
		}
		write("23851")
		if t.Failed() {
			return
		}
	}
}
