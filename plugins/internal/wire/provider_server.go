package wire

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
	"github.com/berth-dev/berth/provider"
)

// providerServer runs in the plugin. It makes a fresh value for every call, so
// that nothing but the disk carries over from one call to the next: a later
// command, which has another process, finds the same.
type providerServer struct {
	pluginpb.UnimplementedProviderServer
	construct func() provider.Provider
}

type (
	workRequest  = pluginpb.WorkRequest_Begin
	workStream   = grpc.BidiStreamingServer[pluginpb.WorkRequest, pluginpb.WorkResponse]
	workResponse = pluginpb.WorkResponse
)

func (s *providerServer) Schema(context.Context, *pluginpb.SchemaRequest) (*pluginpb.SchemaResponse, error) {
	return schemaResponse(s.construct()), nil
}

func schemaResponse(v any) *pluginpb.SchemaResponse {
	schema, err := SchemaOf(v)
	if err != nil {
		return &pluginpb.SchemaResponse{Error: errorToPB(err)}
	}
	block, err := schemaToPB(schema)
	return &pluginpb.SchemaResponse{Block: block, Error: errorToPB(err)}
}

// configured makes a value with the block's arguments.
func (s *providerServer) configured(config []byte) (provider.Provider, error) {
	p := s.construct()
	return p, decodeConfig(config, p, func(arg string, err error) error {
		return &provider.ArgError{Arg: arg, Err: err}
	})
}

func (s *providerServer) Validate(_ context.Context, r *pluginpb.ConfigRequest) (*pluginpb.ErrorResponse, error) {
	p, err := s.configured(r.GetConfig())
	if v, ok := p.(provider.Validator); ok && err == nil {
		err = v.Validate()
	}
	return &pluginpb.ErrorResponse{Error: errorToPB(err)}, nil
}

func (s *providerServer) Check(ctx context.Context, r *pluginpb.ConfigRequest) (*pluginpb.ErrorResponse, error) {
	p, err := s.configured(r.GetConfig())
	if err == nil {
		err = p.Check(ctx)
	}
	return &pluginpb.ErrorResponse{Error: errorToPB(err)}, nil
}

func (s *providerServer) Create(stream workStream) error {
	return serveWork(stream, func(ctx context.Context, r *workRequest, report provider.Report) error {
		p, err := s.configured(r.GetConfig())
		if err != nil {
			return err
		}
		return p.Create(ctx, specFromPB(r.GetSpec()), report)
	})
}

func (s *providerServer) Start(stream workStream) error {
	return serveWork(stream, func(ctx context.Context, r *workRequest, report provider.Report) error {
		p, err := s.configured(r.GetConfig())
		if err != nil {
			return err
		}
		return p.Start(ctx, specFromPB(r.GetSpec()), report)
	})
}

func (s *providerServer) Stop(stream workStream) error {
	return serveWork(stream, func(ctx context.Context, r *workRequest, report provider.Report) error {
		return s.construct().Stop(ctx, r.GetId(), time.Duration(r.GetGrace()), report)
	})
}

func (s *providerServer) Destroy(stream workStream) error {
	return serveWork(stream, func(ctx context.Context, r *workRequest, report provider.Report) error {
		return s.construct().Destroy(ctx, r.GetId(), report)
	})
}

func (s *providerServer) Inspect(ctx context.Context, r *pluginpb.BoxRequest) (*pluginpb.InspectResponse, error) {
	box, err := s.construct().Inspect(ctx, r.GetId())
	if err != nil {
		return &pluginpb.InspectResponse{Error: errorToPB(err)}, nil
	}
	return &pluginpb.InspectResponse{Box: boxToPB(box)}, nil
}

func (s *providerServer) Logs(ctx context.Context, r *pluginpb.BoxRequest) (*pluginpb.LogsResponse, error) {
	logs, err := s.construct().Logs(ctx, r.GetId())
	if err != nil {
		return &pluginpb.LogsResponse{Error: errorToPB(err)}, nil
	}
	out := &pluginpb.LogsResponse{}
	for _, l := range logs {
		out.Logs = append(out.Logs, logToPB(l))
	}
	return out, nil
}

func (s *providerServer) Suspend(ctx context.Context, r *pluginpb.BoxRequest) (*pluginpb.ErrorResponse, error) {
	return capability(s, "suspend boxes", func(p provider.Suspender) error { return p.Suspend(ctx, r.GetId()) })
}

func (s *providerServer) Resume(ctx context.Context, r *pluginpb.BoxRequest) (*pluginpb.ErrorResponse, error) {
	return capability(s, "suspend boxes", func(p provider.Suspender) error { return p.Resume(ctx, r.GetId()) })
}

func (s *providerServer) Resize(ctx context.Context, r *pluginpb.ResizeRequest) (*pluginpb.ErrorResponse, error) {
	return capability(s, "change the limits of running boxes", func(p provider.Resizer) error {
		return p.Resize(ctx, r.GetId(), resourcesFromPB(r.GetResources()))
	})
}

func (s *providerServer) SetHosts(ctx context.Context, r *pluginpb.HostsRequest) (*pluginpb.ErrorResponse, error) {
	return capability(s, "tell boxes each other's names", func(p provider.Namer) error {
		return p.SetHosts(ctx, r.GetId(), each(r.GetHosts(), hostFromPB))
	})
}

