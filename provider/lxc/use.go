package lxc

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

func (s store) useFile() string { return filepath.Join(s.root, "use.lock") }

// use makes sure that no image and no cache is removed until done is called. It
// comes before one is looked up or made, and done when a record names it.
func (s store) use(ctx context.Context, report provider.Report) (done func(), err error) {
	return lockWaitingAs(ctx, s.useFile(), unix.LOCK_SH, func() { report.Step("wait for berth gc") })
}

// useAlone makes sure that nobody makes or looks up an image or a cache.
func (s store) useAlone(ctx context.Context, report provider.Report) (done func(), err error) {
	return lockWaiting(ctx, s.useFile(), func() { report.Step("wait for another berth that makes a box or an image") })
}

// touch notes that what a record describes has been used just now: its file's
// time of modification says so. For one that cannot be touched, an older time
// will do.
func touch(path string) {
	now := time.Now()
	_ = os.Chtimes(path, now, now)
}

// usedAt returns when what a record describes was last used.
func usedAt(path string) time.Time {
	st, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

// noteUse notes that what a box was made of has been used up to now.
func (s store) noteUse(layers []string) {
	images, _ := s.listImages() // what is not found is not touched
	for _, img := range images {
		if slices.Contains(layers, img.Layer) {
			touch(img.path)
		}
	}
	checkpoints, _ := s.listCheckpoints()
	for _, c := range checkpoints {
		if slices.Contains(layers, c.Layers[0]) {
			touch(s.checkpointFile(c.Key))
		}
	}
}
