package wire

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// badArg makes the error that blames one argument.
type badArg func(arg string, err error) error

// decodeConfig fills v, a pointer to the plugin's struct, with the block's
// arguments. What the user did not write keeps the constructor's value.
func decodeConfig(config []byte, v any, bad badArg) error {
	schema, err := SchemaOf(v)
	if err != nil {
		return err
	}
	if len(config) == 0 || len(schema.Attributes)+len(schema.Blocks) == 0 {
		return nil
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer {
		return fmt.Errorf("the plugin's constructor returns a %T; it must return a pointer, to have arguments", v)
	}
	val, err := ctyjson.Unmarshal(config, schema.Type())
	if err != nil {
		return fmt.Errorf("read arguments: %w", err)
	}
	return fill(rv.Elem(), val, "", bad)
}

// fill sets the fields of the struct s from the object val, whose arguments
// have names that begin with prefix.
func fill(s reflect.Value, val cty.Value, prefix string, bad badArg) error {
	fields, err := fieldsOf(s.Type())
	if err != nil {
		return err
	}
	for _, f := range fields {
		got := val.GetAttr(f.name)
		if got.IsNull() {
			continue
		}
		if err := fillField(s.Field(f.index), f, got, prefix+f.name, bad); err != nil {
			return err
		}
	}
	return nil
}

func fillField(into reflect.Value, f field, got cty.Value, path string, bad badArg) error {
	if f.block == nil {
		if err := setAttr(into, got); err != nil {
			return bad(path, err)
		}
		return nil
	}
	switch f.nesting {
	case Optional:
		if into.IsNil() {
			into.Set(reflect.New(f.block))
		}
		into = into.Elem()
	case List:
		return fillList(into, f, got, path, bad)
	}
	return fill(into, got, path+".", bad)
}

func fillList(into reflect.Value, f field, got cty.Value, path string, bad badArg) error {
	if got.LengthInt() == 0 {
		return nil // no block was written: the constructor's ones stay
	}
	list := reflect.MakeSlice(into.Type(), got.LengthInt(), got.LengthInt())
	for i, elem := range got.AsValueSlice() {
		if elem.IsNull() {
			continue
		}
		if err := fill(list.Index(i), elem, path+".", bad); err != nil {
			return err
		}
	}
	into.Set(list)
	return nil
}

// setAttr sets a field to an attribute's value. The value is made apart first,
// so that a map or slice of the constructor is replaced and not added to.
func setAttr(into reflect.Value, got cty.Value) error {
	fresh := reflect.New(into.Type())
	if err := gocty.FromCtyValue(got, fresh.Interface()); err != nil {
		var at cty.PathError
		if errors.As(err, &at) {
			return errors.New(at.Error()) // its position is relative to the attribute
		}
		return err
	}
	into.Set(fresh.Elem())
	return nil
}
