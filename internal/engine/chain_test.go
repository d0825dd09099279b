package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-dev/berth/config"
)

// identified is a provisioner plugin of a certain build.
type identified struct {
	ProvisionerPlugin // what is not faked panics
	build             string
}

func (i identified) Identity() (string, error) { return i.build, nil }

// chained returns a box with steps, and the keys of its chain.
func chained(t *testing.T, change func(e *Engine, tg *target)) []string {
	t.Helper()
	e := &Engine{Build: "1", Envfile: &config.Envfile{Root: t.TempDir()}}
	tg := &target{box: &config.Box{
		Image: "x", Hostname: "dev", Env: map[string]string{"A": "b"}, SSH: config.SSH{User: "dev"},
		Folders: []config.Folder{{Target: "/work"}},
	}, args: []byte("{}")}
	for _, hash := range []string{"one", "two", "three"} {
		tg.steps = append(tg.steps, &step{block: &config.Provisioner{Run: "once"}, plugin: identified{}, args: []byte("{}"), hash: hash})
	}
	change(e, tg)
	links, err := e.chain(t.Context(), tg)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, l := range links {
		keys = append(keys, l.key)
	}
	return keys
}

// Each key changes with all that the disk comes from, and with nothing after it.
func TestChain(t *testing.T) {
	no, yes := false, true
	before := chained(t, func(*Engine, *target) {})
	if len(before) != 3 || before[0] == before[1] {
		t.Fatalf("keys %q", before)
	}
	for what, c := range map[string]struct {
		change func(*Engine, *target)
		same   int // keys that stay
		length int
	}{
		"nothing":                  {func(*Engine, *target) {}, 3, 3},
		"the box's name":           {func(_ *Engine, t *target) { t.box.Name = "other" }, 3, 3},
		"the image":                {func(_ *Engine, t *target) { t.box.Image = "y" }, 0, 3},
		"the host name":            {func(_ *Engine, t *target) { t.box.Hostname = "other" }, 0, 3},
		"the environment":          {func(_ *Engine, t *target) { t.box.Env = nil }, 0, 3},
		"the provider's arguments": {func(_ *Engine, t *target) { t.args = []byte(`{"nesting":true}`) }, 0, 3},
		"berth":                    {func(e *Engine, _ *target) { e.Build = "2" }, 0, 3},
		"the second step":          {func(_ *Engine, t *target) { t.steps[1].hash = "changed" }, 1, 3},
		"the third step's plugin":  {func(_ *Engine, t *target) { t.steps[2].plugin = identified{build: "new"} }, 2, 3},
		"one that never runs":      {func(_ *Engine, t *target) { t.steps[1].block.Run = "never" }, 1, 2},
		"one that always runs":     {func(_ *Engine, t *target) { t.steps[1].block.Run = "always" }, 1, 3},
		"cache = false":            {func(_ *Engine, t *target) { t.steps[1].block.Cache = &no }, 1, 1},
		"arguments not known":      {func(_ *Engine, t *target) { t.steps[2].args = nil }, 2, 2},
		"a folder of the host":     {func(_ *Engine, t *target) { t.steps[1].args = []byte(`{"inline":["ls /work"]}`) }, 1, 1},
		"that, with cache = true": {func(_ *Engine, t *target) {
			t.steps[1].args, t.steps[1].block.Cache = []byte(`{"inline":["ls /work"]}`), &yes
		}, 3, 3},
		"a folder, by a variable of the box": {func(_ *Engine, t *target) {
			t.box.Folders[0].Target, t.box.Env["A"] = "/b", "/b/c"
			t.steps[1].args = []byte(`{"inline":["cd $A"]}`)
		}, 0, 1},
		"a folder in the login user's home": {func(_ *Engine, t *target) {
			t.box.Folders[0].Target, t.steps[1].args = "/home/dev/src", []byte(`{"inline":["cd src"]}`)
		}, 1, 1},
		"a copied folder": {func(_ *Engine, t *target) { t.box.Folders[0].Type = "rsync" }, 0, 3},
		"a step that uses it": {func(_ *Engine, t *target) {
			t.box.Folders[0].Type, t.steps[1].args = "rsync", []byte(`{"inline":["ls /work"]}`)
		}, 0, 1},
		"a script with a folder of the host": {func(e *Engine, tg *target) {
			if err := os.WriteFile(filepath.Join(e.Envfile.Root, "s.sh"), []byte("cd /work && make"), 0o600); err != nil {
				t.Fatal(err)
			}
			tg.steps[0].inputs = []string{"s.sh"}
		}, 0, 0},
	} {
		after := chained(t, c.change)
		same := 0
		for same < min(len(after), 3) && after[same] == before[same] {
			same++
		}
		if same != c.same || len(after) != c.length {
			t.Errorf("%s: %d keys, the first %d as before; want %d and %d", what, len(after), same, c.length, c.same)
		}
	}
}
