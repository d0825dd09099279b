package lxc

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// onOwnThread calls f on a thread that is thrown away afterwards, so that f may
// change its namespaces and ids. It is never the process's first thread: that
// cannot be thrown away, and it is the one that /proc/self shows.
func onOwnThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			done <- onOwnThread(f) // on another, since this one is taken
			runtime.UnlockOSThread()
			return
		}
		// Never unlocked: the runtime ends the thread with the goroutine.
		done <- f()
	}()
	return <-done
}
