package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// variable is a value that the Envfile lets the user choose.
type variable struct {
	name      string
	ty        cty.Type // cty.NilType when no type is written
	optional  *typeexpr.Defaults
	fallback  *hcl.Attribute // nil: a value must be given
	outside   bool           // the fallback is one of another layer than the project's
	sensitive bool
	declRange hcl.Range
	typeRange hcl.Range
}

// decodeVariables gives every variable its value: from --var, from the
// environment, or its default, the one of the strongest layer.
func (d *decoder) decodeVariables(blocks []declaration) {
	vars := d.mergeVariables(blocks)
	d.scope.vars = map[string]bool{}
	marked, plain := map[string]cty.Value{}, map[string]cty.Value{}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		v, ok := d.variableValue(vars[name])
		if !ok {
			v = cty.DynamicVal
		}
		d.scope.vars[name] = true
		plain[name] = open(v)
		if marked[name] = plain[name]; vars[name].sensitive {
			marked[name] = plain[name].Mark(secretMark{})
		}
		d.foreign.add("var", name, d.foreignVariable(vars[name]))
	}
	d.ctx, d.plain = withVar(d.ctx, "var", marked), withVar(d.plain, "var", plain)

	names := slices.Collect(maps.Keys(vars))
	for _, given := range slices.Sorted(maps.Keys(d.o.Vars)) {
		if vars[given] == nil {
			at := hcl.Range{Filename: "--var " + given}
			d.fail(at, "Unknown variable", "The Envfile declares no variable %q.%s", given, didYouMean(given, names))
		}
	}
}

// withVar returns ctx with one more object of values.
func withVar(ctx *hcl.EvalContext, name string, values map[string]cty.Value) *hcl.EvalContext {
	vars := maps.Clone(ctx.Variables)
	vars[name] = cty.ObjectVal(values)
	return &hcl.EvalContext{Variables: vars, Functions: ctx.Functions}
}

// mergeVariables decodes the blocks; a later layer overrides an earlier one
// argument by argument.
func (d *decoder) mergeVariables(blocks []declaration) map[string]*variable {
	vars := map[string]*variable{}
	layers := map[string]declaration{}
	for _, b := range blocks {
		name := b.Labels[0]
		if !hclsyntax.ValidIdentifier(name) {
			d.fail(b.LabelRanges[0], "Invalid name", "A variable cannot be named %q: use letters, digits, '_' and '-', and begin with a letter.", name)
			continue
		}
		if first, ok := layers[name]; ok && first.layer == b.layer {
			d.fail(b.LabelRanges[0], "Duplicate variable", "The variable %q is declared already, at %s.", name, place(first.DefRange))
			continue
		}
		layers[name] = b
		v := vars[name]
		if v == nil {
			v = &variable{name: name}
			vars[name] = v
		}
		fallback := v.fallback
		if d.decodeVariable(v, b.Block); v.fallback != fallback {
			v.outside = b.layer != LayerProject
		}
	}
	return vars
}

func (d *decoder) decodeVariable(v *variable, b *hcl.Block) {
	attrs := d.content(b.Body, variableSchema).Attributes
	v.declRange = b.DefRange
	if a := attrs["type"]; a != nil {
		if ty, optional, ok := d.typeOf(a.Expr); ok {
			v.ty, v.optional, v.typeRange = ty, optional, a.Expr.Range()
		}
	}
	var description string
	d.text(attrs["description"], &description, nil)
	d.boolean(attrs["sensitive"], &v.sensitive)
	if a := attrs["default"]; a != nil {
		v.fallback = a
	}
}

func (d *decoder) variableValue(v *variable) (cty.Value, bool) {
	fallback, fallbackOK := cty.NilVal, false
	if v.fallback != nil {
		fallback, fallbackOK = d.defaultValue(v)
	}
	if v.ty == cty.NilType {
		v.ty = impliedType(fallback, fallbackOK)
	}
	if s, ok := d.o.Vars[v.name]; ok {
		return d.givenValue(v, s, "--var "+v.name)
	}
	if s, ok := d.o.lookupEnv(envPrefix + v.name); ok {
		return d.givenValue(v, s, envPrefix+v.name)
	}
	if v.fallback == nil {
		d.fail(v.declRange, "No value for variable",
			"The variable %q has no default. Give it a value in one of three ways: --var %s=VALUE, the environment variable %s%s, or a default in %s.",
			v.name, v.name, envPrefix, v.name, LocalFileName)
	}
	return fallback, fallbackOK
}

