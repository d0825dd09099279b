package engine

import (
	"fmt"

	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// spec is what the provider is asked for.
func (e *Engine) spec(t *target, keys state.Keys) provider.Spec {
	b, r := t.box, t.box.Resources
	spec := provider.Spec{
		ID: t.id, Project: e.Envfile.Project.Name, ProjectID: e.Project.ID, Name: b.Name, Hostname: b.Hostname,
		Image: t.record.Image, Checkpoint: t.record.Checkpoint, User: b.SSH.User, Env: e.env(b),
		AuthorizedKey: keys.Public, HostKey: keys.HostPrivate,
		Resources: provider.Resources{
			CPUs: r.CPUs, CPUWeight: r.CPUWeight, CPUSet: r.CPUSet, Memory: r.Memory, Swap: r.Swap, PIDs: r.PIDs,
			Disk: r.Disk, DiskOptional: r.DiskOptional,
			IO: provider.IO(r.IO),
		},
		Networks: e.networks(b), Folders: e.specFolders(b), PackageCache: b.PackageCache,
	}
	if b.HostCA {
		spec.CACertificates = e.Host.Certificates
	}
	return spec
}

// report shows the provider's news.
func (t *target) report() provider.Report {
	return func(ev provider.Event) {
		if ev.Warning {
			t.voice.Warn("%s", ev.Text)
			return
		}
		if ev.Total > 0 {
			t.voice.Progress(fmt.Sprintf("%s (%d%%)", ev.Text, ev.Done*100/ev.Total))
			return
		}
		t.voice.Progress(ev.Text)
	}
}
