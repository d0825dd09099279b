package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider/lxc"
)

// TestMain builds berth for the scripts, which call it hundreds of times, with
// plugins that are berth again: the test binary itself, with the race detector
// in it, would take ten times as long to start. What runs concurrently has tests
// of its own in the packages.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "berth-scripts-*")
		if err == nil {
			defer os.RemoveAll(dir)
			var out []byte
			out, err = exec.Command("go", "build", "-tags", "grpcnotrace,urfave_cli_no_docs", "-o", filepath.Join(dir, "berth"), ".").CombinedOutput()
			os.Stderr.Write(out)
		}
		if err == nil {
			err = errors.Join(os.Chmod(dir, 0o755), os.Setenv("PATH", dir+":"+os.Getenv("PATH")))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "build berth for the scripts:", err)
			return 1
		}
		return m.Run()
	}())
}

// TestScripts runs what users type: testdata/script/VERB/*.txtar. Scripts in
// lxc/ run real boxes, all others the example plugins.
func TestScripts(t *testing.T) {
	plugins := buildPlugins(t)
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob("testdata/script/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			if filepath.Base(dir) == "lxc" {
				testenv.NeedLXC(t)
				testenv.NeedNet(t)
			}
			testscript.Run(t, testscript.Params{
				Dir:                 dir,
				UpdateScripts:       os.Getenv("UPDATE") != "",
				RequireUniqueNames:  true,
				RequireExplicitExec: true,
				Setup: func(env *testscript.Env) error {
					env.Setenv("BERTH_PLUGIN_PATH", plugins)
					env.Setenv("BERTH_HOME", filepath.Join(env.WorkDir, "data"))
					env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
					env.Setenv("NO_COLOR", "1")
					env.Setenv("EXAMPLES", examples)
					kind := filepath.Base(dir)
					if kind == "port" || kind == "lxc" {
						end, err := takeTurn(t, kind+"-"+filepath.Base(env.WorkDir), env.WorkDir, env.Vars)
						if err != nil {
							return err
						}
						env.Defer(end)
					}
					env.Defer(func() { destroyAll(t, env.WorkDir, env.Vars) })
					if kind == "lxc" {
						return useImages(t, env)
					}
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"residue":   residue,
					"hold":      hold,
					"release":   release,
					"free":      free,
					"echoes":    echoes,
					"forwarder": forwarderCommand,
				},
				Condition: condition,
			})
		})
	}
}

// condition is what a script may ask of the machine.
func condition(name string) (bool, error) {
	if name == "root" {
		ok, _ := testenv.Has(name)
		return ok, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// buildPlugins builds the example plugins into a folder of their own.
func buildPlugins(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, pkg := range map[string]string{
		"berth-provisioner-motd": "../../examples/plugins/motd",
		"berth-provider-local":   "../../examples/plugins/local",
	} {
		out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput()
		if err != nil {
			t.Fatalf("build %s: %v\n%s", pkg, err, out)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// destroyAll removes what a script left in its folder, also when it failed.
func destroyAll(t *testing.T, work string, vars []string) {
	envfiles, _ := filepath.Glob(filepath.Join(work, "Envfile"))
	more, _ := filepath.Glob(filepath.Join(work, "*", "Envfile"))
	for _, f := range append(envfiles, more...) {
		cmd := exec.Command("berth", "-C", filepath.Dir(f), "destroy", "-f")
		cmd.Env = vars
		_ = cmd.Run() // what it leaves is found below
	}
	data := lxcData(work)
	for _, id := range boxIDs(data) {
		t.Logf("box %s was left and berth destroy did not remove it", id)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if err := lxc.Open(data).Destroy(ctx, id, nil); err != nil {
			t.Errorf("box %s cannot be removed: %v", id, err)
		}
		cancel()
	}
}

func lxcData(work string) string { return filepath.Join(work, "data", "provider", "lxc") }

func boxIDs(data string) []string {
	entries, _ := os.ReadDir(filepath.Join(data, "boxes"))
	var ids []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			ids = append(ids, e.Name())
		}
	}
	return ids
}

// residue fails if something of a box is left on the host: residue FILE, which
// holds the box's id.
func residue(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: residue FILE")
	}
	id := strings.TrimSpace(ts.ReadFile(args[0]))
	if !strings.HasPrefix(id, "script-") {
		ts.Fatalf("%s holds no box's id but %q", args[0], id)
	}
	left, err := lxc.Leftovers(lxcData(ts.Getenv("WORK")), id)
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("left on the host:\n%s", strings.Join(left, "\n"))
	}
}

// TestExamples validates every example as it is.
func TestExamples(t *testing.T) {
	examples, err := filepath.Glob("../../examples/*/Envfile")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, e := range examples {
		cmd := exec.Command("berth", "-C", filepath.Dir(e), "validate")
		cmd.Env = append(os.Environ(), "BERTH_HOME="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", e, err, out)
		}
	}
}

// imageCache is where the tests keep images between runs, since building one
// takes longer than all else. A run that was killed cannot harm it: images are
// whole or not there.
var imageCache = sync.OnceValues(func() (string, error) {
	dir := os.Getenv("BERTH_TEST_CACHE")
	if dir == "" {
		dir = "/var/tmp/berth-test-cache"
	}
	work, err := os.MkdirTemp("", "berth-image-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	envfile := "box \"image\" {\n  image = \"debian:bookworm\"\n}\n"
	if err := os.WriteFile(filepath.Join(work, "Envfile"), []byte(envfile), 0o600); err != nil {
		return "", err
	}
	for _, args := range [][]string{{"up"}, {"destroy", "-f"}} {
		cmd := exec.Command("berth", args...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "BERTH_HOME="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("berth %s: %w\n%s", args[0], err, out)
		}
	}
	return filepath.Join(dir, "provider", "lxc"), nil
})

// useImages lets a script's own data home use the images of the cache.
func useImages(t *testing.T, env *testscript.Env) error {
	cache, err := imageCache()
	if err != nil {
		return err
	}
	data := lxcData(env.WorkDir)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	return linkImages(cache, data)
}

// linkImages lets the LXC provider with its data in one folder use the images of
// another.
func linkImages(cache, data string) error {
	for _, name := range []string{"images", "layers"} {
		if err := os.Symlink(filepath.Join(cache, name), filepath.Join(data, name)); err != nil {
			return err
		}
	}
	return nil
}
