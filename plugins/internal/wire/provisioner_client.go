package wire

import (
	"context"
	"fmt"
	"io"

	"github.com/hashicorp/go-plugin"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
	"github.com/berth-dev/berth/provisioner"
)

// ProvisionerClient is a provisioner in another process, as the host sees it.
type ProvisionerClient struct {
	Lost Lost // set by the host

	rpc    pluginpb.ProvisionerClient
	broker *plugin.GRPCBroker
}

// Schema fetches the arguments of the provisioner block.
func (c *ProvisionerClient) Schema(ctx context.Context) (*Schema, error) {
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
func (c *ProvisionerClient) Validate(ctx context.Context, config []byte) error {
	r, err := c.rpc.Validate(ctx, &pluginpb.ConfigRequest{Config: config})
	if err != nil {
		return failed(ctx, c.Lost, "Validate", err)
	}
	return errorFromPB(r.GetError())
}

// Inputs returns the files and folders of the host that the step reads.
func (c *ProvisionerClient) Inputs(ctx context.Context, config []byte) ([]string, error) {
	r, err := c.rpc.Inputs(ctx, &pluginpb.ConfigRequest{Config: config})
	if err != nil {
		return nil, failed(ctx, c.Lost, "Inputs", err)
	}
	if e := r.GetError(); e != nil {
		return nil, errorFromPB(e)
	}
	return fromBytes(r.GetPaths()), nil
}

// Provision does the work on g. When it returns, no call to g is going on.
func (c *ProvisionerClient) Provision(ctx context.Context, config []byte, g provisioner.Guest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	id := c.broker.NextId()
	stop, err := serveGuest(ctx, c.broker, id, g)
	if err != nil {
		if c.Lost != nil {
			return c.Lost("Provision", err)
		}
		return fmt.Errorf("serve the guest: %w", err)
	}
	defer stop()
	return c.provision(ctx, &pluginpb.ProvisionRequest_Begin{
		Config: config, Guest: id, Info: infoToPB(g.Info()), Deadline: deadlineToPB(ctx),
	})
}

func (c *ProvisionerClient) provision(ctx context.Context, begin *pluginpb.ProvisionRequest_Begin) error {
	streamCtx, watch, cut := detach(ctx)
	defer cut()
	stream, err := c.rpc.Provision(streamCtx)
	if err != nil {
		return failed(ctx, c.Lost, "Provision", err)
	}
	err = stream.Send(&pluginpb.ProvisionRequest{Part: &pluginpb.ProvisionRequest_Begin_{Begin: begin}})
	if err != nil && err != io.EOF {
		return failed(ctx, c.Lost, "Provision", err) // at io.EOF RecvMsg has the cause
	}
	watch(func() {
		// An error here means that the stream is over, which RecvMsg sees too.
		_ = stream.Send(&pluginpb.ProvisionRequest{Part: &pluginpb.ProvisionRequest_Cancel{Cancel: &pluginpb.Cancel{}}})
	})
	// Not CloseAndRecv: it would close the direction in which Cancel travels.
	var r pluginpb.ErrorResponse
	if err := stream.RecvMsg(&r); err != nil {
		if err == io.EOF {
			err = errNoResult
		}
		return failed(ctx, c.Lost, "Provision", err)
	}
	return errorFromPB(r.GetError())
}
