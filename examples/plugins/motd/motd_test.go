package main

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/berth-dev/berth/provisioner"
	"github.com/berth-dev/berth/provisioner/provisionertest"
)

func TestMotd(t *testing.T) {
	g := &provisionertest.Guest{}
	if err := (&motd{Text: "hello", Path: "/etc/motd"}).Provision(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	runs := g.Runs()
	if len(runs) != 1 || string(runs[0].Input) != "hello\n" || runs[0].Argv[1] != "/etc/motd" || !runs[0].Root {
		t.Errorf("runs: %+v", runs)
	}
}

func TestEmptyText(t *testing.T) {
	var arg *provisioner.ArgError
	if err := (&motd{Text: " "}).Validate(); !errors.As(err, &arg) || arg.Arg != "text" {
		t.Errorf("error %v, want one of the argument text", err)
	}
}

// TestTutorial compares the program with the one in the tutorial.
func TestTutorial(t *testing.T) {
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ = bytes.Cut(program, []byte("\npackage main"))
	tutorial, err := os.ReadFile("../../../docs/writing-plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(tutorial, append([]byte("```go\npackage main"), append(program, "```\n"...)...)) {
		t.Error("the program in docs/writing-plugins.md is not that of main.go")
	}
}
