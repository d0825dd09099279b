package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// long is text of so many bytes that are not alike.
func long(n int) string { return strings.Repeat("a,", n/2) }

// hostileWork are small files that would keep a computer busy for minutes to days
// if nobody counted, or fill its memory.
var hostileWork = map[string]string{
	"for in for":      `x = length([for a in local.n : length([for b in local.n : b])])`,
	"map of for":      `x = length({ for a in local.n : a => [for b in local.n : b if b < 0] })`,
	"for in template": `x = length("%{for a in local.n}%{for b in local.n}%{endfor}%{endfor}")`,
	"for in if":       `x = [for a in local.n : a if length([for b in local.n : b]) < 0]`,
	"empty for":       "x = [for a in local.n : [for b in [] : local.n]]",
	"copies of text":  "t = \"" + long(200000) + "\"\n  x = length([for a in local.n : \"${local.t}.\"])",
	"literal text":    "x = length([for a in local.n : \"" + long(200000) + "${a}\"])",
	"compare":         "x = length([for a in local.n : local.n == tolist(local.n)])",
	"function":        "t = \"" + long(200000) + "\"\n  x = length([for a in local.n : length(upper(\"x${a}\") == \"\" ? \"\" : strrev(local.t))])",
	"distinct":        `x = length([for a in local.n : length(distinct(slice(local.n, 0, 4000)))])`,
	"regexall":        `x = [for a in local.n : length(regexall("a.*z|a", "` + strings.Repeat("a", 4000) + `"))]`,
	"regex":           `x = [for a in local.n : regex("(a|b|c|d|e|f|g)*$", "` + strings.Repeat("a", 4000) + `")]`,
	"pattern":         `x = [for a in local.n : regexall("` + strings.Repeat("x{1000}", 500) + `", "")]`,
}

func TestWork(t *testing.T) {
	for name, src := range hostileWork {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte("locals {\n  n = split(\",\", \"" + long(60000) + "\")\n  " + src + "\n}\nbox \"a\" { image = \"x\" }")}}, t.TempDir(), Options{})
			found := false
			for _, d := range diags {
				found = found || d.Summary == tooComplex
			}
			if !found || len(diags) > 2 {
				t.Errorf("%d problems: %.2000s", len(diags), diagText(diags))
			}
			problems(t, diags)
		})
	}
}

// What somebody writes is far below.
func TestHonestWork(t *testing.T) {
	e := parseOK(t, Options{}, `
locals {
  words   = split(",", "`+long(1000)+`")
  pairs   = length([for a in local.words : length([for b in local.words : "${a}-${b}"])])
  matches = [for a in range(3) : length(regexall("[a-z]+", "`+long(3000)+`"))]
  keys    = { for i, a in local.words : i => upper(a) }
  again   = { for i, a in local.words : i => local.keys[i] if a != "" }
}
box "a" {
  count = 50
  image = "x"
  env   = { for i in range(50) : "K${i}" => join(",", local.words) }
}`)
	if n := len(e.Boxes[49].Env); n != 50 {
		t.Errorf("%d variables", n)
	}
}

// One file has one budget, and what is counted does not depend on how often an
// expression was looked at.
func TestWorkIsCounted(t *testing.T) {
	d := newDecoder(t.TempDir(), Options{})
	spent := func(n int) int64 {
		expr := parseExpr(t, fmt.Sprintf("[for a in range(%d) : [for b in range(%d) : b]]", n, n))
		d.work.refill()
		before := d.work.left.Load()
		if _, ok := d.eval(expr); !ok {
			t.Fatal(diagText(d.diags))
		}
		first := before - d.work.left.Load()
		if _, ok := d.eval(expr); !ok || before-d.work.left.Load() != 2*first {
			t.Errorf("%d the first time, %d the second", first, before-d.work.left.Load()-first)
		}
		return first
	}
	small, large := spent(100), spent(200)
	if small < 100*100 || large < 3*small || large > 5*small {
		t.Errorf("100 in 100: %d, 200 in 200: %d", small, large)
	}
	if err := d.work.spend(maxWork + 1); err == nil || !d.work.over() {
		t.Error("more than there is was spent")
	}
	if _, ok := d.eval(parseExpr(t, "1")); ok {
		t.Error("something is evaluated when there is too much to do")
	}
	d.work.refill()
	if v, ok := d.eval(parseExpr(t, "[for a in [1, 2] : a]")); !ok || v.LengthInt() != 2 || v.Index(cty.NumberIntVal(1)).AsBigFloat().String() != "2" {
		t.Errorf("%#v", v)
	}
}

func parseExpr(t *testing.T, src string) hcl.Expression {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(src), "Envfile", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diagText(diags))
	}
	return expr
}
