package provider

import "context"

// Problem is something outside Berth that keeps boxes from working. It keeps its
// code across the plugin boundary, so that every command says the same of it.
type Problem struct {
	// Code is stable and has a section in the provider's documentation:
	// "BRT-LXC-01". A provider that is not Berth's own chooses another prefix.
	Code string
	Text string // what is wrong, with what was read
	Fix  string // the command that heals it, or what else to do; may be empty
}

func (p *Problem) Error() string {
	text := p.Code + ": " + p.Text
	if p.Fix != "" {
		text += "\n" + p.Fix
	}
	return text
}

// Examiner looks at the host more closely than Check does, for `berth doctor`.
type Examiner interface {
	// Examine tries what boxes need of the host, hop by hop, and changes nothing.
	// It may take seconds. What is wrong with the host is in the hops; the error
	// is for an examination that could not be made. The arguments of the
	// provider block are set.
	Examine(ctx context.Context) ([]Hop, error)
}

// Hop is one thing that boxes need. Those of one chain build on each other, so
// after a broken one the rest of its chain is not tried.
type Hop struct {
	Chain   string // "network"; the hops of a chain are together and in order
	Name    string // "forwarding"
	Code    string // as in Problem
	Verdict Verdict
	Read    string // what was found: "net.ipv4.ip_forward is 0"
	Problem string // what is wrong with that; empty when nothing is
	Fix     string // as in Problem
}

// Verdict is how a hop is.
type Verdict string

// The verdicts. One that this side of the wire does not know is Untried.
const (
	Good    Verdict = "ok"
	Weak    Verdict = "weak"   // boxes work, but not as well as they could, or not under all circumstances
	Broken  Verdict = "broken" // no box works, or this one does not
	Untried Verdict = "untried"
)
