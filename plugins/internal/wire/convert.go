package wire

import (
	"io/fs"
	"time"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provisioner"
)

// The conversions are plain lists of fields; a test fills every field and
// compares after a round trip, so that none can be forgotten.

func specToPB(s provider.Spec) *pluginpb.Spec {
	return &pluginpb.Spec{
		Id: s.ID, Project: s.Project, Name: s.Name, Hostname: s.Hostname, Image: s.Image, User: s.User,
		Env: envToPB(s.Env), AuthorizedKey: s.AuthorizedKey, HostKey: s.HostKey,
		Resources: resourcesToPB(s.Resources), Networks: each(s.Networks, networkToPB),
		Folders: each(s.Folders, folderToPB), Hosts: each(s.Hosts, hostToPB), CaCertificates: s.CACertificates, PackageCache: s.PackageCache,
		ProjectId: s.ProjectID, Checkpoint: s.Checkpoint,
	}
}

func specFromPB(s *pluginpb.Spec) provider.Spec {
	return provider.Spec{
		ID: s.GetId(), Project: s.GetProject(), Name: s.GetName(), Hostname: s.GetHostname(),
		Image: s.GetImage(), User: s.GetUser(), Env: envFromPB(s.GetEnv()),
		AuthorizedKey: s.GetAuthorizedKey(), HostKey: s.GetHostKey(),
		Resources: resourcesFromPB(s.GetResources()), Networks: each(s.GetNetworks(), networkFromPB),
		Folders: each(s.GetFolders(), folderFromPB), Hosts: each(s.GetHosts(), hostFromPB), CACertificates: s.GetCaCertificates(), PackageCache: s.GetPackageCache(),
		ProjectID: s.GetProjectId(), Checkpoint: s.GetCheckpoint(),
	}
}

// each converts the elements of a list; one that is empty becomes nil, as on the
// wire.
func each[A, B any](list []A, convert func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = convert(v)
	}
	return out
}

func networkToPB(n provider.Network) *pluginpb.Network {
	return &pluginpb.Network{Name: text(n.Name), Ip: n.IP, Subnet: n.Subnet, Reserved: n.Reserved}
}

func networkFromPB(n *pluginpb.Network) provider.Network {
	return provider.Network{Name: n.GetName(), IP: n.GetIp(), Subnet: n.GetSubnet(), Reserved: n.GetReserved()}
}

func folderToPB(f provider.Folder) *pluginpb.Folder {
	return &pluginpb.Folder{
		Source: []byte(f.Source), Target: []byte(f.Target), ReadOnly: f.ReadOnly,
		Protect: each(f.Protect, func(s string) []byte { return []byte(s) }),
	}
}

func folderFromPB(f *pluginpb.Folder) provider.Folder {
	return provider.Folder{
		Source: string(f.GetSource()), Target: string(f.GetTarget()), ReadOnly: f.GetReadOnly(),
		Protect: each(f.GetProtect(), func(b []byte) string { return string(b) }),
	}
}

func hostToPB(h provider.Host) *pluginpb.Host { return &pluginpb.Host{Ip: h.IP, Names: h.Names} }

func hostFromPB(h *pluginpb.Host) provider.Host {
	return provider.Host{IP: h.GetIp(), Names: h.GetNames()}
}

func resourcesToPB(r provider.Resources) *pluginpb.Resources {
	return &pluginpb.Resources{
		Cpus: r.CPUs, CpuWeight: r.CPUWeight, CpuSet: r.CPUSet, Memory: r.Memory, Swap: r.Swap, Pids: r.PIDs,
		Disk: r.Disk, DiskOptional: r.DiskOptional,
		Io: &pluginpb.IO{
			Weight: r.IO.Weight, Read: r.IO.Read, Write: r.IO.Write,
			ReadIops: r.IO.ReadIOPS, WriteIops: r.IO.WriteIOPS,
		},
	}
}

func resourcesFromPB(r *pluginpb.Resources) provider.Resources {
	io := r.GetIo()
	out := provider.Resources{
		CPUs: r.GetCpus(), CPUWeight: r.GetCpuWeight(), CPUSet: r.GetCpuSet(), Memory: r.GetMemory(), PIDs: r.GetPids(),
		Disk: r.GetDisk(), DiskOptional: r.GetDiskOptional(),
		IO: provider.IO{
			Weight: io.GetWeight(), Read: io.GetRead(), Write: io.GetWrite(),
			ReadIOPS: io.GetReadIops(), WriteIOPS: io.GetWriteIops(),
		},
	}
	if r != nil {
		out.Swap = r.Swap // a pointer on both sides: nil and 0 differ
	}
	return out
}

func boxToPB(b provider.Box) *pluginpb.Box {
	return &pluginpb.Box{
		Id: b.ID, State: text(string(b.State)), SshAddr: b.SSHAddr, Started: timeToPB(b.Started),
		Networks: each(b.Networks, networkToPB), Limits: resourcesToPB(b.Limits),
		Usage: &pluginpb.Usage{
			Cpu: int64(b.Usage.CPU), Memory: b.Usage.Memory, Swap: b.Usage.Swap, Pids: b.Usage.PIDs,
		},
	}
}

