package hostcheck

import (
	"context"
	"fmt"
	"strconv"
)

var (
	diskChecks = []Check{
		{Code: "BRT-DSK-01", Chain: "disk", Name: "space", Try: space},
		{Code: "BRT-DSK-02", Chain: "disk", Name: "inodes", Try: inodes},
		{Code: "BRT-DSK-03", Chain: "disk", Name: "filesystem", Try: mappable},
	}
	inotifyChecks = []Check{
		{Code: "BRT-INO-01", Chain: "inotify", Name: "instances", Try: inotify},
	}
)

const (
	mib = 1 << 20
	// An image needs about 400 MiB, and as much while it is built.
	leastSpace = 800 * mib
	fewSpace   = 4096 * mib
	// An image has about 15,000 files.
	leastInodes = 30_000
)

// moveHome says how to put the data elsewhere.
const moveHome = "Free some, or move the data with BERTH_HOME=/path/on/another/filesystem."

func space(_ context.Context, e Env) Result {
	s, err := e.Space(e.DataDir)
	if err != nil {
		return broken(err.Error(), "the filesystem of the data cannot be looked at", moveHome)
	}
	read := fmt.Sprintf("%d MiB free at %s", s.Free/mib, e.DataDir)
	switch {
	case s.Free < leastSpace:
		return broken(read, fmt.Sprintf("%d MiB are free at %s, and an image needs %d", s.Free/mib, e.DataDir, leastSpace/mib), moveHome)
	case s.Free < fewSpace:
		return weak(read, "that is enough for an image and little more", moveHome)
	}
	return good(read)
}

func inodes(_ context.Context, e Env) Result {
	s, err := e.Space(e.DataDir)
	switch {
	case err != nil:
		return untried(err.Error())
	case s.Inodes == 0:
		return good("as many as there is space for")
	case s.FreeInodes < leastInodes:
		return broken(fmt.Sprintf("%d free", s.FreeInodes),
			fmt.Sprintf("%d inodes are free at %s, and an image needs about %d", s.FreeInodes, e.DataDir, leastInodes), moveHome)
	}
	return good(fmt.Sprintf("%d free", s.FreeInodes))
}

// mappable finds out whether the filesystem can hold boxes: with root by mapping
// the ids of a mount, without by its type.
func mappable(ctx context.Context, e Env) Result {
	s, err := e.Space(e.DataDir)
	if err != nil {
		return untried(err.Error())
	}
	const elsewhere = "Put the data on ext4, xfs or btrfs with BERTH_HOME=/path/on/such/a/filesystem."
	if e.Rootless() {
		if s.Type == "nfs" || s.Type == "fuse" || s.Type == "overlay" {
			return broken(s.Type, "the data is on a filesystem ("+s.Type+") that overlayfs cannot write to", elsewhere)
		}
		return good(s.Type)
	}
	if err := e.MapIDs(ctx, e.DataDir); err != nil {
		return broken(s.Type+": "+err.Error(), "the data is on a filesystem ("+s.Type+") whose ids cannot be mapped", elsewhere)
	}
	return good(s.Type + ", ids can be mapped")
}

const (
	// perBox is about what systemd and its services use in a box.
	perBox = 10
	enough = 512
)

// inotify looks at a budget that all boxes of a user share: the kernel charges
// what is made in a user namespace to who made the namespace as well.
func inotify(_ context.Context, e Env) Result {
	const name = "fs.inotify.max_user_instances"
	n, err := strconv.Atoi(e.text("/proc/sys/fs/inotify/max_user_instances"))
	if err != nil {
		return untried(name + " cannot be read")
	}
	read := fmt.Sprintf("%s is %d", name, n)
	if n < enough {
		return weak(read, fmt.Sprintf("that is enough for about %d boxes, which share it with all else of this user; in one too many systemd does not start",
			n/perBox), e.heal("sysctl -w "+name+"=1024   (and the same in a file in /etc/sysctl.d, to keep it)"))
	}
	return good(read)
}
