// Command berth-provider-local is a provider plugin whose boxes are folders of
// the host:
//
//	provider "local" {}
//
// It isolates nothing: a box is a home folder and a small SSH server on
// 127.0.0.1 that runs commands on the host as the user who started berth. It is
// for the tests of Berth, which need neither root nor LXC this way, and for
// authors of providers to read. Commands of all boxes see each other.
//
// A box has a fake sudo and a fake sftp-server, first in its PATH, so that
// steps which ask for root run as the user instead. Limits are refused, since
// the provider cannot set any. Where this program says "daemon", it means the
// SSH server of one box, which is this program again.
//
// Arguments, all for tests:
//
//	fail_start = true     # Start returns an error
//	silent     = true     # the box runs but nothing listens at its address
//	crash      = "create" # or "start": the plugin dies in the middle of that call
package main

import (
	"fmt"
	"os"

	"github.com/berth-dev/berth/plugins"
	"github.com/berth-dev/berth/provider"
)

// The first argument that makes this program something else than the plugin.
const (
	daemonArg = "box-daemon"
	sftpArg   = "box-sftp-server"
)

func main() {
	if !beOther() {
		plugins.ServeProvider(func() provider.Provider { return &local{} })
	}
}

// beOther runs the program's other parts if the arguments ask for one.
func beOther() bool {
	if len(os.Args) != 2 {
		return false
	}
	var err error
	switch os.Args[1] {
	case daemonArg:
		err = runDaemon()
	case sftpArg:
		err = serveSFTP(stdio{})
	default:
		return false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}
