// Package host finds, starts and ends plugin processes and hands out their
// contracts. Built-in plugins take the same road as external ones: the berth
// binary starts itself as `berth plugin serve KIND NAME`.
//
// A plugin process
//   - has the reading end of a pipe as standard input, whose other end only the
//     host holds, so that it ends with the host however that ends;
//   - leads a process group of its own: a terminal's Ctrl-C does not reach it,
//     and what it leaves behind in its group is killed when it ends. What must
//     outlive it, such as the monitor of a running box, leaves the group with
//     setsid(2) and keeps none of its streams;
//   - gets a list of allowed environment variables and nothing else;
//   - listens on a Unix socket in a folder that only this user can enter.
//
// What goes over the socket is the business of plugins/internal/wire; which
// plugin a block means, and when it is called, is the engine's.
package host
