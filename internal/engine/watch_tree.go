package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// treeWatcher watches a folder with all that is in it but for what is excluded.
type treeWatcher struct {
	*fsnotify.Watcher
	root    string
	exclude []string
}

func watchTree(root string, exclude []string) (*treeWatcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", root, explainWatch(err))
	}
	w := &treeWatcher{n, root, append([]string{"/.berth"}, exclude...)}
	if err := w.add(root); err != nil {
		n.Close()
		return nil, fmt.Errorf("watch %s: %w", root, err)
	}
	return w, nil
}

// explainWatch says what to do about the kernel's limits (inotify(7)).
func explainWatch(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return errors.New("there are more folders than can be watched: leave some out with exclude, or raise the limit (sysctl fs.inotify.max_user_watches)")
	case errors.Is(err, syscall.EMFILE):
		return errors.New("too many programs watch files: raise the limit (sysctl fs.inotify.max_user_instances)")
	}
	return err
}

// add watches a folder and those in it. What vanishes meanwhile was no loss.
func (w *treeWatcher) add(top string) error {
	return filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return ignoreGone(err)
		}
		if p != w.root && w.excluded(p, true) {
			return filepath.SkipDir
		}
		return ignoreGone(explainWatch(w.Add(p)))
	})
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}

// wait returns when something has changed and the folder is quiet again, or
// changes have gone on for long.
func (w *treeWatcher) wait(ctx context.Context) error {
	var calm, late <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-calm:
			return nil
		case <-late:
			return nil
		case err, ok := <-w.Errors:
			if !ok {
				return errors.New("watching has ended")
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return explainWatch(err)
			}
			// Some changes were not told, new folders among them.
			if err := w.add(w.root); err != nil {
				return err
			}
		case ev, ok := <-w.Events:
			if !ok {
				return errors.New("watching has ended")
			}
			counts, err := w.note(ev)
			if err != nil {
				return err
			}
			if !counts {
				continue
			}
		}
		calm = time.After(quiet)
		if late == nil {
			late = time.After(putOff)
		}
	}
}

// note tells whether an event is of something that is copied, and watches new
// folders.
func (w *treeWatcher) note(ev fsnotify.Event) (bool, error) {
	if ev.Name == w.root && ev.Op.Has(fsnotify.Remove|fsnotify.Rename) {
		return false, fmt.Errorf("%s is gone", w.root)
	}
	st, err := os.Lstat(ev.Name)
	isDir := err == nil && st.IsDir()
	if w.excluded(ev.Name, isDir) {
		return false, nil
	}
	if isDir && ev.Op.Has(fsnotify.Create) {
		return true, w.add(ev.Name)
	}
	return true, nil
}

// excluded tells what rsync certainly leaves out. It knows the common forms of
// patterns (rsync(1), "PATTERN MATCHING RULES"); for others it says no, which
// costs a copy that changes nothing.
func (w *treeWatcher) excluded(name string, isDir bool) bool {
	rel, err := filepath.Rel(w.root, name)
	if err != nil || rel == "." {
		return false
	}
	for _, pattern := range w.exclude {
		if strings.HasPrefix(pattern, "+ ") || pattern == "!" {
			return false // what comes after may be let in again
		}
	}
	for at := filepath.ToSlash(rel); at != "."; at = path.Dir(at) {
		for _, pattern := range w.exclude {
			if matchesPattern(pattern, at, isDir || at != rel) {
				return true
			}
		}
	}
	return false
}

// matchesPattern reports whether a pattern matches a path from the top.
func matchesPattern(pattern, name string, isDir bool) bool {
	pattern = strings.TrimPrefix(pattern, "- ")
	if p, only := strings.CutSuffix(pattern, "/"); only {
		if !isDir {
			return false
		}
		pattern = p
	}
	if strings.Contains(pattern, "**") {
		return false
	}
	anchored := strings.HasPrefix(pattern, "/")
	pattern = strings.TrimPrefix(pattern, "/")
	parts, depth := strings.Split(name, "/"), strings.Count(pattern, "/")+1
	if len(parts) < depth || anchored && len(parts) != depth {
		return false
	}
	ok, err := path.Match(pattern, strings.Join(parts[len(parts)-depth:], "/"))
	return err == nil && ok
}
