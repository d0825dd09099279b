package guest

import (
	"context"
	"fmt"
	"io"
	"time"
)

// killLimit bounds the killing of what a cancelled command has started.
const killLimit = 5 * time.Second

// killFunc kills everything that has the tag $1 in its environment, or on its
// command line where it is about to get one, and their children, for sudo gives
// its command a clean environment. It asks first and forces after a while, and
// looks until nothing is left: a process may start another while it is being
// killed. The tag in grep's own arguments must not match, hence the pattern.
// A zombie has no environment, but does have a parent: it is passed over. Lower
// numbers come first, which are parents nearly always: a shell whose command was
// killed before it could go on with its next.
//
// Starting a program is the slow part, so the shell itself does what it can.
const killFunc = `berth_kill() { t=$1 n=0 a=; while ` +
	`q=; for f in $(grep -ls "[B]ERTH_$t" /proc/[0-9]*/environ /proc/[0-9]*/cmdline | sort -t/ -n -k3); do f=${f#/proc/}; q="$q ${f%%/*}"; done; ` +
	`for x in $a; do read -r s </proc/$x/stat && case $s in *") Z "*) ;; *) q="$q $x";; esac; done; ` +
	`a=; set -- $q; while [ $# -gt 0 ]; do x=$1; shift; case "$a " in *" $x "*) continue;; esac; a="$a $x"; ` +
	`for c in /proc/$x/task/[0-9]*/children; do k=; read -r k <$c; set -- "$@" $k; done; done; ` +
	`[ -n "$a" ]; do ` +
	`case $n in 0) kill -TERM $a;; [1-4]) ;; *) kill -KILL $a;; esac; ` +
	`n=$((n+1)); [ $n -lt 40 ] || return 1; sleep 0.$((n>1))5 || sleep 1; done; } 2>/dev/null; `

// killStray finds runs whose command, the process that the tag names, still
// lives. Daemons that a finished run has left behind keep its tag as well, but
// their command is gone.
const killStray = `r=0; for f in $(grep -ls "[B]ERTH_RUN=[0-9a-f]*-[0-9]" /proc/[0-9]*/environ); do ` +
	`t=$(tr "\000" "\n" <$f | sed -n "s/^BERTH_RUN=//p") 2>/dev/null; ` +
	`[ "/proc/${t##*-}/environ" = "$f" ] || continue; ` +
	`berth_kill RUN=${t%-*} || r=1; done; exit $r`

// KillStray ends what an earlier Berth has left running in the box: commands
// that were cut off in the middle, with all that they started. Daemons of a
// command that has finished are left alone.
func (c *Client) KillStray(ctx context.Context) error {
	if err := c.script(ctx, killFunc+killStray); err != nil {
		return fmt.Errorf("end stray commands in the box: %w", err)
	}
	return nil
}

// kill ends all that bears the tag. The caller's context has ended already.
func (c *Client) kill(ctx context.Context, name, tag string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killLimit)
	defer cancel()
	return c.script(ctx, killFunc+"berth_kill "+name[len("BERTH_"):]+"="+tag)
}

// script runs a program for sh, of one line, without a tag, as root if possible.
func (c *Client) script(ctx context.Context, text string) error {
	p, err := c.start(ctx, execRequest(c.commandLine(rootElse, "berth")))
	if err != nil {
		return err
	}
	var failed [2]error
	t := &tail{}
	p.copy(io.Discard, p.ch, &failed[0])
	p.copy(t, p.ch.Stderr(), &failed[1])
	p.feed(text+"\n", nil)
	select {
	case <-p.exited:
	case <-ctx.Done():
		go p.ch.Close() // it may wait for a box that takes nothing any more
		return ctx.Err()
	}
	p.drain(ctx)
	return p.result([]string{"sh"}, t.String())
}
