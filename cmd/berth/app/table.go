package app

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/berth-dev/berth/internal/ui"
)

// table is a list for people, in columns. Nothing is written before its flush.
type table struct{ out *tabwriter.Writer }

// newTable begins a table with the titles of its columns.
func newTable(w io.Writer, titles ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)}
	t.row(titles...)
	return t
}

// row adds a row. What a cell has from an Envfile or a box does not command the
// terminal, nor does it make another cell or row.
func (t table) row(cells ...string) {
	plain := make([]string, len(cells))
	for i, cell := range cells {
		plain[i] = ui.OneLine(cell)
	}
	fmt.Fprintln(t.out, strings.Join(plain, "\t"))
}

func (t table) flush() error { return t.out.Flush() }

// writeNotes writes what is to be said below a table, if there is anything.
func writeNotes(w io.Writer, notes []string) error {
	if len(notes) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(w, "\n"+ui.Printable(strings.Join(notes, "\n"), false))
	return err
}

// usedText says when something was last used; the zero time: nobody knows.
func usedText(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04")
}
