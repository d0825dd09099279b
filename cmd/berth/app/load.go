package app

import (
	"context"
	"os"

	"github.com/hashicorp/hcl/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
)

// load reads the Envfile, and returns why ctx ended when it does before that: an
// expression can take seconds, and a slow filesystem as long as it likes. What is
// still loading then ends with the process.
func (d *deps) load(ctx context.Context, path string) (*config.Envfile, hcl.Diagnostics, error) {
	type loaded struct {
		file  *config.Envfile
		diags hcl.Diagnostics
	}
	options := config.Options{Vars: d.vars, Getenv: os.LookupEnv, Home: engine.UserHome(), User: userFile(), Version: Version}
	done := make(chan loaded, 1)
	go func() {
		file, diags := config.Load(path, options)
		done <- loaded{file, diags}
	}()
	select {
	case l := <-done:
		return l.file, l.diags, context.Cause(ctx)
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}
