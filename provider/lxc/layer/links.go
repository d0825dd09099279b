package layer

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// linkKey is a file with several names.
type linkKey struct {
	ino   uint64
	ctime int64
}

func linkKeyOf(st *unix.Stat_t) linkKey { return linkKey{st.Ino, unix.TimespecToNsec(st.Ctim)} }

// hardLinks are the files with several names that a look has come by.
type hardLinks struct {
	names  map[linkKey][]string
	copied map[linkKey]string // a name that is in the layer
}

func newHardLinks() hardLinks {
	return hardLinks{names: map[linkKey][]string{}, copied: map[linkKey]string{}}
}

// seen notes a name of a file.
func (h hardLinks) seen(st *unix.Stat_t, path string) {
	if st.Nlink > 1 {
		key := linkKeyOf(st)
		h.names[key] = append(h.names[key], path)
	}
}

// linkTo makes the name in o one more of a file that this look has copied. It
// reports false if there is none.
func (l *look) linkTo(o *outDir, name string, st *unix.Stat_t) (bool, error) {
	to, ok := l.links.copied[linkKeyOf(st)]
	if !ok {
		return false, nil
	}
	err := unix.Linkat(o.top().fd, to, o.fd, name, 0)
	if errors.Is(err, unix.ENOENT) { // that name is gone by now
		return false, nil
	}
	return err == nil, err
}

// joinNames makes the names of a file those of one file in the layer as well. A
// folder that moves takes names along without a trace in the files: then one name
// is in the layer, and another, which has not changed, is in one beneath.
func (l *look) joinNames(upper int, out *outDir) error {
	for _, names := range l.links.names {
		source, ino := "", uint64(0)
		for _, name := range names {
			if got, err := inodeIn(out.fd, name); err != nil {
				return fmt.Errorf("look for /%s in the layer: %w", name, err)
			} else if got != 0 {
				source, ino = name, got
				break
			}
		}
		if source == "" {
			continue
		}
		for _, name := range names {
			got, err := inodeIn(out.fd, name)
			if err == nil && got != ino {
				err = l.joinName(upper, out, source, name)
			}
			if err != nil {
				return fmt.Errorf("keep /%s as a name of /%s: %w", name, source, err)
			}
		}
	}
	return nil
}

// inodeIn returns the number of a file beneath a folder, 0 if there is none.
func inodeIn(dir int, path string) (uint64, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(dir, path, &how)
	if errors.Is(err, unix.ENOENT) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Ino, err
}

// joinName links source in the layer to the path rest beneath o. u is that
// folder in the box.
func (l *look) joinName(u int, o *outDir, source, rest string) error {
	var st unix.Stat_t
	if err := unix.Fstat(u, &st); err != nil {
		return err
	}
	name, beneath, deeper := strings.Cut(rest, "/")
	if !deeper {
		if err := o.remove(name); err != nil {
			return err
		}
		if err := unix.Linkat(o.top().fd, source, o.fd, name, 0); err != nil {
			return err
		}
		return l.attributes(u, o, &st)
	}
	fd, err := unix.Openat(u, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	sub := o.in(name, false) // as one that is in the layer says by itself what it hides
	defer sub.close()
	if err := sub.find(); err != nil {
		return err
	}
	if err := sub.make(); err != nil {
		return err
	}
	if err := l.joinName(fd, sub, source, beneath); err != nil {
		return err
	}
	return l.attributes(u, o, &st)
}
