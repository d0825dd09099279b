package provider

import "context"

// Packager makes files of boxes, and images of such files, on any host whose
// provider has the same name.
type Packager interface {
	// Package writes the disk of a box into an archive, without what makes the box
	// itself (see [Checkpointer]). The file must be there, and empty: whose it is
	// and whether it is whole is the caller's business. A running box stands still
	// for a moment and goes on. ErrNotFound when the box does not exist.
	Package(ctx context.Context, id, file string, report Report) error
	// ImportImage makes an image of an archive, complete or not at all. The archive
	// may come from anywhere: nothing of one that is damaged, or that is not what
	// Package writes, is ever used.
	ImportImage(ctx context.Context, i Import, report Report) error
}

// Import says what to import.
type Import struct {
	File    string
	Name    string // of the image that it becomes, as an Envfile has it
	Replace bool   // an image that has the name already
	Limits  ImportLimits
}

// ImportLimits are what an archive may hold. 0 is the provider's default.
type ImportLimits struct {
	Size    int64 // bytes, unpacked
	Entries int64
	Ratio   int64 // how many times larger than packed it may be
}
