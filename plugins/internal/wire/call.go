package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/berth-dev/berth/provider"
)

// CancelGrace is how long a cancelled call that changes things may go on before
// the host gives up on it. Until then the host waits, since "calls for one box
// do not overlap" covers the undoing as well.
const CancelGrace = 10 * time.Second

// Lost makes the error for a call that got no answer. The op is the name of the
// method; err has a gRPC status.
type Lost func(op string, err error) error

// failed turns the gRPC error of a call into what the caller gets to see.
func failed(ctx context.Context, lost Lost, op string, err error) error {
	switch {
	case ended(ctx, err):
		return ctx.Err()
	case status.Code(err) == codes.Unimplemented:
		return fmt.Errorf("%s: %w", op, provider.ErrUnsupported)
	case lost != nil:
		return lost(op, err)
	}
	return fmt.Errorf("%s: %s", op, status.Convert(err).Message())
}

// ended reports whether a call failed because its context has ended. gRPC tells
// the other side of the deadline, whose timer may be ahead of ours by a little.
func ended(ctx context.Context, err error) bool {
	if c := status.Code(err); c == codes.Canceled || c == codes.DeadlineExceeded {
		if at, ok := ctx.Deadline(); ok && time.Until(at) < 100*time.Millisecond {
			<-ctx.Done()
		}
	}
	return ctx.Err() != nil
}

// detach returns the context for a stream whose Cancel is a message of its own.
// When ctx ends, it calls sendCancel and, after CancelGrace, cuts the stream.
// The caller calls cut when the call is over.
func detach(ctx context.Context) (stream context.Context, watch func(sendCancel func()), cut context.CancelFunc) {
	stream, cut = context.WithCancel(context.WithoutCancel(ctx))
	watch = func(sendCancel func()) {
		go func() {
			select {
			case <-ctx.Done():
			case <-stream.Done():
				return
			}
			// The plugin knows the deadline; a Cancel could only overtake it.
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				sendCancel()
			}
			select {
			case <-time.After(CancelGrace):
				cut()
			case <-stream.Done():
			}
		}()
	}
	return stream, watch, cut
}

// attach returns the context of a method in the plugin: it ends with the
// stream, at the deadline, and when next delivers a second message, which can
// only be Cancel.
func attach(stream context.Context, deadline int64, next func() error) (context.Context, context.CancelFunc) {
	var ctx context.Context
	var cancel context.CancelFunc
	if deadline == 0 {
		ctx, cancel = context.WithCancel(stream)
	} else {
		ctx, cancel = context.WithDeadline(stream, timeFromPB(deadline))
	}
	go func() {
		if next() == nil {
			cancel()
		}
	}()
	return ctx, cancel
}

func deadlineToPB(ctx context.Context) int64 {
	at, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return at.UnixNano()
}

var errNoBegin = status.Error(codes.InvalidArgument, "the stream does not start with Begin")

// errNoResult means that a stream ended well but without its result.
var errNoResult = errors.New("the answer has no result")
