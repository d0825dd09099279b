package lxc

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOnOwnThread(t *testing.T) {
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			_ = onOwnThread(func() error {
				if unix.Gettid() == unix.Getpid() {
					t.Error("it is the process's first thread")
				}
				return nil
			})
		})
	}
	wg.Wait()
}
