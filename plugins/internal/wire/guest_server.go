package wire

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
	"github.com/berth-dev/berth/provisioner"
)

// serveGuest serves g at the broker's id until stop is called; stop waits for
// calls under way. The calls end with ctx, whatever the plugin does.
//
// It does not use AcceptAndServe, which hides the error of Accept: a plugin
// that has died would leave us waiting.
func serveGuest(ctx context.Context, broker *plugin.GRPCBroker, id uint32, g provisioner.Guest) (stop func(), err error) {
	ln, err := broker.Accept(id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	srv := grpc.NewServer(append(ServerOptions(), grpc.WaitForHandlers(true))...)
	pluginpb.RegisterGuestServer(srv, &guestServer{ctx: ctx, guest: g})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln) // it ends with Stop, or the plugin's Dial fails and says so
	}()
	return func() {
		cancel()
		srv.Stop() // closes ln as well
		<-done
	}, nil
}

// guestServer runs in the host.
type guestServer struct {
	pluginpb.UnimplementedGuestServer
	ctx   context.Context // of the Provision call
	guest provisioner.Guest
}

// both returns a context that ends with the plugin's call or with Provision.
func (s *guestServer) both(call context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(call)
	unhook := context.AfterFunc(s.ctx, cancel)
	return ctx, func() { unhook(); cancel() }
}

func (s *guestServer) Report(_ context.Context, r *pluginpb.ReportRequest) (*pluginpb.ErrorResponse, error) {
	s.guest.Report(r.GetText())
	return &pluginpb.ErrorResponse{}, nil
}

func (s *guestServer) Upload(call context.Context, r *pluginpb.UploadRequest) (*pluginpb.ErrorResponse, error) {
	ctx, cancel := s.both(call)
	defer cancel()
	err := s.guest.Upload(ctx, string(r.GetSrc()), string(r.GetDst()), fileOptionsFromPB(r.GetOptions()))
	return &pluginpb.ErrorResponse{Error: errorToPB(err)}, nil
}

func (s *guestServer) Download(call context.Context, r *pluginpb.DownloadRequest) (*pluginpb.ErrorResponse, error) {
	ctx, cancel := s.both(call)
	defer cancel()
	err := s.guest.Download(ctx, string(r.GetSrc()), string(r.GetDst()))
	return &pluginpb.ErrorResponse{Error: errorToPB(err)}, nil
}

type runStream = grpc.BidiStreamingServer[pluginpb.RunRequest, pluginpb.RunResponse]

func (s *guestServer) Run(stream runStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	begin := first.GetBegin()
	if begin == nil {
		return errNoBegin
	}
	ctx, cancel := s.both(stream.Context())
	defer cancel()
	cmd := provisioner.Cmd{
		Argv: fromBytes(begin.GetArgv()), Env: envFromPB(begin.GetEnv()),
		Dir: string(begin.GetDir()), Root: begin.GetRoot(),
	}
	if begin.GetHasInput() {
		in, out := io.Pipe()
		// After the run nobody reads; unblocks receiveInput.
		defer in.CloseWithError(errRunOver)
		go receiveInput(stream, out)
		cmd.Stdin = in
	}
	var mu sync.Mutex // a stream takes one Send at a time
	if begin.GetWantStdout() {
		cmd.Stdout = outputWriter(func(p []byte) error {
			mu.Lock()
			defer mu.Unlock()
			return stream.Send(&pluginpb.RunResponse{Part: &pluginpb.RunResponse_Stdout{Stdout: p}})
		})
	}
	if begin.GetWantStderr() {
		cmd.Stderr = outputWriter(func(p []byte) error {
			mu.Lock()
			defer mu.Unlock()
			return stream.Send(&pluginpb.RunResponse{Part: &pluginpb.RunResponse_Stderr{Stderr: p}})
		})
	}
	err = s.guest.Run(ctx, cmd)
	mu.Lock()
	defer mu.Unlock()
	return stream.Send(&pluginpb.RunResponse{Part: &pluginpb.RunResponse_Result{
		Result: &pluginpb.ErrorResponse{Error: errorToPB(err)},
	}})
}

var errRunOver = errors.New("the command has ended")

// receiveInput writes the plugin's input to w until its end. The command slows
// the plugin down: while it does not read, no further piece is received.
func receiveInput(stream runStream, w *io.PipeWriter) {
	for {
		m, err := stream.Recv()
		if err != nil {
			w.CloseWithError(err)
			return
		}
		if m.GetEndOfInput() {
			w.Close()
			return
		}
		if _, err := w.Write(m.GetInput()); err != nil {
			return
		}
	}
}

// outputWriter sends output in pieces; Send blocks while the plugin is slow.
type outputWriter func(p []byte) error

func (send outputWriter) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		end := min(n+chunk, len(p))
		if err := send(p[n:end]); err != nil {
			return n, err
		}
		n = end
	}
	return len(p), nil
}
