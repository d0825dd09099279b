package config

import (
	"cmp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// parsedFile is a source after HCL's parser.
type parsedFile struct {
	name  string
	layer Layer
	file  *hcl.File
}

// Parse parses and validates files, in the order of their layers. root is the
// absolute path of the project's folder: relative paths and file() start there.
//
// A file that is no HCL ends the parse after all files have been looked at,
// since half a file would only raise complaints about what is missing from it.
func Parse(files []Source, root string, o Options) (*Envfile, hcl.Diagnostics) {
	parsed, diags := parseSources(files)
	e := &Envfile{Root: root, Files: byName(parsed)}
	for _, f := range parsed {
		if f.layer == LayerProject {
			e.Path = f.name
		}
	}
	if !diags.HasErrors() {
		d := newDecoder(root, o)
		d.decode(e, parsed)
		diags = append(diags, d.redacted()...)
	}
	return e, inOrder(diags, parsed)
}

// parseSources parses each source. Every source has a file in the result, an
// empty one where it cannot be parsed, so that messages can quote it.
func parseSources(files []Source) ([]parsedFile, hcl.Diagnostics) {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b Source) int { return cmp.Compare(a.Layer, b.Layer) })
	var out []parsedFile
	var diags hcl.Diagnostics
	for _, src := range files {
		f, more := parseSource(src)
		diags = append(diags, more...)
		out = append(out, parsedFile{name: src.Name, layer: src.Layer, file: f})
	}
	return out, diags
}

func parseSource(src Source) (*hcl.File, hcl.Diagnostics) {
	none := &hcl.File{Bytes: src.Bytes, Body: &hclsyntax.Body{}}
	if len(src.Bytes) > maxFile {
		return none, hcl.Diagnostics{unreadable(src.Name, errTooLarge)}
	}
	// What the lexer complains of, the parser complains of as well.
	tokens, _ := hclsyntax.LexConfig(src.Bytes, src.Name, hcl.InitialPos)
	if diag := checkTokens(tokens); diag != nil {
		return none, hcl.Diagnostics{diag}
	}
	f, diags := hclsyntax.ParseConfig(src.Bytes, src.Name, hcl.InitialPos)
	if f == nil {
		f = none
	}
	return f, plainer(diags, f, tokens)
}

func byName(files []parsedFile) map[string]*hcl.File {
	m := make(map[string]*hcl.File, len(files))
	for _, f := range files {
		m[f.name] = f.file
	}
	return m
}

// inOrder sorts diagnostics as their subjects stand in the files, and drops
// repetitions: one expression can be looked at for several boxes.
func inOrder(diags hcl.Diagnostics, files []parsedFile) hcl.Diagnostics {
	for _, d := range diags {
		if d.Subject == nil && len(files) > 0 { // not known to happen
			d.Subject = &hcl.Range{Filename: files[0].name, Start: hcl.InitialPos, End: hcl.InitialPos}
		}
	}
	rank := map[string]int{}
	for i, f := range files {
		rank[f.name] = i + 1
	}
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		return cmp.Or(
			cmp.Compare(rank[a.Subject.Filename], rank[b.Subject.Filename]),
			cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte),
		)
	})
	type key struct {
		subject         hcl.Range
		summary, detail string
	}
	seen := map[key]bool{}
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool {
		k := key{*d.Subject, d.Summary, d.Detail}
		dup := seen[k]
		seen[k] = true
		return dup
	})
}
