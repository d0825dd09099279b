package config

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// The ways in which a folder gets into a box.
const (
	FolderBind  = "bind"  // the folder itself, mounted
	FolderRsync = "rsync" // a copy, made by rsync(1)
)

// projectTarget is where a box has the project's folder unless it says
// otherwise.
const projectTarget = "/work"

// Folder is a folder of the host that a box sees.
type Folder struct {
	Source    string   // on the host; relative to the project's folder, or to the home after "~/"
	Target    string   // in the box; absolute and clean; unique in its box
	Type      string   // FolderBind or FolderRsync
	ReadOnly  bool     // the box cannot change it; for FolderBind only
	Exclude   []string // patterns of rsync(1); for FolderRsync only
	Implied   bool     // not written: the project's folder, which every box has
	DeclRange hcl.Range
}

// impliedFolder is what every box has.
func impliedFolder() Folder {
	return Folder{Source: ".", Target: projectTarget, Type: FolderBind, Implied: true}
}

// decodeFolders applies the folder blocks of one layer. A folder takes the place
// of the one that has its target, and one that is disabled only removes it.
func (d *decoder) decodeFolders(b *Box, blocks hcl.Blocks) {
	here := map[string]hcl.Range{}
	for _, block := range blocks {
		f, disabled, targetRange := d.decodeFolder(block)
		if f.Target == "" {
			continue
		}
		if first, ok := here[f.Target]; ok {
			d.fail(targetRange, "Duplicate folder", "There is a folder at %s already, at %s.", f.Target, place(first))
			continue
		}
		here[f.Target] = f.DeclRange
		b.Folders = slices.DeleteFunc(b.Folders, func(o Folder) bool { return o.Target == f.Target })
		if disabled {
			delete(b.ranges, "folder."+f.Target)
			continue
		}
		b.Folders = append(b.Folders, f)
		b.ranges["folder."+f.Target] = block.LabelRanges[0]
	}
	// A folder within another is mounted after it.
	slices.SortStableFunc(b.Folders, func(x, y Folder) int {
		return strings.Count(x.Target, "/") - strings.Count(y.Target, "/")
	})
}

// decodeFolder decodes one block. Without a usable target there is no folder.
func (d *decoder) decodeFolder(block *hcl.Block) (f Folder, disabled bool, targetRange hcl.Range) {
	f = Folder{Source: block.Labels[0], Type: FolderBind, DeclRange: block.DefRange}
	if err := checkSource(f.Source); err != nil {
		d.fail(block.LabelRanges[0], "Invalid value", "A folder cannot be %q: %s.", f.Source, err)
	}
	attrs := d.content(block.Body, folderSchema).Attributes
	d.boolean(attrs["disabled"], &disabled)
	d.text(attrs["target"], &f.Target, checkTarget)
	targetRange = block.DefRange
	switch a := attrs["target"]; {
	case a != nil:
		targetRange = a.Expr.Range()
	case path.Clean(f.Source) == ".":
		f.Target = projectTarget
	default:
		d.fail(block.DefRange, "Missing argument", `The argument "target" is required here: where the box has the folder, such as "/srv/data".`)
	}
	d.choice(attrs["type"], &f.Type, FolderBind, FolderRsync)
	d.boolean(attrs["readonly"], &f.ReadOnly)
	if a := attrs["exclude"]; a != nil {
		d.texts(a, &f.Exclude)
	}
	switch {
	case f.Type == FolderBind && attrs["exclude"] != nil:
		d.fail(attrs["exclude"].NameRange, "Conflicting arguments", `Only a copy can leave something out: write type = "rsync", or take "exclude" away.`)
	case f.Type == FolderRsync && f.ReadOnly:
		d.fail(attrs["readonly"].NameRange, "Conflicting arguments", `With type = "rsync" the box has a copy of its own, and what it writes there never reaches the host: take "readonly" away.`)
	}
	if i := slices.IndexFunc(f.Exclude, badPattern); i >= 0 {
		d.failPart(attrs["exclude"].Expr, elementRange(attrs["exclude"].Expr, i, len(f.Exclude)), "Invalid value",
			"A pattern is a name or path such as %q, without line breaks.", "node_modules/")
	}
	if f.Target != "" {
		f.Target = path.Clean(f.Target)
	}
	return f, disabled, targetRange
}

func badPattern(s string) bool {
	return strings.TrimSpace(s) == "" || strings.ContainsAny(s, "\x00\n\r")
}

func checkSource(s string) error {
	switch {
	case s == "" || strings.ContainsAny(s, "\x00\n\r"):
		return fmt.Errorf(`name a folder of the host; "." is the project's`)
	case strings.HasPrefix(s, "~") && s != "~" && !strings.HasPrefix(s, "~/"):
		return fmt.Errorf(`only "~/" means a home, yours; for a name that begins with "~" write "./~"`)
	}
	return nil
}

// ownTargets are folders that a box's system mounts itself or empties at boot.
var ownTargets = []string{"/proc", "/sys", "/dev", "/run", "/var/run", "/tmp", "/var/tmp"}

func checkTarget(s string) error {
	clean := path.Clean(s)
	switch {
	case !path.IsAbs(s) || strings.ContainsAny(s, "\x00\n\r"):
		return fmt.Errorf(`write an absolute path in the box, such as "/work"`)
	case clean == "/":
		return fmt.Errorf("it would hide the whole box")
	}
	for _, own := range ownTargets {
		if clean == own || strings.HasPrefix(clean, own+"/") {
			return fmt.Errorf("the box's system mounts %s itself or clears it; take another place, such as %q", own, "/srv/"+path.Base(clean))
		}
	}
	return nil
}

var folderSchema = &hcl.BodySchema{Attributes: attributes("target", "type", "readonly", "exclude", "disabled")}
