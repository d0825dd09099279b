package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// maxBoxes is more than fit in the subnet of one bridge.
const maxBoxes = 250

// boxGroup is a box block with those of stronger layers that override it. It
// makes one box or, with count or for_each, any number of them.
type boxGroup struct {
	name      string
	blocks    []declaration // weakest layer first
	repeat    string        // "count", "for_each", or "" for one box
	foreign   string        // what of that is foreign
	instances []*instance
}

// instance is one box that a block makes.
type instance struct {
	name      string
	key       string               // of for_each
	vars      map[string]cty.Value // what count or each holds
	at        hcl.Range            // what names it: the block's label or the key
	overrides []declaration        // blocks for this instance alone
}

func (g *boxGroup) first() *hcl.Block { return g.blocks[0].Block }

func (g *boxGroup) instance(name string) *instance {
	for _, i := range g.instances {
		if i.name == name {
			return i
		}
	}
	return nil
}

// repeatVar is the name under which a repeated block sees which box it is
// making.
func repeatVar(repeat string) string { return strings.TrimPrefix(repeat, "for_") }

// expand finds out which boxes a block makes. The strongest layer that repeats
// it decides.
func (d *decoder) expand(g *boxGroup) {
	var attr *hcl.Attribute
	for _, b := range g.blocks {
		if a := d.repetition(b.Body); a != nil {
			attr = a
		}
	}
	if attr == nil {
		d.addInstance(g, &instance{name: g.name, at: g.first().LabelRanges[0]})
		return
	}
	g.repeat, g.foreign = attr.Name, d.foreignIn(attr.Expr)
	if attr.Name == "count" {
		d.expandCount(g, attr)
	} else {
		d.expandEach(g, attr)
	}
}

// repetition returns the argument that makes several boxes of a block, or nil.
func (d *decoder) repetition(body hcl.Body) *hcl.Attribute {
	content, _, _ := body.PartialContent(&hcl.BodySchema{Attributes: attributes("count", "for_each")})
	d.dropNulls(content.Attributes)
	count, each := content.Attributes["count"], content.Attributes["for_each"]
	if count != nil && each != nil {
		d.fail(each.NameRange, "Conflicting arguments", `A box has "count" or "for_each", not both; "count" is at %s.`, place(count.NameRange))
	}
	for _, a := range []*hcl.Attribute{each, count} {
		if a != nil {
			return a
		}
	}
	return nil
}

func (d *decoder) expandCount(g *boxGroup, a *hcl.Attribute) {
	var n int64
	d.integer(a, &n, 0, maxBoxes, "")
	for i := range n {
		d.addInstance(g, &instance{
			name: fmt.Sprintf("%s-%d", g.name, i), at: a.Expr.Range(),
			vars: map[string]cty.Value{"index": cty.NumberIntVal(i)},
		})
	}
}

func (d *decoder) expandEach(g *boxGroup, a *hcl.Attribute) {
	v, ok := d.eval(a.Expr)
	if !ok {
		return
	}
	if secretKeys(v) {
		// This quotes no value, so that it need not be redacted.
		d.fail(a.Expr.Range(), "Sensitive value", `"for_each" cannot be sensitive, since its keys are the names of boxes.`)
		return
	}
	ty := v.Type()
	if ty.IsMapType() || ty.IsObjectType() {
		for it := v.ElementIterator(); it.Next() && d.made <= maxBoxes; {
			key, value := it.Element()
			d.addEach(g, a, key.AsString(), value, keyRange(a.Expr, d.plain, key.AsString()))
		}
		return
	}
	if _, err := convert.Convert(v, cty.Set(cty.String)); err != nil || ty.IsPrimitiveType() {
		d.failValue(a.Expr, "Wrong type", `"for_each" must be a map or a set of strings; this is %s.`, describe(v))
		return
	}
	i, n := 0, v.LengthInt()
	for it := v.ElementIterator(); it.Next() && d.made <= maxBoxes; i++ {
		_, elem := it.Element()
		at := elementRange(a.Expr, i, n)
		elem, err := convert.Convert(elem, cty.String)
		if err != nil || elem.IsNull() {
			d.failPart(a.Expr, at, "Invalid value", `"for_each" holds a null.`)
			continue
		}
		d.addEach(g, a, elem.AsString(), elem, at)
	}
}

