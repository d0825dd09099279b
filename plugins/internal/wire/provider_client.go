package wire

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
	"github.com/berth-dev/berth/provider"
)

// ProviderClient is a provider in another process, as the host sees it.
type ProviderClient struct {
	Lost Lost // set by the host

	rpc pluginpb.ProviderClient
}

// Schema fetches the arguments of the provider block.
func (c *ProviderClient) Schema(ctx context.Context) (*Schema, error) {
	r, err := c.rpc.Schema(ctx, &pluginpb.SchemaRequest{})
	if err != nil {
		return nil, failed(ctx, c.Lost, "Schema", err)
	}
	if e := r.GetError(); e != nil {
		return nil, errorFromPB(e)
	}
	return schemaFromPB(r.GetBlock())
}

// Validate checks the arguments.
func (c *ProviderClient) Validate(ctx context.Context, config []byte) error {
	r, err := c.rpc.Validate(ctx, &pluginpb.ConfigRequest{Config: config})
	if err != nil {
		return failed(ctx, c.Lost, "Validate", err)
	}
	return errorFromPB(r.GetError())
}

// Bind returns the provider with the block's arguments.
func (c *ProviderClient) Bind(config []byte) provider.Provider {
	return &boundProvider{ProviderClient: c, config: config}
}

type boundProvider struct {
	*ProviderClient
	config []byte
}

func (b *boundProvider) Check(ctx context.Context) error {
	r, err := b.rpc.Check(ctx, &pluginpb.ConfigRequest{Config: b.config})
	if err != nil {
		return failed(ctx, b.Lost, "Check", err)
	}
	return errorFromPB(r.GetError())
}

func (b *boundProvider) Create(ctx context.Context, spec provider.Spec, report provider.Report) error {
	return b.work(ctx, "Create", b.rpc.Create, report,
		&pluginpb.WorkRequest_Begin{Config: b.config, Spec: specToPB(spec)})
}

func (b *boundProvider) Start(ctx context.Context, spec provider.Spec, report provider.Report) error {
	return b.work(ctx, "Start", b.rpc.Start, report,
		&pluginpb.WorkRequest_Begin{Config: b.config, Spec: specToPB(spec)})
}

func (b *boundProvider) Stop(ctx context.Context, id string, grace time.Duration, report provider.Report) error {
	return b.work(ctx, "Stop", b.rpc.Stop, report, &pluginpb.WorkRequest_Begin{Id: id, Grace: int64(grace)})
}

func (b *boundProvider) Destroy(ctx context.Context, id string, report provider.Report) error {
	return b.work(ctx, "Destroy", b.rpc.Destroy, report, &pluginpb.WorkRequest_Begin{Id: id})
}

func (b *boundProvider) Inspect(ctx context.Context, id string) (provider.Box, error) {
	r, err := b.rpc.Inspect(ctx, &pluginpb.BoxRequest{Id: id})
	if err != nil {
		return provider.Box{}, failed(ctx, b.Lost, "Inspect", err)
	}
	if e := r.GetError(); e != nil {
		return provider.Box{}, errorFromPB(e)
	}
	return boxFromPB(r.GetBox()), nil
}

func (b *boundProvider) Logs(ctx context.Context, id string) ([]provider.Log, error) {
	r, err := b.rpc.Logs(ctx, &pluginpb.BoxRequest{Id: id})
	if err != nil {
		return nil, failed(ctx, b.Lost, "Logs", err)
	}
	if e := r.GetError(); e != nil {
		return nil, errorFromPB(e)
	}
	var logs []provider.Log
	for _, l := range r.GetLogs() {
		logs = append(logs, logFromPB(l))
	}
	return logs, nil
}

// The capabilities: the plugin knows which it has.

func (b *boundProvider) Suspend(ctx context.Context, id string) error {
	r, err := b.rpc.Suspend(ctx, &pluginpb.BoxRequest{Id: id})
	return b.done(ctx, "Suspend", r, err)
}

func (b *boundProvider) Resume(ctx context.Context, id string) error {
	r, err := b.rpc.Resume(ctx, &pluginpb.BoxRequest{Id: id})
	return b.done(ctx, "Resume", r, err)
}

func (b *boundProvider) Resize(ctx context.Context, id string, limits provider.Resources) error {
	r, err := b.rpc.Resize(ctx, &pluginpb.ResizeRequest{Id: id, Resources: resourcesToPB(limits)})
	return b.done(ctx, "Resize", r, err)
}

func (b *boundProvider) SetHosts(ctx context.Context, id string, hosts []provider.Host) error {
	r, err := b.rpc.SetHosts(ctx, &pluginpb.HostsRequest{Id: id, Hosts: each(hosts, hostToPB)})
	return b.done(ctx, "SetHosts", r, err)
}

