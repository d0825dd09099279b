package lxc

import (
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// What f does to its thread never comes to the main one, however threads are
// given out.
func TestOnOwnThread(t *testing.T) {
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			err := onOwnThread(func() error {
				if unix.Gettid() == os.Getpid() {
					t.Error("f runs on the main thread")
				}
				runtime.Gosched()
				return os.ErrClosed
			})
			if err != os.ErrClosed {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
}
