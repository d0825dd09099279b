package app

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// table is a list for people, in columns. Nothing is written before its flush.
type table struct{ out *tabwriter.Writer }

// newTable begins a table with the titles of its columns.
func newTable(w io.Writer, titles ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)}
	t.row(titles...)
	return t
}

func (t table) row(cells ...string) { fmt.Fprintln(t.out, strings.Join(cells, "\t")) }

func (t table) flush() error { return t.out.Flush() }

// usedText says when something was last used; the zero time: nobody knows.
func usedText(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04")
}
