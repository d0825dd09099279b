package plugins

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	"github.com/berth-dev/berth/plugins/internal/wire"
)

// endGrace is how long calls may take to end once the host is gone or has asked
// the plugin to end. The host kills the plugin a little later.
const endGrace = 1500 * time.Millisecond

// serve runs the plugin process.
//
// It uses the mode of go-plugin's Serve that is named Test, since only that one
// leaves to us what a process must own: its streams, its signals and its end.
// The other mode prints the handshake to os.Stdout, where a stray print mixes
// with it, and then replaces os.Stdout and os.Stderr by pipes to the host whose
// content is lost when the process crashes (go-plugin v1.8.0, server.go).
func serve(set plugin.PluginSet, kind string) {
	cookie := wire.Handshake.MagicCookieKey
	if os.Getenv(cookie) != wire.Handshake.MagicCookieValue {
		fmt.Fprintf(os.Stderr, "this is a %s plugin of Berth; put it into a folder of $BERTH_PLUGIN_PATH and berth starts it\n", kind)
		os.Exit(1)
	}
	out, err := takeStdout()
	if err != nil {
		fmt.Fprintln(os.Stderr, "take standard output:", err)
		os.Exit(1)
	}
	// Ctrl-C is the host's to handle: it cancels the calls. Not signal.Ignore,
	// which what the plugin starts would inherit.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)

	var calls atomic.Int64
	life, end := context.WithCancel(context.Background())
	go func() {
		// The lifeline: the host holds the other end of the pipe, so that this
		// ends with the host even when that is killed.
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
		waitIdle(&calls, endGrace)
		os.Exit(0)
	}()

	ready := make(chan *plugin.ReattachConfig, 1)
	go announce(out, ready)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake,
		VersionedPlugins: map[int]plugin.PluginSet{wire.Protocol: set},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			opts = append(opts, wire.ServerOptions()...)
			return grpc.NewServer(append(opts, callOptions(life, &calls)...)...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Warn, DisableTime: true}),
		Test:   &plugin.ServeTestConfig{ReattachConfigCh: ready},
	})
	// Serve has returned: the host asked for a shutdown, or no socket could be
	// made, which is in the log.
	os.Exit(1)
}

// takeStdout moves standard output away for the handshake and lets file
// descriptor 1 mean standard error, so that a stray print is a line in the log.
func takeStdout() (*os.File, error) {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 100)
	if err != nil {
		return nil, err
	}
	if err := unix.Dup3(2, 1, 0); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "handshake"), nil
}

// announce prints the handshake line, as go-plugin's client reads it: its own
// version, ours, the socket, the protocol and no certificate.
func announce(out *os.File, ready <-chan *plugin.ReattachConfig) {
	r := <-ready
	// What this process starts is no plugin and gets no plugin's environment.
	os.Unsetenv(wire.Handshake.MagicCookieKey)
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PLUGIN_") {
			os.Unsetenv(name)
		}
	}
	_, err := fmt.Fprintf(out, "%d|%d|%s|%s|%s|\n", plugin.CoreProtocolVersion, r.ProtocolVersion,
		r.Addr.Network(), r.Addr.String(), r.Protocol)
	if err != nil {
		fmt.Fprintln(os.Stderr, "print the handshake:", err)
		os.Exit(1)
	}
	out.Close()
}

// callOptions make every call of a contract end with life, and count it.
func callOptions(life context.Context, calls *atomic.Int64) []grpc.ServerOption {
	enter := func(ctx context.Context) (context.Context, func()) {
		calls.Add(1)
		ctx, cancel := context.WithCancel(ctx)
		unhook := context.AfterFunc(life, cancel)
		return ctx, func() { unhook(); cancel(); calls.Add(-1) }
	}
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			ctx, leave := enter(ctx)
			defer leave()
			return handle(ctx, r)
		}),
		grpc.StreamInterceptor(func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			if !strings.HasPrefix(info.FullMethod, "/berth.") {
				return handle(srv, s) // go-plugin's own streams stay open all the time
			}
			ctx, leave := enter(s.Context())
			defer leave()
			return handle(srv, &stream{ServerStream: s, ctx: ctx})
		}),
	}
}

// stream is a server stream with a context of ours.
type stream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *stream) Context() context.Context { return s.ctx }

// waitIdle waits until no call is going on, at most for limit.
func waitIdle(calls *atomic.Int64, limit time.Duration) {
	deadline := time.After(limit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for calls.Load() > 0 {
		select {
		case <-tick.C:
		case <-deadline:
			return
		}
	}
}
