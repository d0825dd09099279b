package config

import (
	"errors"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// bounded wraps f so that neither what it gets nor what it returns is larger
// than any value may be, and what it does is counted. check may refuse arguments
// for which f would work long or make much in between.
func bounded(f function.Function, w *work, check func([]cty.Value) error) function.Function {
	params := f.Params()
	return function.New(&function.Spec{
		Params:   params,
		VarParam: f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			for i, arg := range args {
				size := weigh(arg)
				if msg := size.complaint(); msg != "" {
					return cty.NilType, function.NewArgErrorf(i, "this %s", msg)
				}
				if err := w.spend(size.elements + size.bytes/readBytes); err != nil {
					return cty.NilType, err
				}
			}
			if check != nil {
				if err := check(args); err != nil {
					return cty.NilType, err
				}
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := f.Call(args)
			if err != nil {
				return cty.DynamicVal, err
			}
			size := weigh(v)
			if msg := size.complaint(); msg != "" {
				return cty.DynamicVal, errors.New("the result " + msg)
			}
			return v, w.spend(size.elements + size.bytes/readBytes)
		},
	})
}

// precheck returns the check for the functions whose result can be far larger
// than their arguments, or that compare all elements with each other.
func precheck(name string, w *work) func([]cty.Value) error {
	switch name {
	case "format", "formatlist":
		return checkFormat
	case "indent":
		return checkIndent
	case "replace":
		return checkReplace
	case "join":
		return checkJoin
	case "distinct":
		return func(args []cty.Value) error { return checkDistinct(args, w) }
	case "regex", "regexall":
		return func(args []cty.Value) error { return checkRegex(args, w, name == "regexall") }
	case "jsondecode":
		return checkJSON
	}
	return nil
}

// widthRE matches a verb with a number of four digits or more.
var widthRE = regexp.MustCompile(`%[^A-Za-z%]*[0-9]{4,}`)

func checkFormat(args []cty.Value) error {
	total := 0
	for _, arg := range args {
		total += weigh(arg).bytes
	}
	f, ok := stringArg(args, 0)
	switch {
	case !ok:
		return nil
	case widthRE.MatchString(f):
		return function.NewArgErrorf(0, "a width or precision above 999 is not supported")
	case strings.Count(f, "%")*(total+1000) > maxBytes:
		return function.NewArgErrorf(0, "the result could be too large")
	}
	return nil
}

func checkIndent(args []cty.Value) error {
	text, ok := stringArg(args, 1)
	if !ok || !args[0].IsKnown() || args[0].IsNull() {
		return nil
	}
	n, _ := args[0].AsBigFloat().Int64()
	if n > 1000 {
		return function.NewArgErrorf(0, "more than 1000 spaces are not supported")
	}
	if int(n)*strings.Count(text, "\n") > maxBytes {
		return errors.New("the result would be too large")
	}
	return nil
}

func checkReplace(args []cty.Value) error {
	text, ok1 := stringArg(args, 0)
	old, ok2 := stringArg(args, 1)
	repl, ok3 := stringArg(args, 2)
	if ok1 && ok2 && ok3 && strings.Count(text, old)*len(repl) > maxBytes {
		return errors.New("the result would be too large")
	}
	return nil
}

func checkJoin(args []cty.Value) error {
	sep, ok := stringArg(args, 0)
	if !ok {
		return nil
	}
	elements := 0
	for _, arg := range args[1:] {
		elements += weigh(arg).elements
	}
	if elements*len(sep) > maxBytes {
		return errors.New("the result would be too large")
	}
	return nil
}

func checkDistinct(args []cty.Value, w *work) error {
	n := weigh(args[0]).elements
	if n > 4096 {
		return function.NewArgErrorf(0, "more than 4096 elements are not supported")
	}
	return w.spend(n * n / 2)
}

// stringArg returns an argument that is known text. Marks are off already:
// none of the functions asks for marked arguments.
func stringArg(args []cty.Value, i int) (string, bool) {
	if i >= len(args) || args[i].IsMarked() || !args[i].IsKnown() || args[i].IsNull() || args[i].Type() != cty.String {
		return "", false
	}
	return args[i].AsString(), true
}
