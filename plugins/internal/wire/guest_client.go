package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
	"github.com/berth-dev/berth/provisioner"
)

// chunk is the size of pieces of input and output.
const chunk = 32 << 10

// guestClient is the guest as the plugin sees it.
type guestClient struct {
	ctx  context.Context // of the Provision call; for Report, which has none
	rpc  pluginpb.GuestClient
	info provisioner.Info
}

func (g *guestClient) Info() provisioner.Info { return g.info }

func (g *guestClient) Report(line string) {
	// Nobody to tell: without the host this process is about to end.
	_, _ = g.rpc.Report(g.ctx, &pluginpb.ReportRequest{Text: text(line)})
}

func (g *guestClient) Upload(ctx context.Context, src, dst string, o provisioner.FileOptions) error {
	src, err := absolute(src)
	if err != nil {
		return err
	}
	r, err := g.rpc.Upload(ctx, &pluginpb.UploadRequest{
		Src: []byte(src), Dst: []byte(dst), Options: fileOptionsToPB(o),
	})
	if err != nil {
		return hostGone(ctx, err)
	}
	return errorFromPB(r.GetError())
}

func (g *guestClient) Download(ctx context.Context, src, dst string) error {
	dst, err := absolute(dst)
	if err != nil {
		return err
	}
	r, err := g.rpc.Download(ctx, &pluginpb.DownloadRequest{Src: []byte(src), Dst: []byte(dst)})
	if err != nil {
		return hostGone(ctx, err)
	}
	return errorFromPB(r.GetError())
}

// absolute resolves a host path here, because the host's working directory is
// not the project's folder. A "/" at the end has a meaning and stays.
func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(path, "/") && abs != "/" {
		abs += "/"
	}
	return abs, nil
}

func (g *guestClient) Run(ctx context.Context, cmd provisioner.Cmd) error {
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	err := g.run(run, cmd, stop)
	if run.Err() != nil && ctx.Err() == nil {
		return context.Cause(run) // the input failed
	}
	return err
}

func (g *guestClient) run(ctx context.Context, cmd provisioner.Cmd, stop context.CancelCauseFunc) error {
	stream, err := g.rpc.Run(ctx)
	if err != nil {
		return hostGone(ctx, err)
	}
	err = stream.Send(&pluginpb.RunRequest{Part: &pluginpb.RunRequest_Begin_{Begin: &pluginpb.RunRequest_Begin{
		Argv: toBytes(cmd.Argv), Env: envToPB(cmd.Env), Dir: []byte(cmd.Dir), Root: cmd.Root,
		HasInput: cmd.Stdin != nil, WantStdout: cmd.Stdout != nil, WantStderr: cmd.Stderr != nil,
	}}})
	if err != nil && err != io.EOF {
		return hostGone(ctx, err) // at io.EOF Recv has the cause
	}
	if cmd.Stdin != nil {
		// It is not waited for: a Read cannot be interrupted, and the command
		// may end without having read all of its input.
		go sendInput(stream, cmd.Stdin, stop)
	}
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			err = errNoResult
		}
		if err != nil {
			return hostGone(ctx, err)
		}
		switch part := m.GetPart().(type) {
		case *pluginpb.RunResponse_Result:
			return errorFromPB(part.Result.GetError())
		case *pluginpb.RunResponse_Stdout:
			_, err = cmd.Stdout.Write(part.Stdout)
		case *pluginpb.RunResponse_Stderr:
			_, err = cmd.Stderr.Write(part.Stderr)
		}
		if err != nil {
			return fmt.Errorf("write output of %s: %w", firstWord(cmd.Argv), err)
		}
	}
}

// sendInput sends r to the command. An error of r ends the run.
func sendInput(stream grpc.BidiStreamingClient[pluginpb.RunRequest, pluginpb.RunResponse], r io.Reader, stop context.CancelCauseFunc) {
	buf := make([]byte, chunk)
	for {
		n, err := r.Read(buf)
		if n > 0 && stream.Send(&pluginpb.RunRequest{Part: &pluginpb.RunRequest_Input{Input: buf[:n]}}) != nil {
			return // the run is over
		}
		if err == io.EOF {
			_ = stream.Send(&pluginpb.RunRequest{Part: &pluginpb.RunRequest_EndOfInput{EndOfInput: true}})
			return
		}
		if err != nil {
			stop(fmt.Errorf("read input: %w", err))
			return
		}
	}
}

// hostGone turns the gRPC error of a guest call into what the plugin sees.
func hostGone(ctx context.Context, err error) error {
	if ended(ctx, err) {
		return ctx.Err()
	}
	if errors.Is(err, errNoResult) {
		return fmt.Errorf("%w: %w", provisioner.ErrConnection, err)
	}
	return fmt.Errorf("%w: %s", provisioner.ErrConnection, status.Convert(err).Message())
}

func firstWord(argv []string) string {
	if len(argv) == 0 {
		return "command"
	}
	return argv[0]
}
