package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/berth-dev/berth/provider"
)

// All returns how the boxes of all projects are, in the order in which they were
// made. It takes no lock.
func (e *Engine) All(ctx context.Context) ([]Status, error) {
	records, err := e.Home.Records("")
	if err != nil {
		return nil, err
	}
	all := make([]Status, len(records))
	var wg sync.WaitGroup
	for i, r := range records {
		all[i] = Status{Name: r.Name, State: provider.Unknown, Declared: true}
		wg.Go(func() {
			e.inspect(ctx, &Existing{record: r}, &all[i])
			all[i].noteForwards() // and heals none: that takes the project's Envfile
		})
	}
	wg.Wait()
	return all, ctx.Err()
}

// Logs returns the ends of a box's logs, most telling first.
func (e *Engine) Logs(ctx context.Context, name string) ([]provider.Log, error) {
	found, err := e.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if found.Record == nil {
		return nil, fmt.Errorf("box %q: %w", name, ErrNotCreated)
	}
	if found.Err != nil {
		return nil, found.Err
	}
	return found.Provider.Logs(ctx, found.Record.ID)
}
