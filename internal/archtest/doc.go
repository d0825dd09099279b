// Package archtest holds tests of the source tree as a whole: which package may
// import which, that no file outgrows a reader, and that the documentation names
// files that exist. It has no code of its own.
package archtest
