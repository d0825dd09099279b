package lxc

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"time"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/cgroup"
	"github.com/berth-dev/berth/provider/lxc/subid"
)

// idForm keeps ids usable as names of folders, containers and cgroups. (Lengths
// are looked at apart from it: as a part of the form they cost every start.)
var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

const maxID = 60

func isID(id string) bool { return len(id) <= maxID && idForm.MatchString(id) }

// Create makes the box: a record with its leases, an empty upper folder over
// the image, and its identity in it.
func (p *lxcProvider) Create(ctx context.Context, spec provider.Spec, report provider.Report) error {
	if !isID(spec.ID) {
		return fmt.Errorf("create box: the id %q is not made of a-z, 0-9 and '-'", spec.ID)
	}
	r, err := p.store.load(spec.ID)
	if err == nil && r.Ready {
		return nil
	}
	if err != nil && !errors.Is(err, provider.ErrNotFound) {
		return err
	}
	if _, err := cgroup.Settings(spec.Resources, p.store.root); err != nil {
		return err // before an image is built for nothing
	}
	if _, _, err := p.wantedDisk(spec.Resources); err != nil {
		return err
	}
	if err := p.mode.checkFolders(ctx, p, spec.Folders); err != nil {
		return err
	}
	done, err := p.store.use(ctx, report) // until the record names what it is made of
	if err != nil {
		return err
	}
	defer done()
	layers, err := p.beginning(ctx, spec, report)
	if err != nil {
		return err
	}
	if err := p.checkUser(image{Name: spec.Image, Layer: layers[len(layers)-1]}, spec.User); err != nil {
		return err
	}
	if err := p.store.pruneCache(spec.ProjectID, time.Now()); err != nil {
		return fmt.Errorf("remove old packages of the project: %w", err)
	}
	r = record{ID: spec.ID, Project: spec.Project, Name: spec.Name, Image: spec.Image, Layers: layers,
		Hostname: spec.Hostname}
	if err := p.lease(ctx, &r); err != nil {
		return err
	}
	if err := p.makeDisk(ctx, r, spec); err != nil {
		return fmt.Errorf("create box %s: %w", r.ID, err)
	}
	r.Ready = true
	return p.store.save(r)
}

// beginning returns what a new box is made of, topmost first.
func (p *lxcProvider) beginning(ctx context.Context, spec provider.Spec, report provider.Report) ([]string, error) {
	if spec.Checkpoint != "" {
		layers, err := p.fromCheckpoint(ctx, spec)
		if err != nil {
			return nil, fmt.Errorf("create box %s: %w", spec.ID, err)
		}
		return layers, nil
	}
	img, err := p.image(ctx, spec.Image, report)
	return []string{img.Layer}, err
}

// lease gives the box its id range and address and writes its record, which is
// what holds them.
func (p *lxcProvider) lease(ctx context.Context, r *record) error {
	unlock, err := p.store.lock()
	if err != nil {
		return err
	}
	leftovers := p.store.claimGone()
	defer sweep(leftovers)
	defer unlock()                                  // before the leftovers go
	if old, err := p.store.load(r.ID); err == nil { // half made: its leases are good
		r.IDBase, r.Addr = old.IDBase, old.Addr
	}
	all, err := p.store.records()
	if err != nil {
		return err
	}
	if r.IDBase == 0 {
		if r.IDBase, err = p.mode.leaseIDs(p.store, all); err != nil {
			return err
		}
	}
	// The record comes first, so that a network made for this box is removed
	// with it, whatever happens in between.
	if err := p.store.saveUsing(*r, r.Layers); err != nil {
		return err
	}
	n, err := p.mode.network(ctx, p.store)
	if err != nil {
		return err
	}
	if err := p.store.assignAddress(r, n); err != nil {
		return err
	}
	return p.store.save(*r)
}

// makeDisk makes the box's disk anew.
func (p *lxcProvider) makeDisk(ctx context.Context, r record, spec provider.Spec) error {
	if err := p.store.forgetKept(r.ID); err != nil {
		return err
	}
	return p.makeDiskIn(ctx, p.store.file(r.ID, "disk"), r, spec)
}

// makeDiskIn makes a new disk of the box in the folder dir.
func (p *lxcProvider) makeDiskIn(ctx context.Context, dir string, r record, spec provider.Spec) error {
	size, _, err := p.wantedDisk(spec.Resources) // the start warns
	if err != nil {
		return err
	}
	o, err := makeOwn(ctx, dir, size)
	if err != nil {
		return err
	}
	defer o.close()
	return o.full(p.seed(o.upper(), r, spec, true))
}

// Ranges of host ids that are for containers by the common convention
// (systemd's UIDS-GIDS.md), and clear of what useradd gives to users in
// /etc/subuid, which begins at 100000 and is looked at besides.
const (
	firstIDBase = 0x40000000 // 1,073,741,824
	lastIDBase  = 0x6FFE0000 // 1,878,917,120
)

// freeIDRange picks a range that no box and no other owner has. Data folders
// begin at places of their own, so that the boxes of two hardly ever meet.
func freeIDRange(root string, boxes []record, others []subid.Range) (uint32, error) {
	const slots = (lastIDBase - firstIDBase) / idRange
	h := fnv.New32a()
	h.Write([]byte(root))
	start := h.Sum32() % slots
	for i := range uint32(slots) {
		base := firstIDBase + (start+i)%slots*idRange
		used := slices.ContainsFunc(boxes, func(r record) bool { return r.IDBase == base }) ||
			slices.ContainsFunc(others, subid.Range{First: uint64(base), Count: idRange}.Overlaps)
		if !used {
			return base, nil
		}
	}
	return 0, errors.New("find a range of user ids for the box: all are in use")
}

// subIDs returns the ranges that the host has given to others (subuid(5)).
func subIDs() []subid.Range {
	var all []subid.Range
	for _, path := range []string{subid.Users, subid.Groups} {
		ranges, err := subid.Load(path)
		if err == nil { // it need not exist
			all = append(all, ranges...)
		}
	}
	return all
}
