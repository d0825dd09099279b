package lxc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// stopTimeout bounds the cleaning up after a start that failed.
const stopTimeout = 20 * time.Second

// Start boots the box. Everything that the configuration says is made anew, so
// a box that was moved to another host boots with that host's facts.
func (p *lxcProvider) Start(ctx context.Context, spec provider.Spec, report provider.Report) error {
	r, err := p.store.load(spec.ID)
	if err != nil {
		return err
	}
	if !r.Ready {
		return fmt.Errorf("start box %s: it was never finished: %w", r.ID, provider.ErrNotFound)
	}
	state, _, err := p.tools.info(ctx, r.ID)
	if err != nil {
		return err
	}
	if state != "STOPPED" {
		return nil
	}
	if err := p.settle(ctx, r.ID); err != nil { // what a monitor that was killed may have left
		return fmt.Errorf("start box %s: %w", r.ID, err)
	}
	if r.Restoring != nil { // a Restore was killed
		if err := p.finishExchange(&r); err != nil {
			return fmt.Errorf("start box %s: %w", r.ID, err)
		}
	}
	if err := p.fitDisk(ctx, &r, spec, report); err != nil {
		return fmt.Errorf("start box %s: %w", r.ID, err)
	}
	if err := p.start(ctx, r, spec, report); err != nil {
		return errors.Join(err, p.disconnect())
	}
	return nil
}

// start boots a box of which nothing runs.
func (p *lxcProvider) start(ctx context.Context, r record, spec provider.Spec, report provider.Report) error {
	n, err := p.connect(ctx, &r, spec)
	if err != nil {
		return err
	}
	defer n.release()
	own, err := openOwn(p.store.file(r.ID, "disk")) // until the box has it
	if err != nil {
		return err
	}
	defer own.close()
	if err := own.freeReserve(); err != nil {
		return fmt.Errorf("make room on the disk of box %s: %w", r.ID, err)
	}
	limits, err := p.configure(r, own, n.network, spec)
	if err != nil {
		return err
	}
	if err := p.launch(ctx, r, n.network, spec); err != nil {
		return err
	}
	own.fillReserve()
	if err := p.verify(ctx, r, n.network, limits, report); err != nil {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return errors.Join(err, p.Stop(cleanup, r.ID, 0, nil))
	}
	return nil
}

// configure writes the box's configuration.
func (p *lxcProvider) configure(r record, own own, n network, spec provider.Spec) ([]cgroup.Setting, error) {
	limits, err := cgroup.Settings(spec.Resources, p.store.root)
	if err != nil {
		return nil, err
	}
	if err := p.seed(own.upper(), r, spec, false); err != nil {
		return nil, own.full(err)
	}
	text, err := boxConfig{
		record: r, net: n, hostname: spec.Hostname, limits: limits,
		nesting: p.Nesting, raw: p.Raw, apparmor: p.mode.appArmor(), mode: p.mode, dir: p.store.box(r.ID),
	}.text()
	if err != nil {
		return nil, err
	}
	files := map[string]string{"config": text, "seccomp": seccompProfile, "console.log": "", "lxc.log": ""}
	for name, content := range files {
		if err := os.WriteFile(p.store.file(r.ID, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	return limits, nil
}

// connection is the networks of a box that is started. Until release is called
// they stay, though no box may be in them yet.
type connection struct {
	network
	release func()
}

// connect makes sure that the networks are there, and that the box's addresses
// are of them and recorded.
func (p *lxcProvider) connect(ctx context.Context, r *record, spec provider.Spec) (connection, error) {
	unlock, err := p.store.lock()
	if err != nil {
		return connection{}, err
	}
	defer unlock()
	n, err := p.mode.network(ctx, p.store)
	if err != nil {
		return connection{}, err
	}
	before, err := json.Marshal(r)
	if err != nil {
		return connection{}, err
	}
	r.Hostname, r.Project = spec.Hostname, spec.Project
	if err := p.store.assignAddress(r, n); err != nil {
		return connection{}, err
	}
	release, err := p.mode.join(p.store, r, spec)
	if err != nil {
		return connection{}, err
	}
	if after, err := json.Marshal(r); err == nil && bytes.Equal(before, after) {
		return connection{n, release}, nil
	}
	if err := p.store.save(*r); err != nil {
		release()
		return connection{}, err
	}
	return connection{n, release}, nil
}

// disconnect removes the private networks that no box uses any more.
func (p *lxcProvider) disconnect() error {
	unlock, err := p.store.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return p.mode.leave(p.store)
}

// launch mounts the box's disk and boots it.
func (p *lxcProvider) launch(ctx context.Context, r record, n network, spec provider.Spec) error {
	// LXC wants its -P to be passable by the box's root.
	if err := os.Chmod(p.store.boxes(), 0o711); err != nil {
		return err
	}
	err := p.mode.boot(ctx, p, r, n, spec)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	} else {
		err = explainStart(err, p.store, r.ID)
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(fmt.Errorf("start box %s: %w", r.ID, err), p.Stop(cleanup, r.ID, 0, nil))
}

// disk returns what the box's root filesystem is made of, without folders.
func (p *lxcProvider) disk(r record) disk {
	d := disk{own: p.store.file(r.ID, "disk"), idBase: r.IDBase, path: p.store.boxes()}
	for _, layer := range r.Layers {
		d.layers = append(d.layers, p.store.layer(layer))
	}
	return d
}

// verify reads every limit back from the kernel, and finds out whether the box
// is cut off by somebody's firewall.
func (p *lxcProvider) verify(ctx context.Context, r record, n network, limits []cgroup.Setting, report provider.Report) error {
	_, pid, err := p.tools.info(ctx, r.ID)
	if err != nil {
		return err
	}
	warning, err := p.mode.reached(ctx, r, n, pid)
	if err != nil {
		return err
	}
	if warning != "" {
		report.Warn(warning)
	}
	if err := p.checkDisk(r, pid); err != nil || len(limits) == 0 {
		return err
	}
	box, err := cgroup.Open(r.ID, pid)
	if err != nil {
		return err
	}
	return box.Check(limits)
}
