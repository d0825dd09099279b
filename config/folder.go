package config

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Folder is a folder of the host that a box sees.
type Folder struct {
	Source    string // on the host, relative to the project's folder
	Target    string // in the box; absolute and clean
	ReadOnly  bool
	DeclRange hcl.Range
}

func (d *decoder) decodeFolders(b *Box, blocks hcl.Blocks) {
	for _, block := range blocks {
		f := Folder{Source: block.Labels[0], DeclRange: block.DefRange}
		if err := checkSource(f.Source); err != nil {
			d.fail(block.LabelRanges[0], "Invalid value", "A folder cannot be %q: %s.", f.Source, err)
		}
		attrs := d.content(block.Body, folderSchema).Attributes
		d.text(attrs["target"], &f.Target, checkTarget)
		d.boolean(attrs["readonly"], &f.ReadOnly)
		d.checkYet("folder", `"folder" blocks`, block.DefRange)
		if f.Target == "" {
			continue
		}
		f.Target = path.Clean(f.Target)
		for _, o := range b.Folders {
			if o.Target == f.Target && slices.ContainsFunc(blocks, func(b *hcl.Block) bool { return b.DefRange == o.DeclRange }) {
				d.failValue(attrs["target"].Expr, "Duplicate folder", "There is a folder at %s already, at %s.", f.Target, place(o.DeclRange))
			}
		}
		b.Folders = slices.DeleteFunc(b.Folders, func(o Folder) bool { return o.Target == f.Target })
		b.Folders = append(b.Folders, f)
	}
}

func checkSource(s string) error {
	if s == "" || strings.ContainsRune(s, 0) {
		return fmt.Errorf(`name a folder of the host; "." is the project's`)
	}
	return nil
}

func checkTarget(s string) error {
	switch {
	case !path.IsAbs(s) || strings.ContainsRune(s, 0):
		return fmt.Errorf(`write an absolute path in the box, such as "/work"`)
	case path.Clean(s) == "/":
		return fmt.Errorf("it would hide the whole box")
	}
	return nil
}

var folderSchema = &hcl.BodySchema{
	Attributes: append(attributes("readonly"), hcl.AttributeSchema{Name: "target", Required: true}),
}
