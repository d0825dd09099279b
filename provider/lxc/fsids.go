package lxc

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// asHostID calls f with the calling thread's files made and used as those of the
// host's id, and with the capabilities of root.
func asHostID(id uint32, f func() error) error {
	var caps [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &caps[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	if err := setFSIDs(int(id)); err != nil {
		return err
	}
	defer setFSIDs(0)
	// Leaving fsuid 0 drops the filesystem capabilities from the effective set
	// (capabilities(7)); they are still permitted.
	if err := unix.Capset(&header, &caps[0]); err != nil {
		return fmt.Errorf("raise capabilities: %w", err)
	}
	return f()
}

// setFSIDs sets the calling thread's ids for file access (setfsuid(2)).
func setFSIDs(id int) error {
	if err := unix.Setfsgid(id); err != nil {
		return fmt.Errorf("set fsgid %d: %w", id, err)
	}
	if err := unix.Setfsuid(id); err != nil {
		return fmt.Errorf("set fsuid %d: %w", id, err)
	}
	return nil
}
