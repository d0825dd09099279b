package engine

import (
	"context"
	"testing"

	"github.com/berth-dev/berth/provider"
)

// imager is a provider that tells what its images are.
type imager struct {
	*fake
	digest string
	err    error
}

func (i *imager) FetchImage(context.Context, string, provider.Report) error { return i.err }
func (i *imager) Image(_ context.Context, name string) (provider.Image, error) {
	return provider.Image{Name: name, Digest: i.digest, Arch: "amd64"}, i.err
}

// A checkpoint is of what the image is, not of what it is called: after the image
// was built anew, a box is not made of the old one's, which a lock would forbid.
func TestCheckpointsKnowTheImage(t *testing.T) {
	e, f, _ := newEngine(t, "box \"a\" {\n  provisioner \"note\" { text = \"x\" }\n}\n")
	targets, err := e.prepare(t.Context(), e.Envfile.Boxes, true)
	if err != nil {
		t.Fatal(err)
	}
	key := func(p provider.Provider) string {
		t.Helper()
		targets[0].plugin, targets[0].image = p, nil // as in another command
		links, err := e.chain(t.Context(), targets[0])
		if err != nil || len(links) != 1 {
			t.Fatalf("%v, %v", links, err)
		}
		return links[0].key
	}
	one := key(&imager{fake: f, digest: "sha256:1"})
	if again := key(&imager{fake: f, digest: "sha256:1"}); again != one {
		t.Errorf("the same image gives %s and %s", one, again)
	}
	if other := key(&imager{fake: f, digest: "sha256:2"}); other == one {
		t.Error("another image of the same name gives the same key")
	}
	if absent, without := key(&imager{fake: f, err: provider.ErrImage}), key(f); absent != without || absent == one {
		t.Errorf("without a digest the name counts: %s and %s", absent, without)
	}
}
