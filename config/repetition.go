package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// repetition validates the arguments that make several boxes of one block.
func (d *decoder) repetition(attrs hcl.Attributes) {
	count, each := attrs["count"], attrs["for_each"]
	if count != nil {
		var n int64
		d.integer(count, &n, 0, maxBoxes, "")
		d.checkYet("count", `"count"`, count.NameRange)
	}
	if each == nil {
		return
	}
	if count != nil {
		d.fail(each.NameRange, "Conflicting arguments", `A box has "count" or "for_each", not both; "count" is at %s.`, place(count.NameRange))
	}
	if v, ok := d.eval(each.Expr); ok && !v.IsNull() {
		v = open(v)
		_, err := convert.Convert(v, cty.Set(cty.String))
		if ty := v.Type(); !ty.IsMapType() && !ty.IsObjectType() && (err != nil || ty.IsPrimitiveType()) {
			d.failValue(each.Expr, "Wrong type", `"for_each" must be a map or a set of strings; this is %s.`, describe(v))
		}
	}
	d.checkYet("for_each", `"for_each"`, each.NameRange)
}
