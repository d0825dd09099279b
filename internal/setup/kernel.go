package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// kernel sees to settings of the kernel (sysctl(8)): live, and in a file of its own
// for the next boots. Limits are only ever raised.
type kernel struct{ h *host }

const sysctlFile = "/etc/sysctl.d/60-berth.conf"

// least are the lowest values that will do. Each box's systemd takes about 10
// inotify instances, and all boxes of a user share one budget.
var least = map[string]int64{
	"fs.inotify.max_user_instances": 1024,
	"fs.inotify.max_user_watches":   524288,
	"user.max_user_namespaces":      1024,
	// Debian's kernels of old; others do not have it.
	"kernel.unprivileged_userns_clone": 1,
}

// overlay is the module of overlayfs, which a user's mount does not load.
func (k kernel) overlay() ownFile {
	return ownFile{k.h, "/etc/modules-load.d/berth.conf",
		"# Written by berth setup; berth setup --undo removes it.\noverlay\n", []string{"modprobe", "overlay"}}
}

// needsOverlay reports whether overlayfs is not there, or only as long as the
// module that it is stays loaded.
func (k kernel) needsOverlay() (bool, error) {
	b, err := os.ReadFile(k.h.path("/proc/filesystems"))
	if err != nil || !strings.Contains(string(b), "\toverlay\n") {
		return true, err
	}
	_, err = os.Stat(k.h.path("/sys/module/overlay/initstate"))
	return err == nil, nil
}

func (k kernel) missing() ([]change, error) {
	needs, err := k.needsOverlay()
	if err != nil {
		return nil, err
	}
	var all []change
	if needs {
		if all, err = k.overlay().missing("the kernel's overlayfs is there, now and after a reboot"); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(least)) {
		is, err := k.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // this kernel has no such limit
		}
		if err != nil {
			return nil, err
		}
		if is >= least[name] {
			continue
		}
		text := fmt.Sprintf("raise the sysctl %s from %d to %d, in %s", name, is, least[name], sysctlFile)
		all = append(all, change{text, func(context.Context) error { return k.raise(name, is) }})
	}
	return all, nil
}

func (k kernel) read(name string) (int64, error) {
	b, err := os.ReadFile(k.live(name))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

func (k kernel) live(name string) string {
	return k.h.path("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
}

func (k kernel) raise(name string, before int64) error {
	if k.h.done.Sysctls == nil {
		k.h.done.Sysctls = map[string]string{}
	}
	if k.h.done.Sysctls[name] == "" {
		k.h.done.Sysctls[name] = strconv.FormatInt(before, 10)
	}
	if err := k.h.done.save(); err != nil {
		return err
	}
	if err := k.writeFile(); err != nil {
		return err
	}
	return os.WriteFile(k.live(name), []byte(strconv.FormatInt(least[name], 10)), 0)
}

// writeFile writes all that setup has raised.
func (k kernel) writeFile() error {
	var b strings.Builder
	b.WriteString("# Written by berth setup; berth setup --undo removes it.\n")
	for _, name := range slices.Sorted(maps.Keys(k.h.done.Sysctls)) {
		fmt.Fprintf(&b, "%s = %d\n", name, least[name])
	}
	if err := os.MkdirAll(filepath.Dir(k.h.path(sysctlFile)), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(k.h.path(sysctlFile), []byte(b.String()), 0o644)
}

func (k kernel) undo() ([]change, error) {
	module := k.overlay()
	module.then = nil // the module stays until the reboot: others may use it
	all, err := module.undo()
	if err != nil || len(k.h.done.Sysctls) == 0 || !k.h.done.last(k.h.user.name) {
		return all, err
	}
	for _, name := range slices.Sorted(maps.Keys(k.h.done.Sysctls)) {
		before := k.h.done.Sysctls[name]
		all = append(all, change{fmt.Sprintf("set the sysctl %s back to %s", name, before), func(context.Context) error {
			// Somebody may have raised it further since, which is theirs.
			if is, err := k.read(name); err != nil || is != least[name] {
				return err
			}
			return os.WriteFile(k.live(name), []byte(before), 0)
		}})
	}
	return append(all, change{"remove " + sysctlFile, func(context.Context) error {
		if err := os.Remove(k.h.path(sysctlFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		k.h.done.Sysctls = nil
		return k.h.done.save()
	}}), nil
}
