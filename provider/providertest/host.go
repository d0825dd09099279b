package providertest

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/berth-dev/berth/provider"
)

// examine checks a provider that looks closely at the host.
func (s *suite) examine(t *testing.T) {
	e, ok := s.open(t).(provider.Examiner)
	if !ok {
		t.Skip("the provider does not examine the host")
	}
	hops, err := e.Examine(ctx(t))
	if errors.Is(err, provider.ErrUnsupported) {
		t.Skip("the provider does not examine the host")
	}
	if err != nil || len(hops) == 0 {
		t.Fatalf("Examine: %d hops, %v", len(hops), err)
	}
	seen, done, last := map[string]bool{}, map[string]bool{}, ""
	for _, h := range hops {
		if h.Code == "" || h.Chain == "" || h.Name == "" || seen[h.Code] {
			t.Errorf("a hop without a name or with the code of another: %+v", h)
		}
		if h.Chain != last && done[h.Chain] {
			t.Errorf("the chain %q is in two parts", h.Chain)
		}
		if bad := h.Verdict == provider.Broken || h.Verdict == provider.Weak; bad != (h.Problem != "") {
			t.Errorf("a hop that is bad says what is wrong, and no other: %+v", h)
		}
		seen[h.Code], done[h.Chain], last = true, true, h.Chain
	}
}

// images checks a provider that tells what its images are.
func (s *suite) images(t *testing.T) {
	p, ok := s.open(t).(provider.Imager)
	if !ok {
		t.Skip("the provider has no images to tell of")
	}
	if _, err := p.Image(ctx(t), s.spec.Image); errors.Is(err, provider.ErrUnsupported) {
		t.Skip("the provider has no images to tell of")
	} else if err != nil && !errors.Is(err, provider.ErrImage) {
		t.Errorf("Image, before it was fetched: %v, want ErrImage or nothing", err)
	}
	if _, err := p.Image(ctx(t), "no-such:image"); !errors.Is(err, provider.ErrImage) {
		t.Errorf("Image of one that was never fetched: %v, want ErrImage", err)
	}
	var seen []provider.Image
	for range 2 { // which does nothing the second time
		var news events
		if err := s.open(t).(provider.Imager).FetchImage(ctx(t), s.spec.Image, news.report); err != nil {
			t.Fatalf("FetchImage: %v", err)
		}
		img, err := s.open(t).(provider.Imager).Image(ctx(t), s.spec.Image)
		if err != nil {
			t.Fatalf("Image, once it was fetched: %v", err)
		}
		seen = append(seen, img)
	}
	if !reflect.DeepEqual(seen[0], seen[1]) {
		t.Errorf("the image is another one when it is asked for again: %s and %s", seen[0].Digest, seen[1].Digest)
	}
	if i := seen[0]; i.Name != s.spec.Image || i.Arch == "" || !strings.HasPrefix(i.Digest, "sha256:") {
		t.Errorf("the image is %q of %q for %q", i.Name, i.Digest, i.Arch)
	}
}
