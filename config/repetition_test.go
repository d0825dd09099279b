package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// summary shows what the tests below look at: "name(block) hostname <- deps".
func summary(e *Envfile) []string {
	var out []string
	for _, b := range e.Boxes {
		s := b.Name + "(" + b.Block + ") " + b.Hostname
		if len(b.DependsOn) > 0 {
			s += " <- " + strings.Join(b.DependsOn, " ")
		}
		out = append(out, s)
	}
	return out
}

func TestRepetition(t *testing.T) {
	e := parseOK(t, Options{}, `
defaults { image = "x" }
locals { sites = { b = { host = "two" }, a = { host = "one" } } }
box "web" {
  count      = 2
  hostname   = "w${count.index}"
  primary    = count.index == 1
  depends_on = ["db", "site-a"]
}
box "site" {
  for_each   = local.sites
  hostname   = "${each.value.host}-${each.key}"
  depends_on = each.key == "b" ? ["site-a"] : []
}
box "db" { for_each = toset(["x", "y"]) }
box "listed" { for_each = ["z", "a"] }
box "gone" { count = 0 }
box "all" { depends_on = ["web", "gone"] }
box "nulls" { count = null }`)
	want := []string{
		"web-0(web) w0 <- db-x db-y site-a", "web-1(web) w1 <- db-x db-y site-a",
		"site-a(site) one-a", "site-b(site) two-b <- site-a",
		"db-x(db) db-x", "db-y(db) db-y",
		"listed-z(listed) listed-z", "listed-a(listed) listed-a",
		"all(all) all <- web-0 web-1",
		"nulls(nulls) nulls",
	}
	if diff := cmp.Diff(want, summary(e)); diff != "" {
		t.Errorf("boxes (-want +got):\n%s", diff)
	}
	if e.Box("web-0").Primary || !e.Box("web-1").Primary {
		t.Error("the wrong box is primary")
	}
}

// Envfile.local overrides all boxes of a block, how many there are, or one.
func TestRepetitionLayers(t *testing.T) {
	const envfile = `
defaults { image = "x" }
box "web" { count = 2 }
box "db" {}`
	const local = `
box "web" { message = "all ${count.index}" }
box "web-1" { message = "mine" }
box "db" { for_each = { m = 1 } }`
	e, diags := Parse([]Source{
		{Name: "Envfile", Bytes: []byte(envfile)}, {Name: LocalFileName, Layer: LayerLocal, Bytes: []byte(local)},
	}, "", Options{})
	if diags.HasErrors() {
		t.Fatal(diagText(diags))
	}
	got := summary(e)
	got = append(got, e.Box("web-0").Message, e.Box("web-1").Message)
	want := []string{"web-0(web) web-0", "web-1(web) web-1", "db-m(db) db-m", "all 0", "mine"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("boxes and messages (-want +got):\n%s", diff)
	}

	_, diags = Parse([]Source{
		{Name: "Envfile", Bytes: []byte(envfile)},
		{Name: LocalFileName, Layer: LayerLocal, Bytes: []byte(`box "web-1" { count = 2 }`)},
	}, "", Options{})
	if got := diagText(diags); got != "Duplicate box: This overrides one box of the block at Envfile line 3, so it cannot have \"count\".\n" {
		t.Errorf("got %q", got)
	}
}

