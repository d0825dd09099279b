package host

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/berth-dev/berth/plugins/internal/wire"
	"github.com/berth-dev/berth/provider"
)

func decode(t *testing.T, spec hcldec.Spec, src string) ([]byte, hcl.Diagnostics) {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(src), "Envfile", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	val, diags := hcldec.Decode(f.Body, spec, nil)
	if diags.HasErrors() {
		return nil, diags
	}
	config, err := EncodeConfig(val, spec)
	if err != nil {
		t.Fatal(err)
	}
	return config, nil
}

func TestArgumentsReachThePlugin(t *testing.T) {
	m := newManager(t, Options{}, "berth-provider-ok")
	p, err := m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	for src, want := range map[string]string{
		``:                           "default",
		`mode = "x"`:                 "x",
		`mode = null`:                "default",
		`lines = "one"`:              "defaultone",
		`lines = ["one", "two"]`:     "defaultone,two",
		`lines = 5`:                  "default5",
		`lines = []`:                 "default",
		"mode = \"\"\nsmall = \"7\"": "",
	} {
		config, diags := decode(t, p.Spec(), src)
		if diags.HasErrors() {
			t.Errorf("%s: %v", src, diags)
			continue
		}
		got, _, _ := strings.Cut(p.Bind(config).Check(t.Context()).Error(), "\n")
		if got != want {
			t.Errorf("%s: the plugin sees %q, want %q", src, got, want)
		}
	}
}

func TestWrongArguments(t *testing.T) {
	m := newManager(t, Options{}, "berth-provider-ok")
	p, err := m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	for src, want := range map[string]string{
		`lines = { a = "b" }`: `Envfile:1,9-20: Incorrect attribute value type; Inappropriate value for attribute "lines": a list of strings or one string is required.`,
		`lines = [["a"]]`:     `Envfile:1,9-16: Incorrect attribute value type; Inappropriate value for attribute "lines": a list of strings or one string is required.`,
		`mode = ["x"]`:        `Envfile:1,8-13: Incorrect attribute value type; Inappropriate value for attribute "mode": string required`,
		`moed = "x"`:          `Envfile:1,1-5: Unsupported argument; An argument named "moed" is not expected here. Did you mean "mode"?`,
	} {
		_, diags := decode(t, p.Spec(), src)
		if len(diags) != 1 || !strings.HasPrefix(diags[0].Error(), want) {
			t.Errorf("%s: %v, want %s", src, diags, want)
		}
	}
	for src, want := range map[string]string{
		`mode = "bad"`: "mode: must be good",
		`small = 1000`: "small: value must be a whole number, between -128 and 127",
		`small = 1.5`:  "small: value must be a whole number, between -128 and 127",
	} {
		config, diags := decode(t, p.Spec(), src)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		var arg *provider.ArgError
		if err := p.Validate(t.Context(), config); !errors.As(err, &arg) || err.Error() != want {
			t.Errorf("%s: %v, want the ArgError %q", src, err, want)
		}
	}
}

// An argument that is missing is one mistake, whether it is left out or null.
func TestMissingArguments(t *testing.T) {
	spec := specOf(&wire.Schema{Attributes: []wire.Attribute{
		{Name: "one", Type: cty.String, Required: true},
		{Name: "many", Type: cty.List(cty.String), Required: true},
	}})
	for src, want := range map[string]string{
		`one = "x"`:                `Envfile:1,1-1: Missing argument; The argument "many" is required here.`,
		`many = []`:                `Envfile:1,1-1: Missing argument; The argument "one" is required here.`,
		"one = \"x\"\nmany = null": `Envfile:2,8-12: Missing argument; The argument "many" is required here.`,
		"one = null\nmany = []":    `Envfile:1,7-11: Missing argument; The argument "one" is required here.`,
	} {
		_, diags := decode(t, spec, src)
		if len(diags) != 1 || diags[0].Error() != want {
			t.Errorf("%s: %v, want %s", src, diags, want)
		}
	}
}

// A value that is not known yet is checked for its type, and for nothing else.
func TestUnknownArguments(t *testing.T) {
	m := newManager(t, Options{}, "berth-provider-ok")
	p, err := m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"ip": cty.UnknownVal(cty.String)}}
	for src, wrong := range map[string]bool{
		`mode = ip`:                   false,
		`lines = "at ${ip}"`:          false,
		`lines = ["one", ip]`:         false,
		`lines = [for i in [ip] : i]`: false,
		`small = ip`:                  false,
		`lines = { a = ip }`:          true,
		`mode = [ip]`:                 true,
		"mode = ip\nmoed = 1":         true,
	} {
		f, diags := hclsyntax.ParseConfig([]byte(src), "Envfile", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		args, diags := p.Decode(f.Body, ctx)
		if args != nil || diags.HasErrors() != wrong {
			t.Errorf("%s: args %s, %v", src, args, diags)
		}
	}
}

// TestLargeArgument: an Envfile may hold a script of many MiB, which goes to the
// plugin and, here, comes back.
func TestLargeArgument(t *testing.T) {
	m := newManager(t, Options{}, "berth-provider-ok")
	p, err := m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("0123456789abcdef", 5<<16)
	if got, _, _ := strings.Cut(p.Bind([]byte(`{"mode":"`+large+`"}`)).Check(t.Context()).Error(), "\n"); got != large {
		t.Errorf("%d of %d bytes came back: %.200q", len(got), len(large), got)
	}
}
