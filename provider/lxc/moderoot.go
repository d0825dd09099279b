package lxc

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// rootMode makes boxes as root: each with ids of its own, over layers whose ids
// the kernel maps (launch.go).
type rootMode struct{}

// check: package hostcheck knows all of it.
func (rootMode) check(context.Context, store) []string { return nil }

func (rootMode) leaseIDs(s store, boxes []record) (uint32, error) {
	return freeIDRange(s.root, boxes, subIDs())
}

func (rootMode) network(ctx context.Context, s store) (network, error) { return s.ensureNetwork(ctx) }
func (rootMode) release(s store) error                                 { return s.releaseNetwork() }
func (rootMode) leave(s store) error                                   { return s.leavePrivate() }

func (rootMode) join(s store, r *record, spec provider.Spec) (func(), error) {
	return s.joinNetworks(r, spec)
}

func (rootMode) configure(r record, n network, set func(key, value string)) {
	set("lxc.idmap", fmt.Sprintf("u 0 %d %d", r.IDBase, idRange))
	set("lxc.idmap", fmt.Sprintf("g 0 %d %d", r.IDBase, idRange))
	veths(r, n, set)
}

// checkFolders: mounts that are attached nowhere leave no trace.
func (rootMode) checkFolders(ctx context.Context, p *lxcProvider, folders []provider.Folder) error {
	trees, err := p.cloneFolders(ctx, folders, firstIDBase)
	closeTrees(trees)
	return err
}

func (rootMode) boot(ctx context.Context, p *lxcProvider, r record, _ network, spec provider.Spec) error {
	d := p.disk(r)
	d.folders = func() ([]tree, error) {
		trees, err := p.cloneFolders(ctx, spec.Folders, r.IDBase)
		if err != nil || !spec.PackageCache {
			return trees, err
		}
		packages, err := p.openCache(ctx, spec.ProjectID, r.IDBase)
		if err != nil {
			closeTrees(trees)
			return nil, err
		}
		return append(trees, packages), nil
	}
	return inMountNamespace(ctx, d, func() error {
		return p.tools.start(ctx, r.ID, p.store.file(r.ID, "lxc.log"), p.store.file(r.ID, "monitor.pid"))
	})
}

func (rootMode) reached(ctx context.Context, r record, n network, pid int) (string, error) {
	if err := r.useAddresses(pid); err != nil {
		return "", err
	}
	return checkForwarding(ctx, n, pid)
}

func (rootMode) tell(r record, pid int, block string) error {
	return editInBox(pid, r.IDBase, "etc", "hosts", func(text string) (string, bool) { return replaceBlock(text, block) })
}

func (rootMode) limitsDisks() error { return canMakeImages() }

func (rootMode) kill(pid int) { _ = unix.Kill(pid, unix.SIGKILL) } // it may be gone by now

func (rootMode) appArmor() string {
	if hostHasAppArmor() {
		return "generated"
	}
	return ""
}

func (rootMode) tools(s store) lxcTools { return lxcTools{store: s} }

func (rootMode) files() []imageFile { return nil }
