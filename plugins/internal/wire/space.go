package wire

import (
	"context"
	"time"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
	"github.com/berth-dev/berth/provider"
)

// Both sides of provider.Janitor and provider.Packager.

func (b *boundProvider) Space(ctx context.Context) ([]provider.Use, error) {
	r, err := b.rpc.Space(ctx, &pluginpb.SpaceRequest{})
	if err != nil {
		return nil, failed(ctx, b.Lost, "Space", err)
	}
	if e := r.GetError(); e != nil {
		return nil, errorFromPB(e)
	}
	return each(r.GetUses(), useFromPB), nil
}

func (b *boundProvider) Collect(ctx context.Context, c provider.Collection, removed func(provider.Use), report provider.Report) error {
	return b.collect(ctx, "Collect", b.rpc.Collect, report, removed, &pluginpb.WorkRequest_Begin{Collection: collectionToPB(c)})
}

func (b *boundProvider) Package(ctx context.Context, id, file string, report provider.Report) error {
	return b.work(ctx, "Package", b.rpc.Package, report, &pluginpb.WorkRequest_Begin{Id: id, File: []byte(file)})
}

func (b *boundProvider) ImportImage(ctx context.Context, i provider.Import, report provider.Report) error {
	return b.work(ctx, "ImportImage", b.rpc.ImportImage, report,
		&pluginpb.WorkRequest_Begin{Config: b.config, File: []byte(i.File), Import: importToPB(i)})
}

// What the two can do, for messages.
const (
	tellSpace = "tell what uses space, or free it"
	moveBoxes = "make archives of boxes, or images of archives"
)

func (s *providerServer) Space(ctx context.Context, _ *pluginpb.SpaceRequest) (*pluginpb.SpaceResponse, error) {
	j, err := capable[provider.Janitor](s.construct(), tellSpace)
	if err != nil {
		return &pluginpb.SpaceResponse{Error: errorToPB(err)}, nil
	}
	uses, err := j.Space(ctx)
	return &pluginpb.SpaceResponse{Uses: each(uses, useToPB), Error: errorToPB(err)}, nil
}

func (s *providerServer) Collect(stream workStream) error {
	return serveCollecting(stream, func(ctx context.Context, r *workRequest, report provider.Report, removed func(provider.Use)) error {
		j, err := capable[provider.Janitor](s.construct(), tellSpace)
		if err != nil {
			return err
		}
		return j.Collect(ctx, collectionFromPB(r.GetCollection()), removed, report)
	})
}

func (s *providerServer) Package(stream workStream) error {
	return serveWork(stream, func(ctx context.Context, r *workRequest, report provider.Report) error {
		p, err := capable[provider.Packager](s.construct(), moveBoxes)
		if err != nil {
			return err
		}
		return p.Package(ctx, r.GetId(), string(r.GetFile()), report)
	})
}

func (s *providerServer) ImportImage(stream workStream) error {
	return serveWork(stream, func(ctx context.Context, r *workRequest, report provider.Report) error {
		p, err := configuredAs[provider.Packager](s, r.GetConfig(), moveBoxes)
		if err != nil {
			return err
		}
		return p.ImportImage(ctx, importFromPB(r.GetImport(), string(r.GetFile())), report)
	})
}

func useToPB(u provider.Use) *pluginpb.Use {
	return &pluginpb.Use{
		Kind: text(string(u.Kind)), Name: text(u.Name), Digest: text(u.Digest),
		Size: u.Size, Shared: u.Shared, Used: timeToPB(u.Used), Needed: u.Needed,
	}
}

func useFromPB(u *pluginpb.Use) provider.Use {
	return provider.Use{
		Kind: useKindFromPB(u.GetKind()), Name: u.GetName(), Digest: u.GetDigest(),
		Size: u.GetSize(), Shared: u.GetShared(), Used: timeFromPB(u.GetUsed()), Needed: u.GetNeeded(),
	}
}

// useKindFromPB takes a kind that this side does not know for a leftover.
func useKindFromPB(s string) provider.UseKind {
	switch k := provider.UseKind(s); k {
	case provider.UseImage, provider.UseCheckpoint, provider.UseBox, provider.UseCache:
		return k
	}
	return provider.UseLeftover
}

func collectionToPB(c provider.Collection) *pluginpb.Collection {
	return &pluginpb.Collection{
		DryRun: c.DryRun, OlderThan: int64(c.OlderThan), Keep: c.Keep, Checkpoints: c.Checkpoints,
		Images: c.Images, KeepImages: c.KeepImages, Projects: c.Projects,
	}
}

func collectionFromPB(c *pluginpb.Collection) provider.Collection {
	if c == nil {
		return provider.Collection{}
	}
	return provider.Collection{
		DryRun: c.GetDryRun(), OlderThan: time.Duration(c.GetOlderThan()), Keep: c.Keep, Checkpoints: c.GetCheckpoints(),
		Images: c.GetImages(), KeepImages: c.GetKeepImages(), Projects: c.GetProjects(),
	}
}

func importToPB(i provider.Import) *pluginpb.Import {
	return &pluginpb.Import{
		Name: text(i.Name), Replace: i.Replace, Size: i.Limits.Size, Entries: i.Limits.Entries, Ratio: i.Limits.Ratio,
	}
}

func importFromPB(i *pluginpb.Import, file string) provider.Import {
	return provider.Import{
		File: file, Name: i.GetName(), Replace: i.GetReplace(),
		Limits: provider.ImportLimits{Size: i.GetSize(), Entries: i.GetEntries(), Ratio: i.GetRatio()},
	}
}
