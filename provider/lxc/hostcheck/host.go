package hostcheck

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Host is what checks look at.
type Host interface {
	ReadFile(name string) ([]byte, error)
	Stat(name string) (fs.FileInfo, error)
	Writable(name string) bool
	// LookPath finds a program as administrators do: also in the folders sbin.
	LookPath(program string) (string, error)
	// Run runs a program and returns what it writes on both of its outputs.
	Run(ctx context.Context, argv ...string) (string, error)
	Space(dir string) (Space, error)

	// MapIDs tries whether mounts of a folder can have their ids mapped.
	MapIDs(ctx context.Context, dir string) error
	// Unprepared says what a plain user would have to be given by root, and has
	// not been; it is asked for in every `up`.
	Unprepared(ctx context.Context) []string
	// Barriers returns chains of other programs' firewalls that can drop what
	// boxes send, each with what to do about it for a bridge.
	Barriers(bridge string) ([]Barrier, error)
	// Nameservers returns those of the host that boxes can be given.
	Nameservers() ([]string, error)
	// Ask asks a name server something that every one can answer.
	Ask(ctx context.Context, server string) error
}

// Barrier is a firewall chain that can drop what boxes send.
type Barrier struct{ Name, Fix string }

// Space is what a filesystem has.
type Space struct {
	Type       string // "ext4"
	Free       uint64 // bytes for this user
	FreeInodes uint64
	Inodes     uint64 // 0: the filesystem does not count them
}

// System is the part of a Host that any program can read for itself.
type System struct{}

func (System) ReadFile(name string) ([]byte, error)  { return os.ReadFile(name) }
func (System) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }
func (System) Writable(name string) bool             { return unix.Access(name, unix.W_OK) == nil }

func (System) LookPath(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if found, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return found, nil
		}
	}
	return "", err
}

func (s System) Run(ctx context.Context, argv ...string) (string, error) {
	path, err := s.LookPath(argv[0])
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Space looks at the filesystem that holds dir, or will: dir need not exist.
func (System) Space(dir string) (Space, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(dir, &st)
		if err == nil {
			break
		}
		if err != unix.ENOENT || dir == "/" {
			return Space{}, &os.PathError{Op: "look at the filesystem of", Path: dir, Err: err}
		}
		dir = filepath.Dir(dir)
	}
	return Space{Type: typeName(st.Type), Free: st.Bavail * uint64(st.Bsize), FreeInodes: st.Ffree, Inodes: st.Files}, nil
}

// typeName names the types of filesystems that matter here (statfs(2)).
func typeName(magic int64) string {
	switch magic {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlay"
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse"
	case 0x2fc12fc1: // OpenZFS's zfs_vfsops.h
		return "zfs"
	}
	return "of another type"
}
