package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
)

// The exit statuses. ssh -c returns that of its command, destroy 2 when some boxes
// were declined, and plan --exit-code 2 when there is something to do.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitEnvfile     = 3
	exitInterrupted = 130
)

// errInterrupted is why a context ended.
var errInterrupted = errors.New("interrupted")

// usageError is a command line that makes no sense.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// statusError ends the process with a status and says nothing: everything has
// been said.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// exit says what went wrong and returns the status to end with. It is the only
// place that knows which error means which status.
func (d *deps) exit(ctx context.Context, err error) int {
	d.ui.EndLive()
	if err == nil {
		return exitOK
	}
	var (
		status  statusError
		usage   *usageError
		envfile *engine.DiagError
	)
	switch {
	case errors.As(err, &status):
		return int(status)
	case errors.Is(context.Cause(ctx), errInterrupted):
		// What was cancelled says so; what could not be cleaned up is worth saying.
		if text := withoutCancelled(err); text != "" {
			d.ui.Fail(text)
		}
		return exitInterrupted
	case errors.As(err, &usage):
		d.ui.Fail(usage.text + "\nberth --help lists the commands, berth COMMAND --help their options.")
		return exitUsage
	case errors.As(err, &envfile):
		d.diagnose(envfile.Diags)
		return exitEnvfile
	}
	d.failures(err, false)
	return exitFailed
}

// failures writes what went wrong, each error of several as one of its own. An
// error that is shown as a place in the Envfile then says of which box it is:
// that line may be for many.
func (d *deps) failures(err error, several bool) {
	if all := joined(err); len(all) > 0 {
		for _, e := range all {
			d.failures(e, len(all) > 1)
		}
		return
	}
	var (
		refused *engine.RefusedError
		box     *engine.BoxError
	)
	if !errors.As(err, &refused) {
		d.ui.Fail(err.Error() + meantBox(err))
		return
	}
	diags := refused.Diags
	if several && errors.As(err, &box) {
		diags = nil
		for _, diag := range refused.Diags {
			named := *diag
			named.Summary = box.Verb + " " + box.Box + ": " + named.Summary
			diags = append(diags, &named)
		}
	}
	d.diagnose(diags)
}

// joined returns the errors that one is made of and that say all it says
// (errors.Join); none of one that has a text of its own beside its causes.
func joined(err error) []error {
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var texts []string
	for _, e := range all.Unwrap() {
		texts = append(texts, e.Error())
	}
	if strings.Join(texts, "\n") != err.Error() {
		return nil
	}
	return all.Unwrap()
}

// diagnose writes problems with the Envfile, each with its line.
func (d *deps) diagnose(diags hcl.Diagnostics) {
	cwd, _ := os.Getwd() // without it paths are shown in full
	d.ui.EndLive()
	_ = config.WriteDiagnostics(d.ui.Err, d.files, diags, config.WriteOptions{
		Color: d.ui.Color, Width: d.ui.Width, Cwd: cwd,
	})
}

// withoutCancelled returns the text of the parts of a joined error that are not
// just the cancellation.
func withoutCancelled(err error) string {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var parts []string
		for _, e := range joined.Unwrap() {
			if text := withoutCancelled(e); text != "" {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, "\n")
	}
	if errors.Is(err, context.Canceled) {
		return ""
	}
	return err.Error()
}
