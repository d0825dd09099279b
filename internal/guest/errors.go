package guest

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrHostKey means that the server has another host key than the pinned one.
	ErrHostKey = errors.New("host key is not the one Berth gave the box")
	// ErrAuth means that the server refuses the user or the key.
	ErrAuth = errors.New("login refused")
)

// The stages of a connection, in their order.
const (
	StageTCP       = "tcp"
	StageHandshake = "ssh handshake"
	StageLogin     = "ssh login"
)

// StageError is one attempt to connect that did not succeed.
type StageError struct {
	Stage string // one of the Stage constants
	Addr  string // host:port
	Err   error
}

func (e *StageError) Error() string {
	return fmt.Sprintf("connect to %s: %s: %v", e.Addr, e.Stage, e.Err)
}

func (e *StageError) Unwrap() error { return e.Err }

// NotReadyError means that a box could not be logged in to in time.
type NotReadyError struct {
	Stage  string        // the furthest stage that was reached
	Addr   string        // host:port
	Last   error         // the last attempt's error; nil when none has ended
	Waited time.Duration // since the call
	Cause  error         // why the waiting ended: the context's error, or what Alive said
}

func (e *NotReadyError) Error() string {
	s := fmt.Sprintf("box not ready after %s: no success at stage %q of %s",
		e.Waited.Round(100*time.Millisecond), e.Stage, e.Addr)
	if e.Last != nil {
		s += ": " + e.Last.Error()
	}
	return s
}

// Unwrap gives the cause and the last attempt's error.
func (e *NotReadyError) Unwrap() []error {
	if e.Last == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Last}
}
