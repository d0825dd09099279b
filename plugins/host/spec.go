package host

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/berth-dev/berth/plugins/internal/wire"
)

// specOf returns how to decode a block with that schema. It is an
// hcldec.ObjectSpec, whose entries are named like the arguments.
func specOf(s *wire.Schema) hcldec.Spec {
	spec := hcldec.ObjectSpec{}
	for _, a := range s.Attributes {
		spec[a.Name] = attrSpec(a)
	}
	for _, b := range s.Blocks {
		nested := specOf(b.Schema)
		switch b.Nesting {
		case wire.List:
			spec[b.Name] = &hcldec.BlockListSpec{TypeName: b.Name, Nested: nested}
		default:
			spec[b.Name] = &hcldec.BlockSpec{TypeName: b.Name, Nested: nested, Required: b.Nesting == wire.One}
		}
	}
	return spec
}

func attrSpec(a wire.Attribute) hcldec.Spec {
	spec := hcldec.Spec(&hcldec.AttrSpec{Name: a.Name, Type: a.Type})
	if a.Type.IsListType() && a.Type.ElementType().IsPrimitiveType() {
		spec = listSpec(a)
	}
	if a.Required {
		// hcldec's own Required takes an argument that is null for given. Both would
		// report one that is not there.
		spec = &hcldec.ValidateSpec{Wrapped: spec, Func: func(v cty.Value) hcl.Diagnostics {
			if v.IsKnown() && v.IsNull() {
				return hcl.Diagnostics{{
					Severity: hcl.DiagError,
					Summary:  "Missing argument",
					Detail:   fmt.Sprintf("The argument %q is required here.", a.Name),
				}}
			}
			return nil
		}}
	}
	return spec
}

// listSpec decodes a list for which one value may stand: inline = "x" is the
// same as inline = ["x"].
func listSpec(a wire.Attribute) hcldec.Spec {
	any := &hcldec.AttrSpec{Name: a.Name, Type: cty.DynamicPseudoType}
	checked := &hcldec.ValidateSpec{Wrapped: any, Func: func(v cty.Value) hcl.Diagnostics {
		if _, err := toList(v, a.Type); err != nil {
			return hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  "Incorrect attribute value type",
				Detail: fmt.Sprintf("Inappropriate value for attribute %q: a list of %ss or one %[2]s is required.",
					a.Name, a.Type.ElementType().FriendlyName()),
			}}
		}
		return nil
	}}
	return &hcldec.TransformFuncSpec{Wrapped: checked, Func: function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType,
			AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true,
		}},
		Type: function.StaticReturnType(a.Type),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return toList(args[0], a.Type) },
	})}
}

// toList converts v to a list type, a single value to a list of one.
func toList(v cty.Value, list cty.Type) (cty.Value, error) {
	if !v.IsKnown() && v.Type().IsPrimitiveType() {
		return cty.UnknownVal(list), nil
	}
	if v.IsKnown() && !v.IsNull() && v.Type().IsPrimitiveType() {
		one, err := convert.Convert(v, list.ElementType())
		if err != nil {
			return cty.NilVal, err
		}
		return cty.ListVal([]cty.Value{one}), nil
	}
	return convert.Convert(v, list)
}

// EncodeConfig returns the value of a block, decoded with spec, in the form in
// which Validate, Inputs, Bind and Provision take it.
func EncodeConfig(val cty.Value, spec hcldec.Spec) ([]byte, error) {
	val, _ = val.UnmarkDeep()
	if !val.IsWhollyKnown() {
		return nil, errors.New("encode arguments: a value is not known")
	}
	config, err := ctyjson.Marshal(val, hcldec.ImpliedType(spec))
	if err != nil {
		return nil, fmt.Errorf("encode arguments: %w", err)
	}
	return config, nil
}
