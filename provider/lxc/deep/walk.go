package deep

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// keptOpen is how many levels of a walk stay open: the uppermost. The way back
	// to one that does not is "..".
	keptOpen = 64
	// maxLevels is deeper than anything that is meant to be; each level takes memory.
	maxLevels = 1 << 20
)

// Walk goes through a tree in the order of names.
type Walk struct {
	// Visit is called with the folder that something is in, and its name. It says
	// whether to go into it.
	Visit func(dir int, name string) (enter bool, err error)
	// Leave is called after all that is in a folder; nil: nothing is.
	Leave func(dir int, name string) error
	// Lenient is for trees that a box may be changing: what cannot be entered, or is
	// moved meanwhile, is left out. Else it is an error.
	Lenient bool

	stack []level
}

// level is a folder that the walk is in.
type level struct {
	fd       int // -1: closed
	dev, ino uint64
	name     string   // in the one above
	names    []string // in it, still to be visited
}

var (
	errMoved = errors.New("a folder in it was moved meanwhile")
	errDeep  = fmt.Errorf("folders in it are more than %d levels deep", maxLevels)
)

// In walks through what is in an open folder.
func (w *Walk) In(top int) error {
	defer w.closeAll()
	again, err := openFolder(top, ".")
	if err != nil {
		return err
	}
	if err := w.push(again, "."); err != nil {
		return err
	}
	for {
		l := &w.stack[len(w.stack)-1]
		if len(l.names) > 0 {
			name := l.names[0]
			l.names = l.names[1:]
			err = w.visit(l, name)
		} else if len(w.stack) == 1 {
			return nil
		} else {
			err = w.leave()
		}
		if err != nil {
			return err
		}
	}
}

func (w *Walk) closeAll() {
	for _, l := range w.stack {
		if l.fd >= 0 {
			unix.Close(l.fd)
		}
	}
	w.stack = nil
}

// push goes into an open folder.
func (w *Walk) push(fd int, name string) error {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	var names []string
	if err == nil {
		names, err = Names(fd)
	}
	if err != nil && !w.Lenient {
		unix.Close(fd)
		return err
	}
	if above := len(w.stack) - 1; above >= keptOpen {
		unix.Close(w.stack[above].fd)
		w.stack[above].fd = -1
	}
	w.stack = append(w.stack, level{fd: fd, dev: st.Dev, ino: st.Ino, name: name, names: names})
	return nil
}

func (w *Walk) visit(l *level, name string) error {
	enter, err := w.Visit(l.fd, name)
	if err != nil || !enter {
		return err
	}
	fd := -1
	if err = errDeep; len(w.stack) < maxLevels {
		fd, err = openFolder(l.fd, name)
	}
	if err == nil {
		return w.push(fd, name)
	}
	if w.Lenient {
		return nil
	}
	return err
}

// leave goes back to the folder above.
func (w *Walk) leave() error {
	done := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	above := &w.stack[len(w.stack)-1]
	defer unix.Close(done.fd)
	if above.fd < 0 {
		fd, err := back(done.fd, above)
		if err != nil && !w.Lenient {
			return err
		}
		if err != nil {
			w.giveUp()
			return nil
		}
		above.fd = fd
	}
	if w.Leave == nil {
		return nil
	}
	return w.Leave(above.fd, done.name)
}

// back opens the folder above the open one, if that is still it.
func back(fd int, above *level) (int, error) {
	up, err := openFolder(fd, "..")
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(up, &st); err == nil && (st.Dev != above.dev || st.Ino != above.ino) {
		err = errMoved
	}
	if err != nil {
		unix.Close(up)
		return -1, err
	}
	return up, nil
}

// giveUp leaves the levels that there is no way back to.
func (w *Walk) giveUp() {
	for w.stack[len(w.stack)-1].fd < 0 {
		w.stack = w.stack[:len(w.stack)-1]
	}
}
