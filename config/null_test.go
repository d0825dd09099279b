package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
)

// nullTest is a block within which each argument is tried.
type nullTest struct {
	name   string
	schema *hcl.BodySchema
	src    string // %s is where the argument goes
	given  map[string]string
}

var nullTests = []nullTest{
	{"berth", berthSchema, "berth {\n%s\n}\nbox \"a\" { image = \"x\" }", nil},
	{"project", projectSchema, "project {\n%s\n}\nbox \"a\" { image = \"x\" }", nil},
	{"defaults", defaultsSchema, "defaults {\n%s\n}\nbox \"a\" { image = \"x\" }", nil},
	{"box", boxSchema, "defaults { image = \"x\" }\nbox \"a\" {\n%s\n}", nil},
	{"resources", resourcesSchema, inBox("resources {\n%s\n}"), nil},
	{"io", ioSchema, inBox("resources {\nio {\n%s\n}\n}"), nil},
	{"ssh", sshSchema, inBox("ssh {\n%s\n}"), nil},
	{"network", networkSchema, inBox("network \"n\" {\n%s\n}"), nil},
	{"forward", forwardSchema, inBox("forward \"f\" {\n%s\n}"), map[string]string{"guest": "80"}},
	{"socket", forwardSchema, inBox("forward \"f\" {\n%s\n}"), map[string]string{"guest": `"/a"`, "host": `"/b"`}},
	{"folder", folderSchema, inBox("folder \"d\" {\n%s\n}"), map[string]string{"target": `"/srv/d"`}},
	{"project's folder", folderSchema, inBox("folder \".\" {\n%s\n}"), nil},
	{"copy", folderSchema, inBox("folder \".\" {\n%s\n}"), map[string]string{"type": `"rsync"`}},
	{"provisioner", provisionerSchema, inBox("provisioner \"shell\" {\n%s\n}"), map[string]string{"inline": `"true"`}},
	{"provisioner after", provisionerSchema, inBox("provisioner \"shell\" \"one\" {}\nprovisioner \"shell\" {\n%s\n}"), map[string]string{"after": `"one"`}},
}

func inBox(block string) string { return "box \"a\" {\nimage = \"x\"\n" + block + "\n}" }

// TestNull: every argument that is null is as if it were not written, be it the
// word or a value.
func TestNull(t *testing.T) {
	for _, tt := range nullTests {
		for _, a := range tt.schema.Attributes {
			t.Run(tt.name+"/"+a.Name, func(t *testing.T) {
				want, wantErr := tt.parse(t, a.Name, "")
				nulls := []string{"null", "true ? null : 1", "var.none"}
				if tt.schema == berthSchema { // it is read before there are variables
					nulls = nulls[:2]
				}
				for _, null := range nulls {
					got, err := tt.parse(t, a.Name, null)
					if strings.Join(err, " ") != strings.Join(wantErr, " ") {
						t.Errorf("%s: problems %q, without it %q", null, err, wantErr)
					}
					if diff := cmp.Diff(want, got, ignorePlaces...); diff != "" {
						t.Errorf("%s (-without it +with it):\n%s", null, diff)
					}
				}
			})
		}
	}
}

// parse parses the block with an argument that is null, or without it.
func (tt nullTest) parse(t *testing.T, name, null string) (*Envfile, []string) {
	t.Helper()
	var lines []string
	for given, value := range tt.given {
		if given != name {
			lines = append(lines, given+" = "+value)
		}
	}
	slices.Sort(lines)
	if null != "" {
		lines = append(lines, name+" = "+null)
	}
	src := "variable \"none\" { default = null }\n" + fmt.Sprintf(tt.src, strings.Join(lines, "\n"))
	e, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(src)}}, "/project", Options{})
	var problems []string
	for _, d := range diags {
		problems = append(problems, d.Summary)
	}
	return e, problems
}

var ignorePlaces = []cmp.Option{
	cmpopts.IgnoreTypes(hcl.Range{}), cmpopts.IgnoreUnexported(Box{}, Forward{}, Network{}, Provisioner{}),
	cmpopts.IgnoreFields(Envfile{}, "Files"), cmpopts.IgnoreFields(Provisioner{}, "Body", "EvalContext"),
	cmpopts.IgnoreFields(ProviderBlock{}, "Bodies", "EvalContext"), cmpopts.EquateComparable(netip.Prefix{}),
}

// TestNullOfPlugins: plugins do not see it either, and a lower layer's stays.
func TestNullOfPlugins(t *testing.T) {
	e := parseOK(t, Options{}, `
defaults {
  image = "x"
  provider "lxc" { raw = "lower" }
}
box "a" {
  provider "lxc" { raw = null }
  provisioner "shell" {
    inline = "x"
    script = true ? null : "y"
    run    = null
    mount { target = null }
  }
}`)
	b := e.Boxes[0]
	attrs, _ := b.Provider.Body().JustAttributes()
	if v, _ := attrs["raw"].Expr.Value(b.Provider.EvalContext); v.AsString() != "lower" {
		t.Errorf("the lower layer's is %#v", v)
	}
	content, _ := b.Provisioners[0].Body.Content(&hcl.BodySchema{
		Attributes: attributes("inline", "script"), Blocks: []hcl.BlockHeaderSchema{{Type: "mount"}},
	})
	inner, _ := content.Blocks[0].Body.JustAttributes()
	if len(content.Attributes) != 1 || len(inner) != 0 {
		t.Errorf("%v, %v", content.Attributes, inner)
	}
}

// TestDiskEnforce: a block that does not say it leaves what a lower layer says.
func TestDiskEnforce(t *testing.T) {
	e := parseOK(t, Options{}, `
defaults {
  image = "x"
  resources {
    disk         = "1GiB"
    disk_enforce = false
  }
}
box "a" {
  resources { cpus = 1 }
}
box "b" {}
box "c" {
  resources { disk_enforce = null }
}
box "d" {
  resources { disk_enforce = true }
}`)
	for i, want := range []bool{true, true, true, false} {
		if b := e.Boxes[i]; b.Resources.DiskOptional != want {
			t.Errorf("box %s can do without: %v", b.Name, !want)
		}
	}
}
