// Package archive writes a box's files into one file and makes them of it again,
// also of a file that somebody hostile has written.
//
// The file is a tar (PAX) in zstd,
//
//	berth.json    what it is (Meta); first
//	rootfs/...    the files, each folder before what is in it, with the ids they
//	              have in a box, extended attributes, and times
//	berth.sum     sha256 of all entries before it, as sum.go writes them; last
//
// and after it comes a seal over all of the file (seal.go).
//
// What may be in it is what Write writes, and no more (check.go). Everything is
// read and written as a stream.
package archive

import "time"

// The entries beside the files.
const (
	metaName = "berth.json"
	treeName = "rootfs"
	sumName  = "berth.sum"
)

// Format is the version of the format. A newer one is refused.
const Format = 1

// Meta says what an archive is.
type Meta struct {
	Format  int       `json:"format"`
	Arch    string    `json:"arch"`  // as Go names it
	Box     string    `json:"box"`   // name of the box
	Image   string    `json:"image"` // what the box was made of
	Created time.Time `json:"created"`
}