// secretKeys reports whether what for_each goes over comes from a sensitive
// variable. Values of a map may.
func secretKeys(v cty.Value) bool {
	if v.IsMarked() {
		return true
	}
	ty := v.Type()
	return !ty.IsMapType() && !ty.IsObjectType() && v.ContainsMarked()
}

func (d *decoder) addEach(g *boxGroup, a *hcl.Attribute, key string, value cty.Value, at hcl.Range) {
	name := g.name + "-" + key
	if err := checkName(name); err != nil {
		d.failPart(a.Expr, at, "Invalid name", "The key %s cannot make a box, whose name would be %s: %s.", quoted(key), quoted(name), err)
		return
	}
	if g.instance(name) != nil {
		d.failPart(a.Expr, at, "Duplicate box", "The key %s is there twice.", quoted(key))
		return
	}
	d.addInstance(g, &instance{
		name: name, key: key, at: at,
		vars: map[string]cty.Value{"key": cty.StringVal(key), "value": value},
	})
}

func (d *decoder) addInstance(g *boxGroup, i *instance) {
	switch err := checkName(i.name); {
	case d.made > maxBoxes:
		return
	case d.made == maxBoxes:
		d.fail(g.first().DefRange, "Too many boxes", "An Envfile can declare %d boxes.", maxBoxes)
	case err != nil: // with a number after it the label is too long
		d.fail(i.at, "Invalid name", "A box cannot be named %q: %s.", i.name, err)
		fallthrough
	default:
		g.instances = append(g.instances, i)
	}
	d.made++
}

// within evaluates what f decodes for one instance of g; nil stands for any, of
// which no value is known.
func (d *decoder) within(g *boxGroup, i *instance, f func()) {
	if g.repeat == "" {
		f()
		return
	}
	vars := map[string]cty.Value{
		"index": cty.UnknownVal(cty.Number), "key": cty.UnknownVal(cty.String), "value": cty.DynamicVal,
	}
	if i != nil {
		vars = i.vars
		d.again = i != g.instances[0]
	}
	plain := map[string]cty.Value{}
	for name, v := range vars {
		plain[name] = open(v)
	}
	ctx, open := d.ctx, d.plain
	d.ctx, d.plain = withVar(d.ctx, repeatVar(g.repeat), vars), withVar(d.plain, repeatVar(g.repeat), plain)
	d.scope.repeat = g.repeat
	d.foreign.add(repeatVar(g.repeat), "", g.foreign)
	f()
	delete(d.foreign, repeatVar(g.repeat)+".")
	d.ctx, d.plain = ctx, open
	d.scope.repeat, d.again = "", false
}

// repeatedRef reports a use of count or each where there is none.
func (d *decoder) repeatedRef(t hcl.Traversal) bool {
	root := t.RootName()
	want := map[string]string{"count": "count", "each": "for_each"}[root]
	if d.scope.repeat != want {
		d.fail(t.SourceRange(), "Unknown variable", "%q has a value only within a box that has %q.", root, want)
		return false
	}
	names := map[string][]string{"count": {"index"}, "each": {"key", "value"}}[root]
	if len(t) < 2 {
		return true
	}
	if name, ok := stepName(t[1]); ok && !slices.Contains(names, name) {
		d.fail(t[:2].SourceRange(), "Unknown variable", "There is no %s.%s; there is %s.%s", root, name, listOf(prefixed(root+".", names)), didYouMean(name, names))
		return false
	}
	return true
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n
	}
	return out
}