func boxFromPB(b *pluginpb.Box) provider.Box {
	u := b.GetUsage()
	return provider.Box{
		ID: b.GetId(), State: stateFromPB(b.GetState()), SSHAddr: b.GetSshAddr(), Started: timeFromPB(b.GetStarted()),
		Networks: each(b.GetNetworks(), networkFromPB), Limits: resourcesFromPB(b.GetLimits()),
		Usage: provider.Usage{
			CPU: time.Duration(u.GetCpu()), Memory: u.GetMemory(), Swap: u.GetSwap(), PIDs: u.GetPids(),
		},
	}
}

// stateFromPB takes a state that this side does not know for Unknown: a newer
// plugin must not be able to crash or mislead an older berth.
func stateFromPB(s string) provider.State {
	switch st := provider.State(s); st {
	case provider.Stopped, provider.Running, provider.Frozen:
		return st
	}
	return provider.Unknown
}

func checkpointToPB(c provider.Checkpoint) *pluginpb.Checkpoint {
	return &pluginpb.Checkpoint{Key: c.Key, Image: text(c.Image), Size: c.Size, Shared: c.Shared, Created: timeToPB(c.Created)}
}

func checkpointFromPB(c *pluginpb.Checkpoint) provider.Checkpoint {
	return provider.Checkpoint{
		Key: c.GetKey(), Image: c.GetImage(), Size: c.GetSize(), Shared: c.GetShared(), Created: timeFromPB(c.GetCreated()),
	}
}

func logToPB(l provider.Log) *pluginpb.Log {
	return &pluginpb.Log{Name: text(l.Name), Path: []byte(l.Path), Tail: []byte(l.Tail)}
}

func logFromPB(l *pluginpb.Log) provider.Log {
	return provider.Log{Name: l.GetName(), Path: string(l.GetPath()), Tail: string(l.GetTail())}
}

func eventToPB(e provider.Event) *pluginpb.Event {
	return &pluginpb.Event{Text: text(e.Text), Done: e.Done, Total: e.Total, Warning: e.Warning}
}

func eventFromPB(e *pluginpb.Event) provider.Event {
	return provider.Event{Text: e.GetText(), Done: e.GetDone(), Total: e.GetTotal(), Warning: e.GetWarning()}
}

func hopToPB(h provider.Hop) *pluginpb.Hop {
	return &pluginpb.Hop{
		Chain: text(h.Chain), Name: text(h.Name), Code: text(h.Code), Verdict: text(string(h.Verdict)),
		Read: text(h.Read), Problem: text(h.Problem), Fix: text(h.Fix),
	}
}

func hopFromPB(h *pluginpb.Hop) provider.Hop {
	return provider.Hop{
		Chain: h.GetChain(), Name: h.GetName(), Code: h.GetCode(), Verdict: verdictFromPB(h.GetVerdict()),
		Read: h.GetRead(), Problem: h.GetProblem(), Fix: h.GetFix(),
	}
}

// verdictFromPB takes a verdict that this side does not know for Untried.
func verdictFromPB(s string) provider.Verdict {
	switch v := provider.Verdict(s); v {
	case provider.Good, provider.Weak, provider.Broken:
		return v
	}
	return provider.Untried
}

func imageToPB(i provider.Image) *pluginpb.Image {
	return &pluginpb.Image{Name: text(i.Name), Digest: text(i.Digest), Arch: text(i.Arch), Packages: each(i.Packages, packageToPB)}
}

func imageFromPB(i *pluginpb.Image) provider.Image {
	return provider.Image{Name: i.GetName(), Digest: i.GetDigest(), Arch: i.GetArch(), Packages: each(i.GetPackages(), packageFromPB)}
}

func packageToPB(p provider.Package) *pluginpb.Package {
	return &pluginpb.Package{Name: text(p.Name), Version: text(p.Version), Arch: text(p.Arch), Sha256: text(p.SHA256)}
}

func packageFromPB(p *pluginpb.Package) provider.Package {
	return provider.Package{Name: p.GetName(), Version: p.GetVersion(), Arch: p.GetArch(), SHA256: p.GetSha256()}
}

func infoToPB(i provisioner.Info) *pluginpb.GuestInfo {
	return &pluginpb.GuestInfo{Project: i.Project, Box: i.Box, Hostname: i.Hostname, User: i.User}
}

func infoFromPB(i *pluginpb.GuestInfo) provisioner.Info {
	return provisioner.Info{Project: i.GetProject(), Box: i.GetBox(), Hostname: i.GetHostname(), User: i.GetUser()}
}

func fileOptionsToPB(o provisioner.FileOptions) *pluginpb.FileOptions {
	return &pluginpb.FileOptions{Owner: o.Owner, Group: o.Group, Mode: uint32(o.Mode), Root: o.Root}
}

func fileOptionsFromPB(o *pluginpb.FileOptions) provisioner.FileOptions {
	return provisioner.FileOptions{
		Owner: o.GetOwner(), Group: o.GetGroup(), Mode: fs.FileMode(o.GetMode()), Root: o.GetRoot(),
	}
}

func envToPB(env map[string]string) map[string][]byte {
	if env == nil {
		return nil
	}
	m := make(map[string][]byte, len(env))
	for k, v := range env {
		m[k] = []byte(v)
	}
	return m
}

func envFromPB(env map[string][]byte) map[string]string {
	if env == nil {
		return nil
	}
	m := make(map[string]string, len(env))
	for k, v := range env {
		m[k] = string(v)
	}
	return m
}

// timeToPB returns Unix nanoseconds, and 0 for the zero time.
func timeToPB(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func timeFromPB(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}
