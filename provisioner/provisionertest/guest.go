// Package provisionertest has a box for the tests of provisioners: it runs
// nothing and remembers everything.
//
//	g := &provisionertest.Guest{}
//	err := (&motd{Text: "hello"}).Provision(t.Context(), g)
//	// g.Runs()[0].Argv, string(g.Runs()[0].Input), g.Uploads() …
//
// What a step does to a real box is for a scenario with a box to test.
package provisionertest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/berth-dev/berth/provisioner"
)

// Guest is a fake box. Its zero value succeeds at everything. Each function, if
// set, answers in place of that; it may be called by several goroutines.
type Guest struct {
	Box          provisioner.Info // what Info returns
	RunFunc      func(ctx context.Context, r Run) error
	UploadFunc   func(ctx context.Context, u Upload) error
	DownloadFunc func(ctx context.Context, d Download) error

	mu        sync.Mutex
	runs      []Run
	uploads   []Upload
	downloads []Download
	reports   []string
}

var _ provisioner.Guest = (*Guest)(nil)

// Run is one call of Guest.Run. Stdin has been read; Stdout and Stderr are never
// nil and take what RunFunc has the command say.
type Run struct {
	provisioner.Cmd
	Input []byte // the whole of Stdin
}

// Upload is one call of Guest.Upload.
type Upload struct {
	Src, Dst string
	Options  provisioner.FileOptions
	Content  []byte // of Src at that time, where it is a file
}

// Download is one call of Guest.Download.
type Download struct{ Src, Dst string }

// Info implements provisioner.Guest.
func (g *Guest) Info() provisioner.Info { return g.Box }

// Run implements provisioner.Guest.
func (g *Guest) Run(ctx context.Context, cmd provisioner.Cmd) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := Run{Cmd: cmd}
	if cmd.Stdin != nil {
		var err error
		if r.Input, err = io.ReadAll(cmd.Stdin); err != nil {
			return fmt.Errorf("read standard input of command: %w", err)
		}
		r.Stdin = bytes.NewReader(r.Input)
	}
	if r.Stdout == nil {
		r.Stdout = io.Discard
	}
	if r.Stderr == nil {
		r.Stderr = io.Discard
	}
	g.mu.Lock()
	g.runs = append(g.runs, r)
	g.mu.Unlock()
	if g.RunFunc == nil {
		return nil
	}
	return g.RunFunc(ctx, r)
}

// Upload implements provisioner.Guest.
func (g *Guest) Upload(ctx context.Context, src, dst string, o provisioner.FileOptions) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	st, err := os.Stat(src)
	if err != nil {
		return err
	}
	u := Upload{Src: src, Dst: dst, Options: o}
	if st.Mode().IsRegular() {
		if u.Content, err = os.ReadFile(src); err != nil {
			return err
		}
	}
	g.mu.Lock()
	g.uploads = append(g.uploads, u)
	g.mu.Unlock()
	if g.UploadFunc == nil {
		return nil
	}
	return g.UploadFunc(ctx, u)
}

// Download implements provisioner.Guest.
func (g *Guest) Download(ctx context.Context, src, dst string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d := Download{Src: src, Dst: dst}
	g.mu.Lock()
	g.downloads = append(g.downloads, d)
	g.mu.Unlock()
	if g.DownloadFunc == nil {
		return nil
	}
	return g.DownloadFunc(ctx, d)
}

// Report implements provisioner.Guest.
func (g *Guest) Report(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reports = append(g.reports, text)
}

// Runs returns the calls of Run so far.
func (g *Guest) Runs() []Run {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.runs)
}

// Uploads returns the calls of Upload so far that found their source.
func (g *Guest) Uploads() []Upload {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.uploads)
}

// Downloads returns the calls of Download so far.
func (g *Guest) Downloads() []Download {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.downloads)
}

// Reports returns what was reported so far.
func (g *Guest) Reports() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.reports)
}
