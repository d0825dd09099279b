package wire

import (
	"context"
	"fmt"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
	"github.com/berth-dev/berth/provisioner"
)

// provisionerServer runs in the plugin. It makes a fresh value for every call.
type provisionerServer struct {
	pluginpb.UnimplementedProvisionerServer
	construct func() provisioner.Provisioner
	broker    *plugin.GRPCBroker
}

func (s *provisionerServer) Schema(context.Context, *pluginpb.SchemaRequest) (*pluginpb.SchemaResponse, error) {
	return schemaResponse(s.construct()), nil
}

// configured makes a value with the block's arguments.
func (s *provisionerServer) configured(config []byte) (provisioner.Provisioner, error) {
	p := s.construct()
	return p, decodeConfig(config, p, func(arg string, err error) error {
		return &provisioner.ArgError{Arg: arg, Err: err}
	})
}

func (s *provisionerServer) Validate(_ context.Context, r *pluginpb.ConfigRequest) (*pluginpb.ErrorResponse, error) {
	p, err := s.configured(r.GetConfig())
	if v, ok := p.(provisioner.Validator); ok && err == nil {
		err = v.Validate()
	}
	return &pluginpb.ErrorResponse{Error: errorToPB(err)}, nil
}

func (s *provisionerServer) Inputs(_ context.Context, r *pluginpb.ConfigRequest) (*pluginpb.InputsResponse, error) {
	p, err := s.configured(r.GetConfig())
	if err != nil {
		return &pluginpb.InputsResponse{Error: errorToPB(err)}, nil
	}
	in, ok := p.(provisioner.Inputs)
	if !ok {
		return &pluginpb.InputsResponse{}, nil
	}
	return &pluginpb.InputsResponse{Paths: toBytes(in.Inputs())}, nil
}

func (s *provisionerServer) Provision(stream grpc.ClientStreamingServer[pluginpb.ProvisionRequest, pluginpb.ErrorResponse]) error {
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
	return stream.SendAndClose(&pluginpb.ErrorResponse{Error: errorToPB(s.provision(ctx, begin))})
}

func (s *provisionerServer) provision(ctx context.Context, begin *pluginpb.ProvisionRequest_Begin) error {
	p, err := s.configured(begin.GetConfig())
	if err != nil {
		return err
	}
	conn, err := s.broker.DialWithOptions(begin.GetGuest(), DialOptions()...)
	if err != nil {
		return fmt.Errorf("reach the guest: %w", err)
	}
	defer conn.Close()
	return p.Provision(ctx, &guestClient{
		ctx: ctx, rpc: pluginpb.NewGuestClient(conn), info: infoFromPB(begin.GetInfo()),
	})
}
