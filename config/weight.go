package config

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// A value can name another twice, that one a third twice, and so on: a few
// lines stand for more elements than fit in memory. These limits on every
// value keep all work in proportion to the source.
const (
	maxElements = 1 << 16 // elements of a value, at all levels
	maxBytes    = 1 << 20 // text in a value, at all levels
	maxBits     = 512     // exponent of a number, in powers of two

	totalElements = 4 << 20   // elements of all values together
	totalBytes    = 256 << 20 // text in all values together
)

// tooLarge says which limit v exceeds, or "".
func tooLarge(v cty.Value) string { return weigh(v).complaint() }

// weigh adds up what v holds. It stops where a limit is.
func weigh(v cty.Value) weigher {
	w := weigher{}
	w.add(v)
	return w
}

type weigher struct {
	elements, bytes      int
	hugeNumber, infinite bool
}

func (w weigher) complaint() string {
	switch {
	case w.elements > maxElements:
		return fmt.Sprintf("has more than %d elements", maxElements)
	case w.bytes > maxBytes:
		return fmt.Sprintf("holds more than %s of text", formatSize(maxBytes))
	case w.hugeNumber:
		return "holds a number with more than 150 digits"
	}
	return ""
}

func (w *weigher) add(v cty.Value) {
	w.elements++
	v, _ = v.Unmark()
	if w.elements > maxElements || w.bytes > maxBytes || v == cty.NilVal || !v.IsKnown() || v.IsNull() {
		return
	}
	ty := v.Type()
	switch {
	case ty == cty.String:
		w.bytes += len(v.AsString())
	case ty == cty.Number:
		n := v.AsBigFloat()
		exp := n.MantExp(nil)
		w.infinite = w.infinite || n.IsInf()
		w.hugeNumber = w.hugeNumber || n.IsInf() || exp > maxBits || exp < -maxBits
	case ty.IsCollectionType() || ty.IsObjectType() || ty.IsTupleType():
		for it := v.ElementIterator(); it.Next(); {
			key, elem := it.Element()
			if key, _ := key.Unmark(); key.IsKnown() && !key.IsNull() && key.Type() == cty.String {
				w.bytes += len(key.AsString())
			}
			w.add(elem)
			if w.elements > maxElements || w.bytes > maxBytes {
				return
			}
		}
	}
}
