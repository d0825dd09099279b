package lxc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/archive"
	"github.com/berth-dev/berth/provider/lxc/deep"
)

// importName begins the names of trees that are being imported.
const importName = ".new-import-"

// ImportImage makes an image of an archive. The files are made in a folder that
// nobody is led to, and only when all of the archive is known to be as it was
// written do they get the name of an image's layer, and then the image its
// record.
func (p *lxcProvider) ImportImage(ctx context.Context, i provider.Import, report provider.Report) error {
	err := p.importImage(ctx, i, report)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		err = fmt.Errorf("%w\nThe disk is full: free some space (berth gc, berth df), or move the data folder with $BERTH_HOME", err)
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", i.File, err)
	}
	return nil
}

func (p *lxcProvider) importImage(ctx context.Context, i provider.Import, report provider.Report) error {
	record, err := p.store.localFile(i.Name)
	if err != nil || !isLocal(i.Name) {
		return fmt.Errorf("%q is no name of an imported image: %s", i.Name, localRule)
	}
	done, err := p.store.use(ctx, report)
	if err != nil {
		return err
	}
	defer done()
	// One at a time: what is half made then is nobody's.
	unlock, err := lockWaiting(ctx, filepath.Join(p.store.images(), "import.lock"), func() { report.Step("wait for another import") })
	if err != nil {
		return err
	}
	defer unlock()
	tmp, err := p.store.importDir()
	if err != nil {
		return err
	}
	defer deep.Remove(tmp) // nothing is there any more after the rename
	img, err := p.unpack(ctx, i, tmp, report)
	if err != nil {
		return err
	}
	if old, err := p.store.loadImage(record); err == nil && old.Layer != img.Layer && !i.Replace {
		return fmt.Errorf("there is an image %s already, and it is another one: choose another name, or replace it with --replace", i.Name)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) && !i.Replace {
		return err
	}
	if final := p.store.layer(img.Layer); !exists(final) {
		if err := syncTree(tmp); err != nil {
			return err
		}
		if err := os.Rename(tmp, final); err != nil {
			return err
		}
	}
	return writeJSON(record, img)
}

// importDir returns an empty folder, after removing what imports that were killed
// have left.
func (s store) importDir() (string, error) {
	if err := os.MkdirAll(s.layers(), 0o700); err != nil {
		return "", err
	}
	dead, err := filepath.Glob(filepath.Join(s.layers(), importName+"*"))
	for _, dir := range dead {
		err = errors.Join(err, deep.Remove(dir))
	}
	if err != nil {
		return "", fmt.Errorf("remove what an import that was interrupted has left: %w", err)
	}
	return os.MkdirTemp(s.layers(), importName+"*")
}

// unpack makes the files in dir, and returns what image they are.
func (p *lxcProvider) unpack(ctx context.Context, i provider.Import, dir string, report provider.Report) (image, error) {
	from, err := os.OpenFile(i.File, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO would keep the opener waiting
	if err != nil {
		return image{}, err
	}
	defer from.Close()
	st, err := from.Stat()
	if err != nil {
		return image{}, err
	}
	if !st.Mode().IsRegular() {
		return image{}, errors.New("it is not a file")
	}
	root, err := os.Open(dir)
	if err != nil {
		return image{}, err
	}
	defer root.Close()
	report.Step("unpack and verify " + filepath.Base(i.File))
	got, err := archive.Extract(ctx, &progress{r: from, size: st.Size(), report: report}, root, archive.Limits(i.Limits))
	if err != nil {
		return image{}, err
	}
	if got.Meta.Arch != runtime.GOARCH {
		return image{}, fmt.Errorf("it is of a host of architecture %s, and this one is %s", got.Meta.Arch, runtime.GOARCH)
	}
	report.Step("store image")
	layer, size, err := treeDigest(ctx, dir)
	return image{Name: i.Name, Recipe: "imported", Layer: layer, Size: size, Built: time.Now().UTC(),
		Origin: strings.TrimSpace(got.Meta.Box + " from " + got.Meta.Image)}, err
}

// progress reports how much of a file has been read.
type progress struct {
	r       *os.File
	n, size int64
	said    int64 // hundredths; each quarter is news
	report  provider.Report
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	if done := p.n * 100 / max(p.size, 1); done >= p.said+25 && p.report != nil {
		p.said = done
		p.report(provider.Event{Text: "unpack and verify", Done: p.n, Total: p.size})
	}
	return n, err
}
