package shell

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/berth-dev/berth/provisioner"
)

// A staged script lies in a folder of its own in the box.
type staged struct {
	dir    string
	script string // its path
	bash   bool   // the box has bash
}

// Files beside the script.
const (
	trapFile = ".trap"
	failFile = ".failed"
)

// $1 is the script's name; the script is on standard input. All in one go, as
// each command is a round trip. The folder belongs to the login user, and root
// can read it too.
const placeScript = `set -eu
umask 077
dir=$(mktemp -d /tmp/berth-XXXXXXXXXX)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$dir/$1"
chmod 700 "$dir/$1"
printf '%s\n' "$2" >"$dir/` + trapFile + `"
command -v bash >/dev/null && bash=yes || bash=no
trap - EXIT
echo "$dir $bash"`

// bash reads this before the script (bash(1), BASH_ENV), and so tells which line
// failed when set -e ends it. It leaves no trace but the trap, and other shells
// that the script starts never see it.
const trapScript = `set -E
trap "case \$- in *e*) printf '%s %s\n' \"\$LINENO\" \"\${BASH_SOURCE[0]-}\" >|'${BASH_ENV%/*}/` + failFile + `';; esac 2>/dev/null" ERR
unset BASH_ENV`

func place(ctx context.Context, guest provisioner.Guest, src *source) (*staged, error) {
	var out provisioner.Answer
	err := guest.Run(ctx, provisioner.Cmd{
		Argv:   []string{"sh", "-c", placeScript, "berth", src.name, trapScript},
		Stdin:  bytes.NewReader(src.text),
		Stdout: &out,
	})
	if err != nil {
		return nil, err
	}
	dir, bash, ok := strings.Cut(strings.TrimSpace(out.String()), " ")
	if !ok || !strings.HasPrefix(dir, "/tmp/berth-") {
		return nil, fmt.Errorf("make folder: the box answers %.100q", out.String())
	}
	return &staged{dir: dir, script: dir + "/" + src.name, bash: bash == "yes"}, nil
}

// removeLimit bounds the clean-up, which goes on after the step's context.
const removeLimit = 10 * time.Second

// remove removes the script and tells where it failed, if that is known.
func (s *staged) remove(ctx context.Context, guest provisioner.Guest, root bool) (where string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeLimit)
	defer cancel()
	var out provisioner.Answer
	err = guest.Run(ctx, provisioner.Cmd{
		Argv:   []string{"sh", "-c", `cat "$1/` + failFile + `" 2>/dev/null; exec rm -rf -- "$1"`, "berth", s.dir},
		Root:   root,
		Stdout: &out,
	})
	line, file, ok := strings.Cut(strings.TrimSpace(out.String()), " ")
	switch {
	case !ok:
		return "", err
	case file != s.script:
		return fmt.Sprintf("line %s of %s", line, file), err
	}
	return "line " + line, err
}
