package main

import (
	"errors"
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