// A mistake in a block is one mistake, however many boxes it makes.
func TestRepetitionReportedOnce(t *testing.T) {
	_, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(`
box "web" {
  count    = 3
  hostname = "_${count.index}"
  provisioner "shell" { inline = nope }
}
box "db" {
  count = 200
}
box "a" {
  image = "x"
  for_each = { "b-c" = 1 }
}
box "a-b" {
  image = "x"
  for_each = { c = 1 }
}
box "more" {
  count = 200
}`)}}, "", Options{})
	want := `Missing image: The box "web-0" has no image. Write image = "debian:bookworm" in it, or in a defaults block for all boxes.
Invalid value: "hostname" cannot be "_0": use letters, digits and hyphens; each part between dots begins and ends with a letter or digit (RFC 1123).
Unknown variable: There is nothing named "nope". Text is written in quotes: "nope".
Missing image: The box "db-0" has no image. Write image = "debian:bookworm" in it, or in a defaults block for all boxes.
Duplicate box: The box "a-b-c" is made already by the block at Envfile line 10.
Too many boxes: An Envfile can declare 250 boxes.
Missing image: The box "more-0" has no image. Write image = "debian:bookworm" in it, or in a defaults block for all boxes.
`
	if diff := cmp.Diff(want, diagText(diags)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestBoxValues(t *testing.T) {
	e := parseOK(t, Options{}, `
defaults {
  image = "x"
  provisioner "shell" "hosts" { inline = box.db.ip }
}
box "db" { hostname = "db.example" }
box "web" {
  count = 2
  provisioner "shell" "own" {
    inline = "${box.db.hostname} ${box.web[count.index].ip} ${count.index}"
  }
}
box "site" { for_each = { a = 1 } }
box "edge" {
  provisioner "shell" "all" {
    inline = join(" ", concat(box.web[*].ip, [box.site.a.name, box["site-a"].ip]))
  }
}`)
	want := []string{
		"db(db) db.example", "web-0(web) web-0 <- db", "web-1(web) web-1 <- db", "site-a(site) site-a <- db",
		"edge(edge) edge <- db web-0 web-1 site-a",
	}
	if diff := cmp.Diff(want, summary(e)); diff != "" {
		t.Errorf("boxes (-want +got):\n%s", diff)
	}
	spec := hcldec.ObjectSpec{"inline": &hcldec.AttrSpec{Name: "inline", Type: cty.String}}
	inline := func(box, step string, ips map[string]string) cty.Value {
		t.Helper()
		for _, p := range e.Box(box).Provisioners {
			if p.ID() == step {
				v, diags := hcldec.Decode(p.Body, spec, p.With(ips))
				if diags.HasErrors() {
					t.Fatal(diagText(diags))
				}
				return v.GetAttr("inline")
			}
		}
		t.Fatalf("box %s has no step %s", box, step)
		return cty.NilVal
	}
	ips := map[string]string{"db": "10.0.0.1", "web-0": "10.0.0.2", "web-1": "10.0.0.3", "site-a": "10.0.0.4"}
	for _, tt := range []struct{ box, step, want string }{
		{"web-0", "hosts", "10.0.0.1"},
		{"web-1", "own", "db.example 10.0.0.3 1"},
		{"edge", "all", "10.0.0.2 10.0.0.3 site-a 10.0.0.4"},
	} {
		if got := inline(tt.box, tt.step, ips); !got.RawEquals(cty.StringVal(tt.want)) {
			t.Errorf("%s of %s: got %#v, want %q", tt.step, tt.box, got, tt.want)
		}
		if got := inline(tt.box, tt.step, nil); got.IsKnown() {
			t.Errorf("%s of %s is known without any address: %#v", tt.step, tt.box, got)
		}
	}
	if diff := cmp.Diff([]string{"db", "web-1"}, append(e.Box("web-1").Provisioners[0].Uses(), e.Box("web-1").Provisioners[1].Uses()[1])); diff != "" {
		t.Errorf("uses (-want +got):\n%s", diff)
	}
}

// The two ways to depend on a box are edges of one graph, each with its line.
func TestCycleThroughValues(t *testing.T) {
	_, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(`defaults { image = "x" }
box "a" {
  depends_on = ["b"]
}
box "b" {
  provisioner "shell" {
    inline = "x ${box.a.ip}"
  }
}
box "other" {
  provisioner "shell" { inline = box.othr.ip }
}
box "x" { depends_on = ["y"] }
box "y" {
  count      = 2
  depends_on = ["x"]
}
box "z" { for_each = ["k", "k"] }`)}}, "", Options{})
	want := `Cycle: These boxes wait for each other: a (Envfile line 3) -> b (Envfile line 7) -> a.
Unknown box: There is no box "othr". Did you mean "other"?
Cycle: These boxes wait for each other: x (Envfile line 13) -> y-0 (Envfile line 16) -> x.
Duplicate box: The key "k" is there twice.
`
	if diff := cmp.Diff(want, diagText(diags)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
