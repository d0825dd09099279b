package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// loopBlock is the size of a loop device's blocks, and of those of the
// filesystem on it.
const loopBlock = 4096

// attachLoop returns the loop device whose content is the file at path, opened:
// the one that there is, or a new one. There is never a second one for a file,
// since two mounted filesystems in one file destroy each other. The kernel takes
// the device away when it is neither open nor mounted any more, however whoever
// used it ended (LO_FLAGS_AUTOCLEAR, loop(4)).
func attachLoop(path string) (*os.File, error) {
	unlock, err := lockDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	image, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer image.Close()
	if device, err := loopOf(image); device != nil || err != nil {
		return device, err
	}
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for range 100 {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		// Direct: else all is in memory twice, and what the box writes is not its own
		// writing to the kernel, which limits that.
		config := unix.LoopConfig{Fd: uint32(image.Fd()), Size: loopBlock,
			Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_DIRECT_IO}}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &config)
		if err == nil {
			return device, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) { // else somebody else was faster
			return nil, fmt.Errorf("make %s of %s: %w", device.Name(), path, err)
		}
	}
	return nil, fmt.Errorf("find a free loop device for %s: others take them all the time", path)
}

// loopOf returns the loop device of a file, opened; nil when there is none.
func loopOf(image *os.File) (*os.File, error) {
	var want unix.Stat_t
	if err := unix.Fstat(int(image.Fd()), &want); err != nil {
		return nil, err
	}
	all, err := loops("/" + filepath.Base(image.Name()))
	if err != nil {
		return nil, err
	}
	for name, file := range all {
		device, err := os.OpenFile("/dev/"+name, os.O_RDWR, 0)
		if err != nil && isFile(file, want) {
			return nil, fmt.Errorf("the file has a loop device, which cannot be opened: %w", err)
		}
		if err != nil {
			continue // of another file
		}
		// What is being taken away is none any more, and all written by then: ENXIO.
		info, err := unix.IoctlLoopGetStatus64(int(device.Fd()))
		if err == nil && info.Device == want.Dev && info.Inode == want.Ino {
			return device, nil
		}
		device.Close()
	}
	return nil, nil
}

// isFile reports whether there is that file by that name.
func isFile(name string, want unix.Stat_t) bool {
	var st unix.Stat_t
	return unix.Stat(name, &st) == nil && st.Dev == want.Dev && st.Ino == want.Ino
}

// loops returns the files of the loop devices that are in use, by the devices'
// names, of files whose path has part in it.
func loops(part string) (map[string]string, error) {
	if _, err := os.Stat("/sys/block"); err != nil { // Glob takes that for none
		return nil, fmt.Errorf("look for loop devices: %w", err)
	}
	found, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, file := range found {
		b, err := os.ReadFile(file)
		if path := strings.TrimSpace(string(b)); err == nil && strings.Contains(path, part) {
			all[strings.Split(file, "/")[3]] = path
		}
	}
	return all, nil
}

// awaitLoops waits until no loop device has a file of the box: the kernel takes it
// away a moment after the last process that had it mounted has ended.
func awaitLoops(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for {
		all, err := loops("/" + id + "/")
		if err != nil || len(all) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			for name, file := range all {
				err = errors.Join(err, fmt.Errorf("/dev/%s is still in use, as %s: unmount it", name, file))
			}
			return err
		case <-time.After(2 * time.Millisecond):
		}
	}
}
