package lxc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// inside is the plugin's end of the socket to the process outside.
type inside struct {
	conn net.Conn

	mu      sync.Mutex
	out     *json.Encoder
	last    uint64
	waiting map[uint64]chan answer // nil once the other end has closed
}

// outsideProcess connects to the process outside, once in this process.
var outsideProcess = sync.OnceValues(func() (*inside, error) {
	unix.CloseOnExec(outsideFD)
	f := os.NewFile(outsideFD, "outside")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("reach the plugin's process outside of its user namespace: %w", err)
	}
	i := &inside{conn: conn, out: json.NewEncoder(conn), waiting: map[uint64]chan answer{}}
	go i.listen()
	return i, nil
})

func (i *inside) listen() {
	in := json.NewDecoder(i.conn)
	for {
		var a answer
		err := in.Decode(&a)
		i.mu.Lock()
		if err != nil {
			for _, c := range i.waiting {
				close(c)
			}
			i.waiting = nil
			i.mu.Unlock()
			return
		}
		if c := i.waiting[a.ID]; c != nil {
			c <- a
			delete(i.waiting, a.ID)
		}
		i.mu.Unlock()
	}
}

var errOutsideGone = errors.New("the plugin's process outside of its user namespace has ended")

// ask has the process outside do something. When ctx ends, so does that.
func (i *inside) ask(ctx context.Context, do string, with any) error {
	raw, err := json.Marshal(with)
	if err != nil {
		return err
	}
	c := make(chan answer, 1)
	i.mu.Lock()
	if i.waiting == nil {
		i.mu.Unlock()
		return errOutsideGone
	}
	i.last++
	id := i.last
	i.waiting[id] = c
	err = i.out.Encode(request{ID: id, Do: do, With: raw})
	i.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%w: %w", errOutsideGone, err)
	}
	stop := context.AfterFunc(ctx, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		_ = i.out.Encode(request{ID: id, Cancel: true})
	})
	defer stop()
	// Not before it has ended: what it began must be known to be over.
	a, ok := <-c
	if !ok {
		return errOutsideGone
	}
	if ctx.Err() != nil && a.Error != "" {
		return ctx.Err()
	}
	return a.err()
}
