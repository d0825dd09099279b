package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/mountinfo"
)

// DiskOf returns the "major:minor" of the whole disk that holds path: I/O
// limits are kept by disks, not partitions (cgroup-v2.rst, "io.max").
func DiskOf(path string) (string, error) {
	m, err := mountinfo.Of(path)
	if err != nil {
		return "", err
	}
	dev := m.Device
	if strings.HasPrefix(dev, "0:") && strings.HasPrefix(m.Source, "/dev/") {
		// btrfs shows a number of its own, and the device as the source.
		var st unix.Stat_t
		if err := unix.Stat(m.Source, &st); err != nil {
			return "", fmt.Errorf("look at %s: %w", m.Source, err)
		}
		dev = fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	sys, err := filepath.EvalSymlinks("/sys/dev/block/" + dev)
	if err != nil {
		return "", fmt.Errorf("%s is on %s (%s), which is not a disk whose I/O can be limited", path, m.Source, m.FSType)
	}
	if _, err := os.Stat(filepath.Join(sys, "partition")); err == nil {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(sys), "dev"))
		if err != nil {
			return "", fmt.Errorf("find the disk of partition %s: %w", dev, err)
		}
		dev = strings.TrimSpace(string(b))
	}
	return dev, nil
}
