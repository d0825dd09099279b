package lxc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

// A checkpoint that no box could be started from is none.
func TestMostMounted(t *testing.T) {
	s := store{root: t.TempDir()}
	var lower []string
	c := checkpoint{Key: "many"}
	for i := range mostMounted + 1 {
		name := keptLayer + strconv.Itoa(i)
		if err := os.MkdirAll(s.layer(name), 0o755); err != nil {
			t.Fatal(err)
		}
		c.Layers = append(c.Layers, name)
		lower = append(lower, filepath.Join(stage, "layer"+strconv.Itoa(i)))
	}
	if err := s.saveCheckpoint(c); err != nil {
		t.Fatal(err)
	}
	if _, err := s.loadCheckpoint(t.Context(), "many"); !errors.Is(err, provider.ErrNoCheckpoint) || !strings.Contains(err.Error(), "layers") {
		t.Error(err)
	}
	if n := len(strings.Join(lower, ":")) + 200; n > os.Getpagesize() {
		t.Errorf("%d layers take %d bytes of mount options", mostMounted, n)
	}
}

// What an older Berth has noted of a box's last checkpoint holds, and what this
// one notes as well, where the layers are joined.
func TestKeptGoesOn(t *testing.T) {
	for i, row := range []struct {
		k    kept
		want bool
	}{
		{kept{Layers: []string{"k", "b", "a"}}, true},
		{kept{Layers: []string{"b", "a"}}, false},
		{kept{Layers: []string{"k", "x", "a"}}, false},
		{kept{Base: []string{"b", "a"}, Layers: []string{"flat", "a"}}, true},
		{kept{Base: []string{"x", "a"}, Layers: []string{"k", "b", "a"}}, false},
	} {
		if got := row.k.goesOn([]string{"b", "a"}); got != row.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}

// Folders in folders without end are refused in a checkpoint, and hinder nothing
// else: not df, not gc, not another box, nor the box's own end.
func TestRealDeepFolders(t *testing.T) {
	p, spec := realProvider(t)
	c := churner{t, p, spec}
	c.begin("")
	c.must(`python3 -c 'import os
os.chdir("/srv")
for i in range(3000): os.mkdir("d"); os.chdir("d")'`)
	withFiles(t, 1500, func() {
		err := p.Checkpoint(t.Context(), spec.ID, "deep", nil)
		if !errors.Is(err, layer.ErrDeep) || !strings.Contains(fmt.Sprint(err), "move it up") {
			t.Errorf("keep it: %.300v", err)
		}
		if _, err := p.Space(t.Context()); err != nil {
			t.Errorf("df: %.300v", err)
		}
	})
	c.must("true") // it goes on
	c.stop()
	withFiles(t, 1500, func() {
		if err := p.Destroy(t.Context(), spec.ID, nil); err != nil {
			t.Errorf("destroy: %.300v", err)
		}
		if err := p.Collect(t.Context(), provider.Collection{KeepImages: true}, nil, nil); err != nil {
			t.Errorf("gc: %.300v", err)
		}
	})
	if left, err := Leftovers(p.store.root, spec.ID); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if left, _ := os.ReadDir(p.store.keptLayers()); len(left) > 0 {
		t.Errorf("layers left: %v", left)
	}
}
