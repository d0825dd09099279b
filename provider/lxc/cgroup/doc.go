// Package cgroup sets the limits of boxes, reads them back, and finds what is in
// the boxes' cgroups: in cgroup v1, in v2, and where a host has both (cgroups(7),
// cgroup-v2.rst and cgroup-v1/ of the kernel).
package cgroup
