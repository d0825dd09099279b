package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// bareBox is a plain container: the halted box's own root filesystem, network and settings, in an
// overlay mounted beforehand, with neither user namespace nor berth. It is the
// floor under up and halt.
type bareBox struct {
	b          *bench
	name, addr string
}

func (b *bench) newBareBox(id, addr string) (*bareBox, error) {
	box := filepath.Join(b.lxcPath(), id)
	layers, err := b.layersOf(box)
	if err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(box, "config"))
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, id)
	if err := os.MkdirAll(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		return nil, err
	}
	var kept strings.Builder
	for line := range strings.Lines(string(config)) {
		switch key, _, _ := strings.Cut(line, " ="); key {
		case "lxc.idmap", "lxc.rootfs.path", "lxc.cgroup.dir.container", "lxc.cgroup.dir.monitor":
		default:
			kept.WriteString(line)
		}
	}
	fmt.Fprintf(&kept, "lxc.rootfs.path = dir:%s/rootfs\n", dir)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(kept.String()), 0o600); err != nil {
		return nil, err
	}
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s/disk/upper,workdir=%[2]s/disk/work", strings.Join(layers, ":"), box)
	if err := unix.Mount("overlay", filepath.Join(dir, "rootfs"), "overlay", 0, data); err != nil {
		return nil, fmt.Errorf("mount the bare container's disk: %w", err)
	}
	return &bareBox{b, id, addr}, nil
}

// layersOf returns the folders of a box's layers.
func (b *bench) layersOf(box string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(box, "box.json"))
	if err != nil {
		return nil, err
	}
	var record struct{ Layers []string }
	if err := json.Unmarshal(text, &record); err != nil {
		return nil, err
	}
	for i, digest := range record.Layers {
		record.Layers[i] = filepath.Join(b.home, "provider", "lxc", "layers", digest)
	}
	return record.Layers, nil
}

func (x *bareBox) start() error {
	// Without pipes: the daemon would keep them open.
	if err := exec.CommandContext(x.b.ctx, "lxc-start", "-n", x.name, "-P", x.b.dir, "-d").Run(); err != nil {
		return fmt.Errorf("lxc-start: %w", err)
	}
	return waitForSSHD(x.b.ctx, x.addr)
}

func (x *bareBox) kill() error {
	_, err := x.b.exec("lxc-stop", "-n", x.name, "-P", x.b.dir, "-k")
	return err
}

func (x *bareBox) stop() error {
	_, err := x.b.exec("lxc-stop", "-n", x.name, "-P", x.b.dir)
	return err
}

func (x *bareBox) remove() error {
	return unix.Unmount(filepath.Join(x.b.dir, x.name, "rootfs"), unix.MNT_DETACH)
}
