package hostcheck

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/berth-dev/berth/provider/lxc/subid"
)

var idChecks = []Check{
	{Code: "BRT-USR-01", Chain: "mode", Name: "whose", Try: mode},
	{Code: "BRT-USR-02", Chain: "ids", Name: "user ids", For: rootless, Try: subIDs(subid.Users)},
	{Code: "BRT-USR-03", Chain: "ids", Name: "group ids", For: rootless, Try: subIDs(subid.Groups)},
	{Code: "BRT-USR-04", Chain: "ids", Name: "newuidmap", For: rootless, Try: idTool("newuidmap")},
	{Code: "BRT-USR-05", Chain: "ids", Name: "newgidmap", For: rootless, Try: idTool("newgidmap")},
	{Code: "BRT-USR-06", Chain: "setup", Name: "prepared", For: rootless, First: true, Try: prepared},
}

// mode says whose boxes they are.
func mode(_ context.Context, e Env) Result {
	if e.Rootless() {
		return good("boxes of user " + e.User + ", without root")
	}
	return good("boxes of root")
}

// prepared asks the provider, which tries what it will do.
func prepared(ctx context.Context, e Env) Result {
	problems := e.Unprepared(ctx)
	if len(problems) == 0 {
		return good("for user " + e.User)
	}
	// Each may say on a line of its own which part of setup heals it.
	fix := ""
	var text []string
	for line := range strings.SplitSeq(strings.Join(problems, "\n"), "\n") {
		if !strings.Contains(line, setup) {
			text = append(text, line)
		} else if fix == "" {
			fix = line
		}
	}
	if fix == "" {
		fix = setup
	}
	return broken(text[0], strings.Join(text, "\n"), fix)
}

// idRange is how many ids a user's box has beside the user's own.
const idRange = 65535

// subIDs looks for a range of ids that the user has been given (subuid(5)).
func subIDs(file string) func(context.Context, Env) Result {
	return func(_ context.Context, e Env) Result {
		largest := uint64(0)
		for _, r := range subid.Of(subid.Parse(strings.NewReader(e.text(file))), e.User, e.UID) {
			largest = max(largest, r.Count)
		}
		if largest < idRange {
			return broken(fmt.Sprintf("%s gives %s %d ids in a row", file, e.User, largest),
				fmt.Sprintf("a box needs %d ids of the host, and %s gives %s %d in a row", idRange, file, e.User, largest), setup)
		}
		return good(fmt.Sprintf("%d", largest))
	}
}

// idTool looks for a program that sets the ids of a user namespace. It can do
// so as setuid root, or with a file capability (newuidmap(1)).
func idTool(name string) func(context.Context, Env) Result {
	return func(ctx context.Context, e Env) Result {
		path, err := e.LookPath(name)
		if err != nil {
			return broken(name+" is not in $PATH", name+", which gives a box its ids, is not installed", setup)
		}
		st, err := e.Stat(path)
		if err == nil && st.Mode()&fs.ModeSetuid != 0 {
			return good(path)
		}
		if out, err := e.Run(ctx, "getcap", path); err == nil && strings.Contains(out, "cap_set") {
			return good(path + " with a capability")
		}
		return broken(path+" is neither setuid nor has it a capability",
			path+" may not set ids: it is neither setuid root nor has it the capability", "sudo chmod u+s "+path)
	}
}
