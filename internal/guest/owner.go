package guest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/berth-dev/berth/provisioner"
)

// An owner is who files are to belong to, as numbers of the box.
type owner struct{ uid, gid int }

// Prints the two numbers, or on standard error what does not exist. A name
// without a group means the user's main group. id knows every source of users
// that the box has; for groups that is getent, where there is one.
const findOwner = `u=0 g=0
if [ -n "$1" ]; then
	u=$(id -u -- "$1" 2>/dev/null) || case $1 in *[!0-9]*) echo "user $1" >&2; exit 3;; *) u=$1;; esac
	g=$(id -g -- "$1" 2>/dev/null) || g=0
fi
if [ -n "$2" ]; then
	case $2 in
	*[!0-9]*)
		line=$(getent group "$2" 2>/dev/null || grep "^$2:" /etc/group) || { echo "group $2" >&2; exit 3; }
		line=${line#*:*:}
		g=${line%%:*};;
	*) g=$2;;
	esac
fi
echo "$u $g"`

// resolveOwner looks up who FileOptions name. It is nil where nobody is named.
func (b *box) resolveOwner(ctx context.Context, o provisioner.FileOptions) (*owner, error) {
	if o.Owner == "" && o.Group == "" {
		return nil, nil
	}
	for _, name := range []string{o.Owner, o.Group} {
		if strings.ContainsAny(name, ":/*.[]^$\\ \t\n") || strings.HasPrefix(name, "-") {
			return nil, fmt.Errorf("find owner: %q is no name of a user or group", name)
		}
	}
	var stdout provisioner.Answer
	err := b.Run(ctx, provisioner.Cmd{
		Argv:   []string{"sh", "-c", findOwner, "sh", o.Owner, o.Group},
		Stdout: &stdout,
		Stderr: &tail{},
	})
	var exit *provisioner.ExitError
	if errors.As(err, &exit) && exit.Status == 3 {
		return nil, fmt.Errorf("find owner: the box has no %s", exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("find owner: %w", err)
	}
	uid, gid, _ := strings.Cut(strings.TrimSpace(stdout.String()), " ")
	u, err := strconv.Atoi(uid)
	g, err2 := strconv.Atoi(gid)
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("find owner: %w", err)
	}
	return &owner{u, g}, nil
}