func (b *boundProvider) Examine(ctx context.Context) ([]provider.Hop, error) {
	r, err := b.rpc.Examine(ctx, &pluginpb.ConfigRequest{Config: b.config})
	if err != nil {
		return nil, failed(ctx, b.Lost, "Examine", err)
	}
	return each(r.GetHops(), hopFromPB), errorFromPB(r.GetError())
}

func (b *boundProvider) FetchImage(ctx context.Context, name string, report provider.Report) error {
	return b.work(ctx, "FetchImage", b.rpc.FetchImage, report,
		&pluginpb.WorkRequest_Begin{Config: b.config, Spec: &pluginpb.Spec{Image: text(name)}})
}

func (b *boundProvider) Image(ctx context.Context, name string) (provider.Image, error) {
	r, err := b.rpc.Image(ctx, &pluginpb.ImageRequest{Config: b.config, Name: text(name)})
	if err != nil {
		return provider.Image{}, failed(ctx, b.Lost, "Image", err)
	}
	return imageFromPB(r.GetImage()), errorFromPB(r.GetError())
}

func (b *boundProvider) Checkpoint(ctx context.Context, id, key string, report provider.Report) error {
	return b.work(ctx, "Checkpoint", b.rpc.Checkpoint, report, &pluginpb.WorkRequest_Begin{Id: id, Key: key})
}

func (b *boundProvider) Restore(ctx context.Context, spec provider.Spec, key string, report provider.Report) error {
	return b.work(ctx, "Restore", b.rpc.Restore, report,
		&pluginpb.WorkRequest_Begin{Config: b.config, Spec: specToPB(spec), Key: key})
}

func (b *boundProvider) Checkpoints(ctx context.Context) ([]provider.Checkpoint, error) {
	r, err := b.rpc.Checkpoints(ctx, &pluginpb.CheckpointsRequest{})
	if err != nil {
		return nil, failed(ctx, b.Lost, "Checkpoints", err)
	}
	if e := r.GetError(); e != nil {
		return nil, errorFromPB(e)
	}
	return each(r.GetCheckpoints(), checkpointFromPB), nil
}

func (b *boundProvider) RemoveCheckpoint(ctx context.Context, key string) error {
	r, err := b.rpc.RemoveCheckpoint(ctx, &pluginpb.CheckpointRequest{Key: key})
	return b.done(ctx, "RemoveCheckpoint", r, err)
}

// done is the outcome of a short call.
func (b *boundProvider) done(ctx context.Context, op string, r *pluginpb.ErrorResponse, err error) error {
	if err != nil {
		return failed(ctx, b.Lost, op, err)
	}
	return errorFromPB(r.GetError())
}

// opener opens the stream of a long call.
type opener func(context.Context, ...grpc.CallOption) (grpc.BidiStreamingClient[pluginpb.WorkRequest, pluginpb.WorkResponse], error)

// work makes a long call: it hands on events until the result is there. A slow
// report slows the plugin down, since gRPC's window for the stream fills up.
func (b *boundProvider) work(ctx context.Context, op string, open opener, report provider.Report, begin *pluginpb.WorkRequest_Begin) error {
	return b.collect(ctx, op, open, report, nil, begin)
}

// collect is work that tells what it has removed as well.
func (b *boundProvider) collect(ctx context.Context, op string, open opener, report provider.Report, removed func(provider.Use), begin *pluginpb.WorkRequest_Begin) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	streamCtx, watch, cut := detach(ctx)
	defer cut()
	stream, err := open(streamCtx)
	if err != nil {
		return failed(ctx, b.Lost, op, err)
	}
	begin.Deadline = deadlineToPB(ctx)
	if err := stream.Send(&pluginpb.WorkRequest{Part: &pluginpb.WorkRequest_Begin_{Begin: begin}}); err != nil && err != io.EOF {
		return failed(ctx, b.Lost, op, err) // at io.EOF Recv has the cause
	}
	watch(func() {
		// An error here means that the stream is over, which Recv sees too.
		_ = stream.Send(&pluginpb.WorkRequest{Part: &pluginpb.WorkRequest_Cancel{Cancel: &pluginpb.Cancel{}}})
	})
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			err = errNoResult
		}
		if err != nil {
			return failed(ctx, b.Lost, op, err)
		}
		if r := m.GetResult(); r != nil {
			return errorFromPB(r.GetError())
		}
		if e := m.GetEvent(); e != nil && report != nil {
			report(eventFromPB(e))
		}
		if u := m.GetRemoved(); u != nil && removed != nil {
			removed(useFromPB(u))
		}
	}
}