// impliedType is the type of a variable that declares none: that of a simple
// default, else whatever is given.
func impliedType(fallback cty.Value, ok bool) cty.Type {
	if ok && !fallback.IsNull() && fallback.Type().IsPrimitiveType() {
		return fallback.Type()
	}
	return cty.DynamicPseudoType
}

// defaultValue evaluates a default. What is wrong with a sensitive one is said
// at the variable's header, since the line of the default shows the value.
func (d *decoder) defaultValue(v *variable) (cty.Value, bool) {
	before := len(d.diags)
	d.scope.inDefault = true
	val, ok := d.eval(v.fallback.Expr)
	d.scope.inDefault = false
	if ok && v.ty != cty.NilType {
		var err error
		if val, err = v.convert(open(val)); err != nil {
			d.fail(v.fallback.Expr.Range(), "Wrong type", "The default of variable %q must be %s: %s.", v.name, typeName(v.ty), err)
			ok = false
		}
	}
	if v.sensitive {
		for _, diag := range d.diags[before:] {
			diag.Subject, diag.Context, diag.Expression = &v.declRange, nil, nil
			diag.Detail = fmt.Sprintf("The default of variable %q is wrong. It is sensitive, so it is not shown here.", v.name)
		}
	}
	return val, ok
}

// givenValue turns text from outside the files into a value of v's type.
func (d *decoder) givenValue(v *variable, s, from string) (cty.Value, bool) {
	val, err := v.parse(s)
	if err == nil {
		val, err = v.convert(val)
	}
	if err == nil {
		if msg := tooLarge(val); msg != "" {
			err = fmt.Errorf("it %s", msg)
		}
	}
	if err == nil {
		return val, true
	}
	shown, why := fmt.Sprintf(" %q", s), fmt.Sprintf(": %s", err)
	if v.sensitive {
		shown, why = "", ""
	}
	d.fail(v.declRange, "Wrong type", "The value%s from %s for variable %q is not %s%s.", shown, from, v.name, typeName(v.ty), why)
	return cty.NilVal, false
}

// parse reads s as the type wants it: text as it is, all else as an expression
// without variables and functions.
func (v *variable) parse(s string) (cty.Value, error) {
	if v.ty.IsPrimitiveType() || v.ty == cty.DynamicPseudoType {
		if msg := checkNumber(s); v.ty == cty.Number && msg != "" {
			return cty.NilVal, fmt.Errorf("it is too long")
		}
		return cty.StringVal(s), nil
	}
	if len(s) > maxFile {
		return cty.NilVal, errTooLarge
	}
	tokens, _ := hclsyntax.LexExpression([]byte(s), "", hcl.InitialPos)
	if diag := checkTokens(tokens); diag != nil {
		return cty.NilVal, fmt.Errorf("it is too complex")
	}
	expr, diags := hclsyntax.ParseExpression([]byte(s), "", hcl.InitialPos)
	if !diags.HasErrors() {
		val, more := expr.Value(nil)
		if !more.HasErrors() {
			return val, nil
		}
		diags = more
	}
	return cty.NilVal, fmt.Errorf("write it as in an Envfile, such as %s", exampleOf(v.ty))
}

func (v *variable) convert(val cty.Value) (cty.Value, error) {
	if v.optional != nil && !val.IsNull() {
		val = v.optional.Apply(val)
	}
	return convert.Convert(val, v.ty)
}

func exampleOf(ty cty.Type) string {
	if ty.IsMapType() || ty.IsObjectType() {
		return `{ key = "value" }`
	}
	return `["a", "b"]`
}

func typeName(ty cty.Type) string {
	switch {
	case ty == cty.DynamicPseudoType:
		return "any value"
	case ty.IsObjectType():
		return "an object"
	}
	return "a " + ty.FriendlyName()
}

var variableSchema = &hcl.BodySchema{Attributes: attributes("type", "default", "description", "sensitive")}
