package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// killAt runs berth and kills it after a part of the time that it takes.
func (p *project) killAt(part float64, whole time.Duration, args ...string) {
	p.t.Helper()
	cmd, _ := p.start(args...)
	time.Sleep(time.Duration(part * float64(whole)))
	_ = cmd.Process.Kill() // it may have ended just now
	_ = cmd.Wait()
}

// A berth killed at any moment of a save, a restore or a fork leaves a snapshot
// that is whole or none, a box that has one disk or the other, and nothing that
// destroy does not remove.
func TestKillDuringSnapshots(t *testing.T) {
	p := newProject(t, "project { name = \"killed\" }\nbox \"a\" {\n  image = \"debian:bookworm\"\n}\n")
	p.must("up")
	put := func(what string) {
		p.must("ssh", "-c", "for i in $(seq 200); do echo "+what+"; done | sudo tee /srv/state >/dev/null")
	}
	state := func() string {
		p.waitIn("true") // up does not wait for a box that it finds running
		return strings.Join(strings.Fields(p.must("ssh", "-c", "sort /srv/state | uniq -c")), " ")
	}
	put("old")
	begin := time.Now()
	p.must("snapshot", "save", "old")
	save := time.Since(begin)
	const moments = 8
	for i := range moments {
		put("new")
		p.killAt(float64(i+1)/moments, save, "snapshot", "save", "s")
		if strings.Contains(p.must("snapshot", "list"), "  s  ") {
			p.must("snapshot", "restore", "s", "--no-safety")
			if got := state(); got != "200 new" {
				t.Errorf("save killed at moment %d: the snapshot has %q", i, got)
			}
			p.must("snapshot", "delete", "s")
		} else {
			p.must("snapshot", "save", "s") // the name is free
			p.must("snapshot", "delete", "s")
		}
	}
	begin = time.Now()
	p.must("snapshot", "restore", "old", "--no-safety")
	restore := time.Since(begin)
	for i := range moments {
		put("new")
		p.killAt(float64(i+1)/moments, restore, "snapshot", "restore", "old", "--no-safety")
		p.must("up")
		if got := state(); got != "200 old" && got != "200 new" {
			t.Errorf("restore killed at moment %d: the box has %q", i, got)
		}
	}
	p.killForks()
	ids := boxIDs(p.data)
	p.must("destroy", "-f")
	p.noResidue(ids)
	if left, _ := filepath.Glob(filepath.Join(p.data, "checkpoints", "*.json")); len(left) > 0 {
		t.Errorf("checkpoints are left: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(p.data, "checkpoints", "layers", "kept-*")); len(left) > 0 {
		t.Errorf("layers are left: %v", left)
	}
}

func (p *project) killForks() {
	p.t.Helper()
	begin := time.Now()
	p.must("fork", "a", "b")
	whole := time.Since(begin)
	p.must("destroy", "-f", "b")
	const moments = 8
	for i := range moments {
		p.killAt(float64(i+1)/moments, whole, "fork", "a", "b")
		p.must("status")
		if _, err := p.run("destroy", "-f", "b"); err != nil { // it had not begun
			p.must("status")
		}
		p.must("ssh", "a", "-c", "true")
	}
}
