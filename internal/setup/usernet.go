package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// userNet lets LXC's helper connect the user's boxes to the user's bridges, and to
// no others (lxc-usernet(5)).
type userNet struct{ h *host }

const usernetFile = "/etc/lxc/lxc-usernet"

// maxDevices is how many boxes can be on one bridge.
const maxDevices = 250

// lines are those of the user's bridges.
func (n userNet) lines() ([]string, error) {
	u, ok, err := n.h.network()
	if err != nil || !ok {
		return nil, err
	}
	var all []string
	for _, bridge := range append([]string{u.Bridge}, u.Private...) {
		all = append(all, fmt.Sprintf("%s veth %s %d", n.h.user.name, bridge, maxDevices))
	}
	return all, nil
}

func (n userNet) read() (text string, there bool, err error) {
	b, err := os.ReadFile(n.h.path(usernetFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	return string(b), err == nil, err
}

func (n userNet) missing() ([]change, error) {
	wanted, err := n.lines()
	if err != nil {
		return nil, err
	}
	text, there, err := n.read()
	if err != nil {
		return nil, err
	}
	if len(wanted) == 0 { // only in a dry run: the network is not there yet
		return []change{{"let " + n.h.user.name + " connect boxes to its bridges, in " + usernetFile, nil}}, nil
	}
	if _, more := addLines(text, wanted); !more {
		return nil, nil
	}
	say := fmt.Sprintf("let %s connect boxes to its bridges, in %s", n.h.user.name, usernetFile)
	return []change{{say, func(context.Context) error {
		if !there {
			if err := n.h.done.wrote(usernetFile); err != nil {
				return err
			}
		}
		text, _ := addLines(text, wanted)
		return n.write(text)
	}}}, nil
}

func (n userNet) write(text string) error {
	path := n.h.path(usernetFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, []byte(text), 0o644)
}

// undo is asked for while the network is still recorded.
func (n userNet) undo() ([]change, error) {
	ours, err := n.lines()
	if err != nil {
		return nil, err
	}
	text, _, err := n.read()
	rest, fewer := dropLines(text, ours)
	if err != nil || !fewer {
		return nil, err
	}
	return []change{{fmt.Sprintf("forbid %s to connect boxes to bridges, in %s", n.h.user.name, usernetFile), func(context.Context) error {
		if strings.TrimSpace(rest) == "" && n.h.done.Files[usernetFile] {
			return n.h.removeOwn(usernetFile)
		}
		return n.write(rest)
	}}}, nil
}

// addLines appends the lines that text does not have.
func addLines(text string, lines []string) (string, bool) {
	has := strings.Split(text, "\n")
	more := false
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	for _, l := range lines {
		if !slices.Contains(has, l) {
			text += l + "\n"
			more = true
		}
	}
	return text, more
}

// dropLines leaves the lines out.
func dropLines(text string, lines []string) (string, bool) {
	var rest strings.Builder
	fewer := false
	for line := range strings.Lines(text) {
		if slices.Contains(lines, strings.TrimSuffix(line, "\n")) {
			fewer = true
			continue
		}
		rest.WriteString(line)
	}
	return rest.String(), fewer
}