func (s *providerServer) Examine(ctx context.Context, r *pluginpb.ConfigRequest) (*pluginpb.ExamineResponse, error) {
	p, err := configuredAs[provider.Examiner](s, r.GetConfig(), "examine the host")
	if err != nil {
		return &pluginpb.ExamineResponse{Error: errorToPB(err)}, nil
	}
	hops, err := p.Examine(ctx)
	return &pluginpb.ExamineResponse{Hops: each(hops, hopToPB), Error: errorToPB(err)}, nil
}

// what an imager can do, for messages
const tellImages = "tell what its images are"

func (s *providerServer) FetchImage(stream workStream) error {
	return serveWork(stream, func(ctx context.Context, r *workRequest, report provider.Report) error {
		p, err := configuredAs[provider.Imager](s, r.GetConfig(), tellImages)
		if err != nil {
			return err
		}
		return p.FetchImage(ctx, r.GetSpec().GetImage(), report)
	})
}

func (s *providerServer) Image(ctx context.Context, r *pluginpb.ImageRequest) (*pluginpb.ImageResponse, error) {
	p, err := configuredAs[provider.Imager](s, r.GetConfig(), tellImages)
	if err != nil {
		return &pluginpb.ImageResponse{Error: errorToPB(err)}, nil
	}
	image, err := p.Image(ctx, r.GetName())
	return &pluginpb.ImageResponse{Image: imageToPB(image), Error: errorToPB(err)}, nil
}

// configuredAs makes a value with the block's arguments that has a capability.
func configuredAs[C any](s *providerServer, config []byte, what string) (c C, err error) {
	p, err := s.configured(config)
	if err != nil {
		return c, err
	}
	return capable[C](p, what)
}

// keepDisks says what a Checkpointer does.
const keepDisks = "keep the disks of boxes"

func (s *providerServer) Checkpoint(stream workStream) error {
	return serveWork(stream, func(ctx context.Context, r *workRequest, report provider.Report) error {
		c, err := capable[provider.Checkpointer](s.construct(), keepDisks)
		if err != nil {
			return err
		}
		return c.Checkpoint(ctx, r.GetId(), r.GetKey(), report)
	})
}

func (s *providerServer) Restore(stream workStream) error {
	return serveWork(stream, func(ctx context.Context, r *workRequest, report provider.Report) error {
		c, err := configuredAs[provider.Checkpointer](s, r.GetConfig(), keepDisks)
		if err != nil {
			return err
		}
		return c.Restore(ctx, specFromPB(r.GetSpec()), r.GetKey(), report)
	})
}

func (s *providerServer) Checkpoints(ctx context.Context, _ *pluginpb.CheckpointsRequest) (*pluginpb.CheckpointsResponse, error) {
	c, err := capable[provider.Checkpointer](s.construct(), keepDisks)
	if err != nil {
		return &pluginpb.CheckpointsResponse{Error: errorToPB(err)}, nil
	}
	all, err := c.Checkpoints(ctx)
	return &pluginpb.CheckpointsResponse{Checkpoints: each(all, checkpointToPB), Error: errorToPB(err)}, nil
}

func (s *providerServer) RemoveCheckpoint(ctx context.Context, r *pluginpb.CheckpointRequest) (*pluginpb.ErrorResponse, error) {
	return capability(s, keepDisks, func(c provider.Checkpointer) error { return c.RemoveCheckpoint(ctx, r.GetKey()) })
}

// capability calls what the provider may or may not implement.
func capability[C any](s *providerServer, what string, call func(C) error) (*pluginpb.ErrorResponse, error) {
	c, err := capable[C](s.construct(), what)
	if err == nil {
		err = call(c)
	}
	return &pluginpb.ErrorResponse{Error: errorToPB(err)}, nil
}

// capable returns the provider as what it may or may not implement.
func capable[C any](p provider.Provider, what string) (C, error) {
	c, ok := p.(C)
	if !ok {
		return c, fmt.Errorf("%s: %w", what, provider.ErrUnsupported)
	}
	return c, nil
}

// serveWork serves one long call.
func serveWork(stream workStream, do func(context.Context, *workRequest, provider.Report) error) error {
	return serveCollecting(stream, func(ctx context.Context, r *workRequest, report provider.Report, _ func(provider.Use)) error {
		return do(ctx, r, report)
	})
}

// serveCollecting serves a long call that tells what it has removed as well.
func serveCollecting(stream workStream, do func(context.Context, *workRequest, provider.Report, func(provider.Use)) error) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	begin := first.GetBegin()
	if begin == nil {
		return errNoBegin
	}
	ctx, cancel := attach(stream.Context(), begin.GetDeadline(), func() error { _, err := stream.Recv(); return err })
	defer cancel()

	var mu sync.Mutex // a stream takes one Send at a time, and authors may report from several goroutines
	var done bool
	send := func(m *workResponse) {
		mu.Lock()
		defer mu.Unlock()
		if !done {
			// Blocks while the host is slow. An error means that the stream is
			// over, and with it ctx.
			_ = stream.Send(m)
		}
	}
	err = do(ctx, begin, func(e provider.Event) {
		send(&workResponse{Part: &pluginpb.WorkResponse_Event{Event: eventToPB(e)}})
	}, func(u provider.Use) {
		send(&workResponse{Part: &pluginpb.WorkResponse_Removed{Removed: useToPB(u)}})
	})
	mu.Lock()
	defer mu.Unlock()
	done = true
	return stream.Send(&workResponse{Part: &pluginpb.WorkResponse_Result{
		Result: &pluginpb.ErrorResponse{Error: errorToPB(err)},
	}})
}
