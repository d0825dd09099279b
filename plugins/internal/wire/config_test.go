package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

type everything struct {
	Required string              `hcl:"required"`
	Name     string              `hcl:"name,optional"`
	On       bool                `hcl:"on,optional"`
	Int      int                 `hcl:"int,optional"`
	Small    uint8               `hcl:"small,optional"`
	Float    float32             `hcl:"float,optional"`
	Maybe    *bool               `hcl:"maybe,optional"`
	List     []string            `hcl:"list,optional"`
	Lists    [][]int             `hcl:"lists,optional"`
	Map      map[string]string   `hcl:"map,optional"`
	Maps     map[string][]string `hcl:"maps,optional"`
	One      inner               `hcl:"one,block"`
	Optional *inner              `hcl:"perhaps,block"`
	Many     []inner             `hcl:"many,block"`
	Untagged chan int
	hidden   string `hcl:"hidden"`
}

type inner struct {
	Size int    `hcl:"size,optional"`
	Word string `hcl:"word,optional"`
}

func plainBad(arg string, err error) error { return errors.New(arg + ": " + err.Error()) }

func TestSchemaCrosses(t *testing.T) {
	s, err := SchemaOf(&everything{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Attributes) != 11 || len(s.Blocks) != 3 || !s.Attributes[0].Required || s.Attributes[1].Required {
		t.Errorf("schema %+v", s)
	}
	b, err := schemaToPB(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := schemaFromPB(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, got, cmp.Comparer(func(a, b cty.Type) bool { return a.Equals(b) })); diff != "" {
		t.Error(diff)
	}
	b.Blocks[0].Nesting = 99
	if _, err := schemaFromPB(b); err == nil || !strings.Contains(err.Error(), "unknown nesting 99") {
		t.Errorf("error %v", err)
	}
}

func TestDecodeConfig(t *testing.T) {
	yes := true
	defaults := func() *everything {
		return &everything{
			Name: "keep", List: []string{"keep"}, Map: map[string]string{"keep": "1"}, hidden: "keep",
			One: inner{Size: 7}, Optional: &inner{Size: 8, Word: "keep"}, Many: []inner{{Size: 9}},
		}
	}
	none := `"required":null,"name":null,"on":null,"int":null,"small":null,"float":null,"maybe":null,"list":null,` +
		`"lists":null,"map":null,"maps":null,"one":null,"perhaps":null,"many":[]`
	for config, want := range map[string]*everything{
		"":               defaults(),
		"{" + none + "}": defaults(),
		`{"required":"r","name":"n","on":true,"int":-5,"small":255,"float":1.5,"maybe":true,"list":["a","b"],
		  "lists":[[1],[2,3]],"map":{"k":"v"},"maps":{"k":["v"]},"one":{"size":null,"word":"w"},
		  "perhaps":{"size":1,"word":null},"many":[{"size":1,"word":"x"},{"size":null,"word":null}]}`: {
			Required: "r", Name: "n", On: true, Int: -5, Small: 255, Float: 1.5, Maybe: &yes, List: []string{"a", "b"},
			Lists: [][]int{{1}, {2, 3}}, Map: map[string]string{"k": "v"}, Maps: map[string][]string{"k": {"v"}},
			One: inner{Size: 7, Word: "w"}, Optional: &inner{Size: 1, Word: "keep"},
			Many: []inner{{Size: 1, Word: "x"}, {}}, hidden: "keep",
		},
	} {
		got := defaults()
		if err := decodeConfig([]byte(config), got, plainBad); err != nil {
			t.Errorf("%s: %v", config, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(everything{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", config, diff)
		}
	}
	bad := strings.Replace("{"+none+"}", `"perhaps":null`, `"perhaps":{"size":1.5,"word":null}`, 1)
	err := decodeConfig([]byte(bad), defaults(), plainBad)
	if err == nil || !strings.HasPrefix(err.Error(), "perhaps.size: value must be a whole number") {
		t.Errorf("error %v, want one of perhaps.size", err)
	}
	err = decodeConfig([]byte(`{"size":1,"word":null}`), inner{}, plainBad)
	if err == nil || !strings.Contains(err.Error(), "it must return a pointer") {
		t.Errorf("error %v", err)
	}
	if err := decodeConfig([]byte(`{}`), nil, plainBad); err != nil {
		t.Error(err)
	}
}

func TestBadTags(t *testing.T) {
	for want, v := range map[string]any{
		"field A of struct": struct {
			A chan int `hcl:"a"`
		}{},
		`tag hcl:",optional" has no name`: struct {
			A string `hcl:",optional"`
		}{},
		`tag hcl:"a,label" is not`: struct {
			A string `hcl:"a,label"`
		}{},
		"a block cannot have the Go type string": struct {
			A string `hcl:"a,block"`
		}{},
		"cannot have the Go type map[int]string": struct {
			A map[int]string `hcl:"a"`
		}{},
		`another field is named "a"`: struct {
			A string `hcl:"a"`
			B string `hcl:"a"`
		}{},
		"cannot have the Go type wire.inner": struct {
			A inner `hcl:"a"`
		}{},
	} {
		if _, err := SchemaOf(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
