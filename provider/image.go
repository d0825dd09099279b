package provider

import "context"

// Imager tells what images are, so that they can be locked. A provider whose
// Create may get something from elsewhere implements it. The arguments of the
// provider block are set.
type Imager interface {
	// FetchImage gets the image, so that Create needs nothing that is not on this
	// host. For one that is there it does nothing. ErrImage when there is none.
	FetchImage(ctx context.Context, name string, report Report) error
	// Image returns what the image is that Create would start from. It changes
	// nothing and uses no network; ErrImage when the image is not on this host.
	Image(ctx context.Context, name string) (Image, error)
}

// Image is what boxes start from.
type Image struct {
	Name string
	// Digest is of all that is in it: images with the same one are the same, on
	// any host. "sha256:" and hexadecimal digits.
	Digest   string
	Arch     string    // as Go names it: "amd64"
	Packages []Package // of its distribution, in the order of their names; may be empty
}

// Package is one of an image's distribution's packages.
type Package struct {
	Name    string
	Version string
	Arch    string // as the distribution names it: "amd64", "all"
	SHA256  string // of the package's file, hexadecimal; empty when not known
}
