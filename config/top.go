package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// declarations are the top-level blocks of all files, weakest layer first.
type declarations struct {
	berth, variables, locals, project, defaults, boxes []declaration
}

// declaration is a block and the layer it comes from.
type declaration struct {
	*hcl.Block
	layer Layer
}

// collect sorts the blocks of all files by type. It reports unknown ones, ones
// that do not belong in their file, and second ones of which there is one.
func (d *decoder) collect(files []parsedFile) declarations {
	var out declarations
	lists := map[string]*[]declaration{
		"berth": &out.berth, "variable": &out.variables, "locals": &out.locals,
		"project": &out.project, "defaults": &out.defaults, "box": &out.boxes,
	}
	for _, f := range files {
		content := d.content(f.file.Body, topSchema)
		byType := content.Blocks.ByType()
		for _, once := range []string{"berth", "project", "defaults"} {
			d.single(byType[once])
		}
		for _, b := range content.Blocks {
			if d.belongs(b, f.layer) {
				list := lists[b.Type]
				*list = append(*list, declaration{b, f.layer})
			}
		}
	}
	return out
}

// belongs reports a block that its file may not hold.
func (d *decoder) belongs(b *hcl.Block, layer Layer) bool {
	allowed, file := topSchemaTypes(), "the Envfile"
	switch layer {
	case LayerUser:
		allowed, file = []string{"defaults", "variable", "locals"}, "the user's file"
	case LayerLocal:
		allowed, file = []string{"defaults", "variable", "locals", "box"}, LocalFileName
	}
	if slices.Contains(allowed, b.Type) {
		return true
	}
	d.fail(b.DefRange, "Not allowed here", "%s cannot hold a %q block, only %s.", capital(file), b.Type, listOf(allowed))
	return false
}

func topSchemaTypes() []string {
	var out []string
	for _, b := range topSchema.Blocks {
		out = append(out, b.Type)
	}
	return out
}

func capital(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

var topSchema = &hcl.BodySchema{
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "berth"},
		{Type: "variable", LabelNames: []string{"name"}},
		{Type: "locals"},
		{Type: "project"},
		{Type: "defaults"},
		{Type: "box", LabelNames: []string{"name"}},
	},
}
