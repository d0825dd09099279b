package config

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// WriteOptions say how diagnostics are written. The zero value is plain text
// of 80 columns with paths as they are.
type WriteOptions struct {
	Color bool   // use ANSI colours
	Width int    // columns to wrap the text at; 0: 80
	Cwd   string // absolute folder; paths beneath it are shown relative to it; empty: all as they are
}

// WriteDiagnostics writes every diagnostic with the line it is about, marked
// beneath: summary, place, source, detail, and a blank line.
func WriteDiagnostics(w io.Writer, files map[string]*hcl.File, diags hcl.Diagnostics, o WriteOptions) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	out := bufio.NewWriter(w)
	for _, d := range diags {
		dw := diagWriter{w: out, o: o}
		dw.write(files, d)
	}
	return out.Flush()
}

type diagWriter struct {
	w *bufio.Writer
	o WriteOptions
}

const (
	ansiReset  = "\x1b[0m"
	ansiBold   = "\x1b[1m"
	ansiRed    = "\x1b[1;31m"
	ansiYellow = "\x1b[1;33m"
)

func (dw diagWriter) paint(code, s string) string {
	if !dw.o.Color || s == "" {
		return s
	}
	return code + s + ansiReset
}

func (dw diagWriter) write(files map[string]*hcl.File, d *hcl.Diagnostic) {
	word, code := "Error", ansiRed
	if d.Severity == hcl.DiagWarning {
		word, code = "Warning", ansiYellow
	}
	fmt.Fprintf(dw.w, "%s %s\n\n", dw.paint(code, word+":"), dw.paint(ansiBold, printable(d.Summary)))
	if d.Subject != nil {
		dw.place(files[d.Subject.Filename], *d.Subject, code)
	}
	if d.Detail != "" {
		for _, line := range wrap(d.Detail, dw.o.Width) {
			fmt.Fprintln(dw.w, line)
		}
		fmt.Fprintln(dw.w)
	}
}

// place writes where r is and its first line, underlined.
func (dw diagWriter) place(file *hcl.File, r hcl.Range, code string) {
	name := dw.name(r.Filename)
	if r.Start.Line == 0 {
		fmt.Fprintf(dw.w, "  on %s\n\n", name)
		return
	}
	fmt.Fprintf(dw.w, "  on %s line %d", name, r.Start.Line)
	if file == nil {
		fmt.Fprint(dw.w, "\n\n")
		return
	}
	if where := enclosing(file, r.Start.Byte); where != "" {
		fmt.Fprintf(dw.w, ", in %s", printable(where))
	}
	fmt.Fprint(dw.w, ":\n")
	s, ok := snippetOf(file.Bytes, r, max(20, dw.o.Width-8))
	if ok {
		gutter := fmt.Sprintf("%4d: ", r.Start.Line)
		fmt.Fprintf(dw.w, "%s%s\n", gutter, s.text)
		fmt.Fprintf(dw.w, "%s%s\n", strings.Repeat(" ", len(gutter)+s.before), dw.paint(code, strings.Repeat("^", s.under)))
	}
	fmt.Fprintln(dw.w)
}

// name shows a path relative to the working directory when it is beneath it.
func (dw diagWriter) name(path string) string {
	if dw.o.Cwd != "" && filepath.IsAbs(path) {
		if rel, err := filepath.Rel(dw.o.Cwd, path); err == nil && filepath.IsLocal(rel) {
			path = rel
		}
	}
	return printable(path)
}

// enclosing names the blocks around a byte, outermost first.
func enclosing(file *hcl.File, offset int) string {
	body, _ := file.Body.(*hclsyntax.Body)
	var parts []string
	for body != nil {
		inner := blockAt(body, offset)
		if inner == nil {
			break
		}
		part := inner.Type
		for _, label := range inner.Labels {
			part += fmt.Sprintf(" %q", label)
		}
		parts = append(parts, part)
		body = inner.Body
	}
	return strings.Join(parts, ", ")
}

func blockAt(body *hclsyntax.Body, offset int) *hclsyntax.Block {
	for _, b := range body.Blocks {
		if b.Range().ContainsOffset(offset) {
			return b
		}
	}
	return nil
}

// lineAt returns the line that holds the byte at offset, and where it starts.
func lineAt(src []byte, offset int) ([]byte, int, bool) {
	if offset < 0 || offset > len(src) {
		return nil, 0, false
	}
	start := bytes.LastIndexByte(src[:offset], '\n') + 1
	end := len(src)
	if i := bytes.IndexByte(src[offset:], '\n'); i >= 0 {
		end = offset + i
	}
	return bytes.TrimSuffix(src[start:end], []byte("\r")), start, true
}
