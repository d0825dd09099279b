// Command bench measures what users wait for, beside the floor under it: bare
// lxc-start and lxc-stop on the same box, and OpenSSH's client. It prints medians
// and judges nothing. It needs root and LXC, and keeps to a data home of its own.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

func main() {
	berth := flag.String("berth", "bin/berth", "the berth to measure")
	runs := flag.Int("n", 7, "how often each thing is done")
	many := flag.Int("boxes", 10, "how many boxes the last rows bring up")
	home := flag.String("home", "/var/tmp/berth-bench", "data home; images are kept in it")
	dir := flag.String("work", "", "only do what is measured in a folder, in this one")
	only := flag.String("only", "", "measure \"boxes\", \"folders\" or \"checkpoints\" alone")
	flag.Parse()
	if *dir != "" {
		if err := work(*dir); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *berth, *home, *only, *runs, *many); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, berth, home, only string, runs, many int) error {
	berth, err := filepath.Abs(berth)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "berth-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{ctx: ctx, berth: berth, home: home, dir: dir, runs: runs}
	defer b.destroy()
	if only == "" || only == "boxes" {
		if err := b.one(); err != nil {
			return err
		}
		if err := b.many(many); err != nil {
			return err
		}
	}
	if only == "" || only == "folders" {
		if err := b.folders(); err != nil {
			return err
		}
	}
	if only == "" || only == "checkpoints" {
		if err := b.checkpoints(); err != nil {
			return err
		}
	}
	tw := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintf(tw, "WHAT\tMEDIAN OF %d\tLEAST\tFLOOR\n", runs)
	for _, r := range b.rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", r.what, r.median(), r.least(), r.floor)
	}
	err = tw.Flush()
	for _, n := range b.notes {
		fmt.Println(n)
	}
	return err
}

// writeEnvfile declares n boxes.
func (b *bench) writeEnvfile(n int) error {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "box \"b%d\" {\n  image = \"debian:bookworm\"\n}\n", i)
	}
	return os.WriteFile(filepath.Join(b.dir, "Envfile"), []byte(text.String()), 0o600)
}

// running returns the boxes with their addresses.
func (b *bench) running() ([]boxStatus, error) {
	out, err := b.output("status", "--json")
	if err != nil {
		return nil, err
	}
	var status struct{ Boxes []boxStatus }
	if err := json.Unmarshal(out, &status); err != nil || len(status.Boxes) == 0 {
		return nil, fmt.Errorf("read status: %w\n%s", err, out)
	}
	return status.Boxes, nil
}

type boxStatus struct {
	Name, ID string
	Address  string `json:"ssh_address"`
}
