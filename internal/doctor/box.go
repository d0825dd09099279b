package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/berth-dev/berth/internal/guest"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// Box is a box and what is needed to get to it.
type Box struct {
	Name     string
	Record   *state.Record // nil: none
	Keys     state.Keys
	KeysErr  error
	Provider provider.Provider
	Err      error // why there is no provider
	Net      Net
}

// Net is the way to a box.
type Net interface {
	// Route says by what link and from what address an address is reached.
	Route(addr string) (string, error)
	// Login enters the box. A *guest.StageError says how far that came.
	Login(ctx context.Context, t guest.Target) error
}

// loginTimeout is far longer than a box takes that is well.
const loginTimeout = 10 * time.Second

// journey is what the hops on the way to a box have found so far.
type journey struct {
	Box
	now      provider.Box
	tried    bool
	loginErr error
}

type boxCheck struct {
	code, name string
	try        func(context.Context, *journey) provider.Hop
}

// boxChecks are the hops from a record to a login, in order.
var boxChecks = []boxCheck{
	{"BRT-BOX-01", "record", record},
	{"BRT-BOX-02", "state", running},
	{"BRT-BOX-03", "address", address},
	{"BRT-BOX-04", "route", route},
	{"BRT-BOX-05", "tcp", reached(guest.StageTCP, "nothing in the box listens for SSH",
		"berth logs %[1]s shows its boot; berth reload %[1]s boots it again.")},
	{"BRT-BOX-06", "ssh handshake", reached(guest.StageHandshake, "what answers is not the box's own sshd, or that is not well",
		"berth reload %[1]s boots it again; a box whose host key was changed in it has to be made anew: berth destroy %[1]s && berth up %[1]s")},
	{"BRT-BOX-07", "login", reached(guest.StageLogin, "the box does not let its own key in",
		"Somebody has changed users or keys in the box; it can be made anew: berth destroy %[1]s && berth up %[1]s")},
}

// Codes are the codes of this package's own hops.
func Codes() []string {
	codes := []string{ProviderCode}
	for _, c := range boxChecks {
		codes = append(codes, c.code)
	}
	return codes
}

// Examine goes the way to the box until a hop is broken.
func (b Box) Examine(ctx context.Context) Section {
	s := Section{Of: fmt.Sprintf("box %q", b.Name)}
	j := &journey{Box: b}
	stuck := ""
	for _, c := range boxChecks {
		h := provider.Hop{Verdict: provider.Untried, Read: "since " + stuck + " is broken"}
		if stuck == "" {
			h = c.try(ctx, j)
		}
		h.Chain, h.Name, h.Code = "box", c.name, c.code
		if h.Verdict == provider.Broken {
			stuck = c.code
		}
		s.Hops = append(s.Hops, h)
	}
	return s
}

func good(read string) provider.Hop { return provider.Hop{Verdict: provider.Good, Read: read} }

func broken(read, problem, fix string) provider.Hop {
	return provider.Hop{Verdict: provider.Broken, Read: read, Problem: problem, Fix: fix}
}

func record(_ context.Context, j *journey) provider.Hop {
	up := "berth up " + j.Name
	switch {
	case j.Record == nil:
		return broken("none", "the box does not exist", up)
	case !j.Record.Made:
		return broken(j.Record.ID+", not finished", "the creation of the box was interrupted", up)
	case j.KeysErr != nil:
		return broken(j.KeysErr.Error(), "the box's keys cannot be read", "berth destroy "+j.Name+" && "+up)
	}
	return good(j.Record.ID)
}

func running(ctx context.Context, j *journey) provider.Hop {
	up := "berth up " + j.Name
	if j.Err != nil {
		return broken(j.Err.Error(), "the box's provider cannot be asked", "")
	}
	var err error
	j.now, err = j.Provider.Inspect(ctx, j.Record.ID)
	switch {
	case errors.Is(err, provider.ErrNotFound):
		return broken("the provider knows of no such box", "the box is gone, though it was not destroyed with berth", up)
	case err != nil:
		return broken(err.Error(), "the provider cannot tell how the box is", "")
	case j.now.State == provider.Frozen:
		return broken("frozen", "the box is suspended", "berth resume "+j.Name)
	case j.now.State != provider.Running:
		return broken(string(j.now.State), "the box does not run", up)
	}
	return good("running since " + j.now.Started.Local().Format(time.DateTime))
}

func address(_ context.Context, j *journey) provider.Hop {
	switch {
	case j.now.SSHAddr == "":
		return broken("none", "the provider does not know where the box's sshd is", "berth reload "+j.Name)
	case j.now.SSHAddr != j.Record.SSH.Addr:
		return broken(fmt.Sprintf("%s, and on record is %q", j.now.SSHAddr, j.Record.SSH.Addr),
			"the box has another address than the one on record, since it was started without berth", "berth up "+j.Name)
	}
	return good(j.now.SSHAddr)
}

func route(_ context.Context, j *journey) provider.Hop {
	via, err := j.Net.Route(j.now.SSHAddr)
	if err != nil {
		return broken(err.Error(), "the host has no way to the box's address", "berth reload "+j.Name)
	}
	return good(via)
}

// reached is a hop of the login, which is tried once for all of them.
func reached(stage, problem, fix string) func(context.Context, *journey) provider.Hop {
	return func(ctx context.Context, j *journey) provider.Hop {
		if !j.tried {
			ctx, cancel := context.WithTimeout(ctx, loginTimeout)
			defer cancel()
			j.tried = true
			j.loginErr = j.Net.Login(ctx, guest.Target{
				Addr: j.now.SSHAddr, User: j.Record.SSH.User, Key: j.Keys.Private, HostKey: j.Record.SSH.HostKey,
			})
		}
		if j.loginErr == nil {
			return good("done")
		}
		var at *guest.StageError
		if errors.As(j.loginErr, &at) && at.Stage != stage {
			return good("done") // the hop that failed is a later one
		}
		return broken(j.loginErr.Error(), problem, fmt.Sprintf(fix, j.Name))
	}
}
