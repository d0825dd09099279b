package config

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFile(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, map[string]string{"secret": "top"})
	dir := t.TempDir()
	write(t, dir, map[string]string{"hello.txt": "hi", "bin": "\xff", "large": strings.Repeat("x", maxFile+1)})
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	eval := func(expr string) (string, string) {
		src := "box \"a\" {\n  image = \"x\"\n  message = " + expr + "\n}\n"
		e, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(src)}}, dir, Options{})
		for _, d := range diags {
			if d.Subject.Start.Line != 3 {
				t.Errorf("%s: placed at %s", expr, d.Subject)
			}
		}
		return e.Boxes[0].Message, diagText(diags)
	}
	for expr, want := range map[string]string{
		`file("hello.txt")`:                    "hi",
		`file("./hello.txt")`:                  "hi",
		`file("${path.project}/hello.txt")`:    "hi",
		`tostring(fileexists("hello.txt"))`:    "true",
		`tostring(fileexists("no"))`:           "false",
		`tostring(fileexists("."))`:            "false",
		`tostring(fileexists("hello.txt/no"))`: "false",
	} {
		if got, problem := eval(expr); got != want || problem != "" {
			t.Errorf("%s = %q, %s; want %q", expr, got, problem, want)
		}
	}
	for expr, want := range map[string]string{
		`file("none")`:                   "there is no file none in the project's folder",
		`file("../x")`:                   "outside",
		`file("/etc/passwd")`:            "outside",
		`file("link")`:                   "escapes",
		`fileexists("link")`:             "escapes",
		`fileexists("/etc/passwd")`:      "outside",
		`file("pipe")`:                   "not a regular file",
		`file(".")`:                      "not a regular file",
		`file("bin")`:                    "not UTF-8",
		`file("large")`:                  "larger than 1 MiB",
		`file("a\u0000b")`:               "invalid",
		`file("` + outside + `/secret")`: "outside",
		`base64decode("/w==")`:           "not UTF-8",
		`base64decode("*")`:              "not base64",
		`env("X", "a", "b")`:             "not 3 arguments",
		`jsondecode(join("", [for i in range(999) : "["]))`: "nested more than",
	} {
		if got, problem := eval(expr); got != "" || !strings.Contains(problem, want) {
			t.Errorf("%s = %q, problem %q; want %q", expr, got, problem, want)
		}
	}
}

func TestFunctions(t *testing.T) {
	want := map[string]string{
		`title(lower("ABC"))`:                          "Abc",
		`trimsuffix(trimprefix("abc", "a"), "c")`:      "b",
		`replace("a.b", ".", "-")`:                     "a-b",
		`regex("[0-9]+", "a12b")`:                      "12",
		`join(",", sort(distinct(["b", "a", "b"])))`:   "a,b",
		`join(",", keys(merge({ a = 1 }, { b = 2 })))`: "a,b",
		`format("%05.1f|%s", 1.25, "x")`:               "001.2|x",
		`lookup({ a = "x" }, "b", "none")`:             "none",
		`jsonencode(zipmap(["a"], [1]))`:               `{"a":1}`,
		`jsonencode(jsondecode("{\"a\":[1,\"]\"]}"))`:  `{"a":[1,"]"]}`,
		`base64decode(base64encode("ä"))`:              "ä",
		`tostring(startswith("abc", "ab"))`:            "true",
		`tostring(endswith("abc", "ab"))`:              "false",
		`strrev("abc")`:                                "cba",
		`tostring(max(1, min(5, 3)))`:                  "3",
		`tostring(contains(["a"], "a"))`:               "true",
		`join(",", setunion(["a"], ["b"]))`:            "a,b",
		`env("SET")`:                                   "yes",
		`env("UNSET", "no")`:                           "no",
		`coalesce(null, "x")`:                          "x",
		`element(["a", "b"], 3)`:                       "b",
		`tostring(length(flatten([[1], [2, 3]])))`:     "3",
		`sha256("")`:                                   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	}
	getenv := func(name string) (string, bool) { return "yes", name == "SET" }
	got := maps.Clone(want)
	for expr := range want {
		e := parseOK(t, Options{Getenv: getenv}, "box \"a\" {\n  image = \"x\"\n  message = "+expr+"\n}\n")
		got[expr] = e.Boxes[0].Message
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}
