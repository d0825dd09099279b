// Package doctor finds the broken hop between a user and a box: on the host,
// which providers look at, and on the way from the record of a box to a login
// in it. It only looks. What the codes mean is in docs/doctor.md.
package doctor
