package config

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// The methods below set *dst to the value of an argument. They do nothing when
// the argument is not written or is wrong, which they report.

// typed returns the argument's value as a ty; form says what is expected.
func (d *decoder) typed(a *hcl.Attribute, ty cty.Type, form string) (cty.Value, bool) {
	if a == nil {
		return cty.NilVal, false
	}
	v, ok := d.eval(a.Expr)
	if !ok || v.IsNull() {
		return cty.NilVal, false
	}
	if shownArguments[a.Name] && v.ContainsMarked() {
		d.fail(a.Expr.Range(), "Sensitive value", "%q cannot be sensitive: its value is shown to whoever uses the box.", a.Name)
		return cty.NilVal, false
	}
	v = open(v)
	got, err := convert.Convert(v, ty)
	if err != nil {
		d.failValue(a.Expr, "Wrong type", "%q must be %s; this is %s.", a.Name, form, describe(v))
		return cty.NilVal, false
	}
	if msg := tooLarge(got); msg != "" { // "1e999999999" is short text
		d.failValue(a.Expr, tooComplex, "The value of %q %s.", a.Name, msg)
		return cty.NilVal, false
	}
	return got, true
}

// shownArguments are those whose values are for showing, so that a secret in one
// would be told.
var shownArguments = map[string]bool{"image": true, "hostname": true, "message": true}

// describe names a value's type with its article.
func describe(v cty.Value) string {
	ty := v.Type()
	switch {
	case ty.IsTupleType() || ty.IsListType():
		return "a list"
	case ty.IsSetType():
		return "a set"
	case ty.IsObjectType() || ty.IsMapType():
		return "a map"
	}
	return "a " + ty.FriendlyName()
}

func (d *decoder) text(a *hcl.Attribute, dst *string, check func(string) error) {
	v, ok := d.typed(a, cty.String, "a string")
	if !ok {
		return
	}
	s := v.AsString()
	if check != nil {
		if err := check(s); err != nil {
			d.failValue(a.Expr, "Invalid value", "%q cannot be %s: %s.", a.Name, quoted(s), err)
			return
		}
	}
	*dst = s
}

// choice accepts one of the given words.
func (d *decoder) choice(a *hcl.Attribute, dst *string, words ...string) {
	v, ok := d.typed(a, cty.String, "a string")
	if !ok {
		return
	}
	s := v.AsString()
	if !slices.Contains(words, s) {
		d.failValue(a.Expr, "Invalid value", "%q must be %s, not %s.%s", a.Name, listOf(words), quoted(s), didYouMean(s, words))
		return
	}
	*dst = s
}

func (d *decoder) boolean(a *hcl.Attribute, dst *bool) {
	if v, ok := d.typed(a, cty.Bool, "true or false"); ok {
		*dst = v.True()
	}
}

func (d *decoder) float(a *hcl.Attribute, dst *float64, lo, hi float64) {
	v, ok := d.typed(a, cty.Number, "a number")
	if !ok {
		return
	}
	if f, _ := v.AsBigFloat().Float64(); f >= lo && f <= hi {
		*dst = f
		return
	}
	d.failValue(a.Expr, "Out of range", "%q must be from %v to %v, not %s.", a.Name, lo, hi, numberText(v))
}

// integer accepts a whole number. A hi of math.MaxInt64 is no limit. why is a
// sentence for the message, or "".
func (d *decoder) integer(a *hcl.Attribute, dst *int64, lo, hi int64, why string) {
	v, ok := d.typed(a, cty.Number, "a whole number")
	if !ok {
		return
	}
	n, acc := v.AsBigFloat().Int64()
	switch {
	case acc != big.Exact:
		d.failValue(a.Expr, "Invalid value", "%q must be a whole number, not %s.", a.Name, numberText(v))
	case n < lo && hi == math.MaxInt64:
		d.failValue(a.Expr, "Out of range", "%q must be at least %d, not %d.%s", a.Name, lo, n, why)
	case n < lo || n > hi:
		d.failValue(a.Expr, "Out of range", "%q must be from %d to %d, not %d.%s", a.Name, lo, hi, n, why)
	default:
		*dst = n
	}
}

func numberText(v cty.Value) string { return v.AsBigFloat().Text('g', 10) }

// size accepts a number of bytes or text such as "512MiB".
func (d *decoder) size(a *hcl.Attribute, dst *int64, lo int64, why string) {
	v, ok := d.typed(a, cty.String, sizeForm)
	if !ok {
		return
	}
	n, err := parseSize(v.AsString())
	switch {
	case strings.HasPrefix(v.AsString(), "-"):
		d.failValue(a.Expr, "Out of range", "%q must be at least %s, not %s.%s", a.Name, formatSize(lo), quoted(v.AsString()), why)
	case err != nil:
		d.failValue(a.Expr, "Invalid size", "%q cannot be %s: %s.", a.Name, quoted(v.AsString()), err)
	case n < lo:
		d.failValue(a.Expr, "Out of range", "%q must be at least %s, not %s.%s%s", a.Name, formatSize(lo), formatSize(n), why, unitHint(v.AsString()))
	default:
		*dst = n
	}
}

// unitHint says what a size without a unit means, which is seldom what is meant
// by a small one. It begins with a space or is empty.
func unitHint(s string) string {
	if n, err := strconv.ParseInt(s, 10, 64); err != nil || n == 0 {
		return ""
	}
	return fmt.Sprintf(` A number without a unit is bytes; write "%sMiB" for as many MiB.`, s)
}

func (d *decoder) duration(a *hcl.Attribute, dst *time.Duration, lo, hi time.Duration) {
	v, ok := d.typed(a, cty.String, `a duration such as "90s" or "2m"`)
	if !ok {
		return
	}
	t, err := parseDuration(v.AsString())
	switch {
	case err != nil:
		d.failValue(a.Expr, "Invalid duration", "%q cannot be %s: %s.", a.Name, quoted(v.AsString()), err)
	case t < lo || t > hi:
		d.failValue(a.Expr, "Out of range", "%q must be from %s to %s, not %s.", a.Name, formatDuration(lo), formatDuration(hi), formatDuration(t))
	default:
		*dst = t
	}
}

// maxTexts is the most elements that a list of names can have.
const maxTexts = 1000

func (d *decoder) texts(a *hcl.Attribute, dst *[]string) {
	v, ok := d.typed(a, cty.List(cty.String), "a list of strings")
	if !ok {
		return
	}
	if n := v.LengthInt(); n > maxTexts {
		d.failValue(a.Expr, "Invalid value", "%q has %d elements; at most %d are allowed.", a.Name, n, maxTexts)
		return
	}
	out := []string{}
	for _, elem := range v.AsValueSlice() {
		if elem.IsNull() {
			d.failValue(a.Expr, "Invalid value", "%q holds a null.", a.Name)
			return
		}
		out = append(out, elem.AsString())
	}
	*dst = out
}
