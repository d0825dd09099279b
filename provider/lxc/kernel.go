package lxc

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// kernelVersion returns the running kernel's version; zeros when it cannot be read.
func kernelVersion() (major, minor int, release string) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return 0, 0, "unknown"
	}
	release = unix.ByteSliceToString(u.Release[:])
	fmt.Sscanf(release, "%d.%d", &major, &minor)
	return major, minor, release
}
