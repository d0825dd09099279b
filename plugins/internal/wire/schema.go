package wire

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
)

// Schema describes the arguments of a block.
type Schema struct {
	Attributes []Attribute
	Blocks     []NestedBlock
}

// Attribute is one argument: name = value.
type Attribute struct {
	Name     string
	Type     cty.Type
	Required bool
}

// NestedBlock is a block within the block.
type NestedBlock struct {
	Name    string
	Nesting Nesting
	Schema  *Schema
}

// Nesting says how often a nested block may be written.
type Nesting int32

// The nestings, numbered as in plugin.proto.
const (
	One      = Nesting(pluginpb.NestedBlock_NESTING_ONE)
	Optional = Nesting(pluginpb.NestedBlock_NESTING_OPTIONAL)
	List     = Nesting(pluginpb.NestedBlock_NESTING_LIST)
)

// SchemaOf returns the schema of the plugin's value v: that of the struct's
// exported fields with an `hcl` tag. A value that is no struct has no
// arguments.
func SchemaOf(v any) (*Schema, error) {
	t := reflect.TypeOf(v)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return &Schema{}, nil
	}
	return schemaOf(t)
}

func schemaOf(t reflect.Type) (*Schema, error) {
	fields, err := fieldsOf(t)
	if err != nil {
		return nil, err
	}
	s := &Schema{}
	for _, f := range fields {
		if f.block == nil {
			s.Attributes = append(s.Attributes, Attribute{Name: f.name, Type: f.typ, Required: f.required})
			continue
		}
		nested, err := schemaOf(f.block)
		if err != nil {
			return nil, err
		}
		s.Blocks = append(s.Blocks, NestedBlock{Name: f.name, Nesting: f.nesting, Schema: nested})
	}
	return s, nil
}

// Type returns the type in which the block's value crosses the wire.
func (s *Schema) Type() cty.Type {
	attrs := make(map[string]cty.Type)
	for _, a := range s.Attributes {
		attrs[a.Name] = a.Type
	}
	for _, b := range s.Blocks {
		attrs[b.Name] = b.Schema.Type()
		if b.Nesting == List {
			attrs[b.Name] = cty.List(attrs[b.Name])
		}
	}
	return cty.Object(attrs)
}

// field is a struct field with an `hcl` tag.
type field struct {
	index    int
	name     string
	required bool
	typ      cty.Type     // of an attribute
	block    reflect.Type // the struct of a block, else nil
	nesting  Nesting
}

func fieldsOf(t reflect.Type) ([]field, error) {
	var fields []field
	seen := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("hcl")
		if !ok || !f.IsExported() {
			continue
		}
		parsed, err := parseField(f.Type, tag)
		if err != nil {
			return nil, fmt.Errorf("field %s of %s: %w", f.Name, t, err)
		}
		if seen[parsed.name] {
			return nil, fmt.Errorf("field %s of %s: another field is named %q", f.Name, t, parsed.name)
		}
		seen[parsed.name] = true
		parsed.index = i
		fields = append(fields, parsed)
	}
	return fields, nil
}

func parseField(t reflect.Type, tag string) (field, error) {
	name, kind, _ := strings.Cut(tag, ",")
	if name == "" {
		return field{}, fmt.Errorf("tag hcl:%q has no name", tag)
	}
	switch kind {
	case "", "optional", "attr":
		typ, err := attrType(t)
		return field{name: name, typ: typ, required: kind != "optional"}, err
	case "block":
		block, nesting, err := blockType(t)
		return field{name: name, block: block, nesting: nesting}, err
	}
	return field{}, fmt.Errorf(`tag hcl:%q is not "name", "name,optional" or "name,block"`, tag)
}

// attrType returns the cty type of an attribute of Go type t.
func attrType(t reflect.Type) (cty.Type, error) {
	switch t.Kind() {
	case reflect.String:
		return cty.String, nil
	case reflect.Bool:
		return cty.Bool, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return cty.Number, nil
	case reflect.Pointer:
		return attrType(t.Elem())
	case reflect.Slice:
		elem, err := attrType(t.Elem())
		if err != nil {
			return cty.NilType, err
		}
		return cty.List(elem), nil
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			break
		}
		elem, err := attrType(t.Elem())
		if err != nil {
			return cty.NilType, err
		}
		return cty.Map(elem), nil
	}
	return cty.NilType, fmt.Errorf("an argument cannot have the Go type %s; use strings, bools, numbers, and slices and maps of them", t)
}

func blockType(t reflect.Type) (reflect.Type, Nesting, error) {
	nesting := One
	switch t.Kind() {
	case reflect.Pointer:
		t, nesting = t.Elem(), Optional
	case reflect.Slice:
		t, nesting = t.Elem(), List
	}
	if t.Kind() != reflect.Struct {
		return nil, 0, fmt.Errorf("a block cannot have the Go type %s; use a struct, a pointer to one or a slice of them", t)
	}
	return t, nesting, nil
}

func schemaToPB(s *Schema) (*pluginpb.Block, error) {
	b := &pluginpb.Block{}
	for _, a := range s.Attributes {
		typ, err := ctyjson.MarshalType(a.Type)
		if err != nil {
			return nil, fmt.Errorf("argument %s: %w", a.Name, err)
		}
		b.Attributes = append(b.Attributes, &pluginpb.Attribute{Name: a.Name, Type: typ, Required: a.Required})
	}
	for _, n := range s.Blocks {
		nested, err := schemaToPB(n.Schema)
		if err != nil {
			return nil, err
		}
		b.Blocks = append(b.Blocks, &pluginpb.NestedBlock{
			Name: n.Name, Nesting: pluginpb.NestedBlock_Nesting(n.Nesting), Block: nested,
		})
	}
	return b, nil
}

func schemaFromPB(b *pluginpb.Block) (*Schema, error) {
	s := &Schema{}
	for _, a := range b.GetAttributes() {
		typ, err := ctyjson.UnmarshalType(a.GetType())
		if err != nil {
			return nil, fmt.Errorf("argument %s: read type: %w", a.GetName(), err)
		}
		s.Attributes = append(s.Attributes, Attribute{Name: a.GetName(), Type: typ, Required: a.GetRequired()})
	}
	for _, n := range b.GetBlocks() {
		nesting := Nesting(n.GetNesting())
		if nesting != One && nesting != Optional && nesting != List {
			return nil, fmt.Errorf("block %s: unknown nesting %d; the plugin is newer than this berth", n.GetName(), nesting)
		}
		nested, err := schemaFromPB(n.GetBlock())
		if err != nil {
			return nil, err
		}
		s.Blocks = append(s.Blocks, NestedBlock{Name: n.GetName(), Nesting: nesting, Schema: nested})
	}
	return s, nil
}
