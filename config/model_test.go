package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

func TestModel(t *testing.T) {
	e, diags := parseFixture(t, "testdata/valid/full.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	swap := int64(0)
	folders := []Folder{{Source: ".", Target: "/work", Type: "bind", Implied: true}}
	want := []*Box{
		{
			Name: "db", Block: "db", Hostname: "db.example", Image: "debian:bookworm",
			Env:       map[string]string{"LANG": "C.UTF-8", "APP_ENV": "none"},
			HostProxy: true, HostCA: true, PackageCache: true, BootTimeout: 90 * time.Second, HaltTimeout: 0,
			Resources: Resources{
				CPUs: 1.5, CPUWeight: 100, CPUSet: "0-2,4", Memory: 512 << 20, Swap: &swap, PIDs: 400,
				IO: IO{Weight: 500, Read: 50 << 20, Write: 20e6, ReadIOPS: 1000, WriteIOPS: 500},
			},
			SSH:          SSH{User: "dev"},
			Folders:      folders,
			Provider:     ProviderBlock{Name: "lxc"},
			Provisioners: []*Provisioner{{Type: "shell", Name: "base", Run: "once"}},
		},
		{
			Name: "web", Block: "web", Hostname: "web", Image: "debian:bookworm", Message: "Open http://localhost:8080",
			Autostart: true, Primary: true, DependsOn: []string{"db"},
			Env:       map[string]string{"LANG": "C.UTF-8", "APP_ENV": "dev", "GREETING": "hello shop"},
			HostProxy: true, HostCA: true, PackageCache: true, BootTimeout: time.Minute, HaltTimeout: time.Minute,
			Resources: Resources{Memory: 256 << 20, PIDs: 400},
			SSH:       SSH{User: "admin"},
			Folders:   folders,
			Provider:  ProviderBlock{Name: "lxc"},
			Provisioners: []*Provisioner{
				{Type: "shell", Name: "base", Run: "once"},
				{Type: "file", Run: "once"},
				{Type: "shell", Run: "once"},
				{Type: "shell", Run: "always"},
			},
		},
	}
	opts := []cmp.Option{
		cmpopts.IgnoreUnexported(Box{}, Provisioner{}),
		cmpopts.IgnoreFields(Box{}, "DeclRange"),
		cmpopts.IgnoreFields(Folder{}, "DeclRange"),
		cmpopts.IgnoreFields(ProviderBlock{}, "Bodies", "EvalContext", "DeclRange"),
		cmpopts.IgnoreFields(Provisioner{}, "Body", "EvalContext", "DeclRange", "TypeRange"),
	}
	if diff := cmp.Diff(want, e.Boxes, opts...); diff != "" {
		t.Errorf("boxes (-want +got):\n%s", diff)
	}
	if e.Project.Name != "shop" || e.Project.NameRange.Start.Line != 14 {
		t.Errorf("project: %+v", e.Project)
	}
	var ids []string
	for _, p := range e.Box("web").Provisioners {
		ids = append(ids, p.ID())
	}
	if diff := cmp.Diff([]string{"base", "file", "shell", "shell-2"}, ids); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

func TestStepIDsAvoidNames(t *testing.T) {
	e := parseOK(t, Options{}, `
box "a" {
  image = "x"
  provisioner "shell" {}
  provisioner "shell" {}
  provisioner "file" "shell-2" {}
}`)
	var ids []string
	for _, p := range e.Boxes[0].Provisioners {
		ids = append(ids, p.ID())
	}
	if diff := cmp.Diff([]string{"shell", "shell-3", "shell-2"}, ids); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

func TestRange(t *testing.T) {
	e, _ := parseFixture(t, "testdata/valid/full.hcl")
	web, db := e.Box("web"), e.Box("db")
	tests := []struct {
		box  *Box
		path string
		want string
	}{
		{db, "image", `"debian:${var.release}"`},
		{db, "resources.memory", "536870912"},
		{db, "resources.pids", "400"},
		{db, "resources.io.read", `"50MiB"`},
		{db, "resources.io", "io"},
		{db, "resources.disk", "resources"},
		{db, "message", `box "db"`},
		{db, "env", `{ LANG = "C.UTF-8", APP_ENV = "none" }`},
		{web, "env.APP_ENV", `"dev"`},
		{web, "env.LANG", `"C.UTF-8"`},
		{web, "ssh.user", `"admin"`},
		{web, "provider", `provider "lxc"`},
		{web, "", `box "web"`},
		{web, "a.b.c", `box "web"`},
	}
	for _, tt := range tests {
		if got := sourceText(e, tt.box.Range(tt.path)); got != tt.want {
			t.Errorf("Range(%q) of %s is %s, want %s", tt.path, tt.box.Name, got, tt.want)
		}
	}
}

func sourceText(e *Envfile, r hcl.Range) string {
	return string(r.SliceBytes(e.Files[r.Filename].Bytes))
}

func TestProviderBody(t *testing.T) {
	e, _ := parseFixture(t, "testdata/valid/full.hcl")
	spec := hcldec.ObjectSpec{
		"mirror":  &hcldec.AttrSpec{Name: "mirror", Type: cty.String, Required: true},
		"nesting": &hcldec.AttrSpec{Name: "nesting", Type: cty.Bool},
		"raw":     &hcldec.AttrSpec{Name: "raw", Type: cty.Map(cty.String)},
	}
	p := e.Box("web").Provider
	got, diags := hcldec.Decode(p.Body(), spec, p.EvalContext)
	want := cty.ObjectVal(map[string]cty.Value{
		"mirror": cty.StringVal("http://deb.example"), "nesting": cty.True,
		"raw": cty.MapVal(map[string]cty.Value{"lxc.environment": cty.StringVal("A=b")}),
	})
	if diags.HasErrors() || !got.RawEquals(want) {
		t.Errorf("got %#v, %v", got, diags)
	}

	at := func(arg string) string {
		return sourceText(e, *ArgDiagnostic(p.Body(), p.EvalContext, arg, "s", "d", p.DeclRange).Subject)
	}
	for arg, want := range map[string]string{
		"nesting": "true", "raw.lxc.environment": `"A=b"`, "raw.other": `{ "lxc.environment" = "A=b" }`,
		"mirror": `"http://deb.example"`, "": `provider "lxc"`, "nowhere.at": `provider "lxc"`,
	} {
		if got := at(arg); got != want {
			t.Errorf("ArgDiagnostic(%q) points at %s, want %s", arg, got, want)
		}
	}
}

func TestOverride(t *testing.T) {
	e := parseOK(t, Options{}, `
defaults {
  image = "x"
  provider "lxc" {
    a = 1
    b = 1
    mount { target = "/one" }
    mount { target = "/two" }
  }
}
box "other" {
  provider "vm" { c = 3 }
}
box "same" {
  provider "lxc" {
    b = 2
    mount { target = "/three" }
  }
}
box "none" {}`)
	spec := hcldec.ObjectSpec{
		"a": &hcldec.AttrSpec{Name: "a", Type: cty.Number},
		"b": &hcldec.AttrSpec{Name: "b", Type: cty.Number},
		"m": &hcldec.BlockListSpec{TypeName: "mount", Nested: &hcldec.AttrSpec{Name: "target", Type: cty.String}},
	}
	decode := func(name string) cty.Value {
		p := e.Box(name).Provider
		v, diags := hcldec.Decode(p.Body(), spec, p.EvalContext)
		if diags.HasErrors() {
			t.Errorf("%s: %v", name, diags)
		}
		return v
	}
	object := func(a, b int64, mounts ...string) cty.Value {
		var list []cty.Value
		for _, m := range mounts {
			list = append(list, cty.StringVal(m))
		}
		return cty.ObjectVal(map[string]cty.Value{"a": cty.NumberIntVal(a), "b": cty.NumberIntVal(b), "m": cty.ListVal(list)})
	}
	if got, want := decode("same"), object(1, 2, "/three"); !got.RawEquals(want) {
		t.Errorf("same: %#v", got)
	}
	if got, want := decode("none"), object(1, 1, "/one", "/two"); !got.RawEquals(want) {
		t.Errorf("none: %#v", got)
	}
	p := e.Box("other").Provider
	attrs, _ := p.Body().JustAttributes()
	if p.Name != "vm" || len(attrs) != 1 || attrs["c"] == nil {
		t.Errorf("another provider's arguments were taken over: %v", attrs)
	}
	same := e.Box("same").Provider
	missing := hcldec.ObjectSpec{"z": &hcldec.AttrSpec{Name: "z", Type: cty.Number, Required: true}}
	_, diags := hcldec.Decode(same.Body(), missing, nil)
	for _, want := range []string{`"z"`, `"a"`, `"b"`, `"mount"`} {
		if !strings.Contains(diagText(diags), want) {
			t.Errorf("no complaint about %s in:\n%s", want, diagText(diags))
		}
	}
}

func TestStepBody(t *testing.T) {
	e := parseOK(t, Options{}, `
locals { x = "echo" }
box "a" {
  image = "i"
  provisioner "shell" {
    run    = "always"
    inline = "${local.x} hi"
  }
}`)
	p := e.Boxes[0].Provisioners[0]
	spec := hcldec.ObjectSpec{"inline": &hcldec.AttrSpec{Name: "inline", Type: cty.String}}
	v, diags := hcldec.Decode(p.Body, spec, p.EvalContext)
	if diags.HasErrors() || v.GetAttr("inline").AsString() != "echo hi" || p.Run != "always" {
		t.Errorf("got %#v, %v", v, diags)
	}
	d := ArgDiagnostic(p.Body, p.EvalContext, "inline", "s", "d", p.DeclRange)
	if d.Subject.Start.Line != 7 || d.Severity != hcl.DiagError {
		t.Errorf("got %+v", d)
	}
}

func parseOK(t *testing.T, o Options, src string) *Envfile {
	t.Helper()
	e, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(src)}}, t.TempDir(), o)
	if diags.HasErrors() {
		t.Fatal(diagText(diags))
	}
	return e
}

func diagText(diags hcl.Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		b.WriteString(d.Summary + ": " + d.Detail + "\n")
	}
	return b.String()
}
