// Package guest is a box over SSH: waiting until it can be logged in to, running
// commands in it and copying files, as package provisioner's contract asks.
//
// One connection serves a box for the whole of a command; a further command on
// it costs a few milliseconds where a new login costs a tenth of a second. The
// box's host key is pinned before the first connection, and only that key and
// only the box's own user key are ever used.
//
// # How a command is started
//
// sshd hands the command line to the login shell of the user, and everyone in
// the box can read it in ps. So the command line is a small fixed program,
//
//	exec sh -c 'IFS= read -r BERTH_HEADER && eval "$BERTH_HEADER"' BERTH_RUN=…
//
// which a POSIX shell, fish and csh all read alike, and the environment, the
// folder and the arguments follow as the first line of standard input, quoted
// for sh. POSIX makes read take its input byte by byte from a pipe, so what
// follows that line is left for the command. (head -c and dd either read ahead
// or are slow, and SSH's own env requests are subject to the server's AcceptEnv.)
// For root the same program runs under sudo.
//
// # How a command is killed
//
// sshd does not end a command when its channel closes, unless it has a terminal,
// and a signal sent through it cannot reach a process of root. So every command
// has a random tag in its environment, which all that it starts inherits. When
// the context ends, a second session on the same connection kills whatever in
// /proc bears the tag. The tag ends in the process number of the command: while
// that process lives the command has not finished, which is how
// [Client.KillStray] tells a step that was cut off from a daemon that a finished
// step has left running.
//
// Waiting for a box, what it runs for a provisioner and how its output is broken
// into lines is here. What to run, and how output looks, is not.
package guest
