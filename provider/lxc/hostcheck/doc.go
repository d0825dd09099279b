// Package hostcheck finds out whether a host can run LXC boxes, hop by hop: its
// kernel, its tools, the ids, cgroups and network that a user has been given,
// its disk. Each check has a stable code, which docs/doctor.md explains. It only
// looks; what it is told to look at comes from a [Host], so tests need none.
package hostcheck
