package main

import (
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
	b    *bench
	addr string
}

func (b *bench) newBareBox(id, addr string) (*bareBox, error) {
	box := filepath.Join(b.lxcPath(), id)
	layers, err := filepath.Glob(filepath.Join(b.home, "provider/lxc/layers/[0-9a-f]*"))
	if err != nil || len(layers) == 0 {
		return nil, fmt.Errorf("find the image's layer: %v", err)
	}
	config, err := os.ReadFile(filepath.Join(box, "config"))
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "bare")
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
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s/disk/upper,workdir=%[2]s/disk/work", layers[0], box)
	if err := unix.Mount("overlay", filepath.Join(dir, "rootfs"), "overlay", 0, data); err != nil {
		return nil, fmt.Errorf("mount the bare container's disk: %w", err)
	}
	return &bareBox{b, addr}, nil
}

func (x *bareBox) start() error {
	// Without pipes: the daemon would keep them open.
	if err := exec.CommandContext(x.b.ctx, "lxc-start", "-n", "bare", "-P", x.b.dir, "-d").Run(); err != nil {
		return fmt.Errorf("lxc-start: %w", err)
	}
	return waitForSSHD(x.b.ctx, x.addr)
}

func (x *bareBox) kill() error {
	_, err := x.b.exec("lxc-stop", "-n", "bare", "-P", x.b.dir, "-k")
	return err
}

func (x *bareBox) stop() error {
	_, err := x.b.exec("lxc-stop", "-n", "bare", "-P", x.b.dir)
	return err
}

func (x *bareBox) remove() error {
	return unix.Unmount(filepath.Join(x.b.dir, "bare", "rootfs"), unix.MNT_DETACH)
}
