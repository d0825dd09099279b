package lxc

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider"
)

func TestParsePackages(t *testing.T) {
	text := "Package: zlib1g\nArchitecture: amd64\nSource: zlib\nDescription: x\n SHA256: not this\n: nor this\nSHA256: bb\nVersion: 1:1.2\n\n" +
		"Package: adduser\nVersion: 3.134\nArchitecture: all\nSHA256: aa\n\n\nPackage: adduser\nVersion: 3.134\nArchitecture: all\nSHA256: aa\n"
	want := []provider.Package{{Name: "adduser", Version: "3.134", Arch: "all", SHA256: "aa"}, {Name: "zlib1g", Version: "1:1.2", Arch: "amd64", SHA256: "bb"}}
	if diff := cmp.Diff(want, parsePackages([]byte(text))); diff != "" {
		t.Error(diff)
	}
}

// What an image is is known from the store alone, once it has been built.
func TestImageIsKnown(t *testing.T) {
	fakeBuilder(t, `mkdir -p "$dir/etc/apt" "$dir/var/cache"; echo "deb [signed-by=\"/x.gpg\"] http://m s main" >"$dir/etc/apt/sources.list"
printf 'Package: a\nVersion: 1\nArchitecture: all\nSHA256: 00\n' >"$dir/var/cache/berth-packages"; echo "$SOURCE_DATE_EPOCH" >"$dir/etc/epoch"`)
	p := Open(t.TempDir()).(*lxcProvider)
	if _, err := p.Image(t.Context(), "debian:bookworm"); !errors.Is(err, provider.ErrImage) {
		t.Errorf("before it is built: %v", err)
	}
	if err := p.FetchImage(t.Context(), "debian:bookworm", nil); err != nil {
		t.Fatal(err)
	}
	img, err := p.Image(t.Context(), "debian:bookworm")
	if err != nil || len(img.Digest) != len("sha256:")+64 || img.Arch == "" || len(img.Packages) != 1 || img.Packages[0].SHA256 != "00" {
		t.Errorf("%+v, %v", img, err)
	}
	layer := p.store.layer(strings.TrimPrefix(img.Digest, "sha256:"))
	for name, want := range map[string]string{"etc/apt/sources.list": "deb http://m s main\n", "etc/epoch": buildEpoch + "\n"} {
		if b, err := os.ReadFile(filepath.Join(layer, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if _, err := os.Stat(filepath.Join(layer, packagesFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the list of packages is in the image: %v", err)
	}
	if _, err := p.Image(t.Context(), "debian:trixie"); !errors.Is(err, provider.ErrImage) {
		t.Errorf("another one: %v", err)
	}
}

// Two builds of the same packages are the same image, at whatever time and in
// whatever folder. It takes two minutes.
func TestBuildsAreReproducible(t *testing.T) {
	testenv.NeedLXC(t)
	testenv.NeedNet(t)
	if testing.Short() {
		t.Skip("it builds two images")
	}
	var images [2]provider.Image
	for i := range images {
		p := Open(t.TempDir()).(*lxcProvider)
		begin := time.Now()
		if err := p.FetchImage(t.Context(), "debian:bookworm", nil); err != nil {
			t.Fatal(err)
		}
		var err error
		if images[i], err = p.Image(t.Context(), "debian:bookworm"); err != nil {
			t.Fatal(err)
		}
		t.Logf("built %s with %d packages in %s", images[i].Digest, len(images[i].Packages), time.Since(begin).Round(time.Second))
		layer := p.store.layer(strings.TrimPrefix(images[i].Digest, "sha256:"))
		out, err := exec.Command("dpkg-query", "--admindir="+layer+"/var/lib/dpkg", "-W", "-f", "${Package} ${Version} ${Architecture}\n").Output()
		if err != nil {
			t.Fatal(err)
		}
		var listed strings.Builder
		for _, pkg := range images[i].Packages {
			listed.WriteString(pkg.Name + " " + pkg.Version + " " + pkg.Arch + "\n")
			if len(pkg.SHA256) != 64 {
				t.Errorf("the hash of %s is %q", pkg.Name, pkg.SHA256)
			}
		}
		if diff := cmp.Diff(string(out), listed.String()); diff != "" {
			t.Errorf("what dpkg has and what is listed:\n%s", diff)
		}
	}
	if diff := cmp.Diff(images[0].Packages, images[1].Packages); diff != "" {
		t.Skipf("the mirror has changed in between:\n%s", diff)
	}
	if images[0].Digest != images[1].Digest {
		t.Errorf("%s and %s", images[0].Digest, images[1].Digest)
	}
}
