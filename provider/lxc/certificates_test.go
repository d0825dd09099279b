package lxc

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func testCertificate(t *testing.T, name string) []byte {
	t.Helper()
	subject, err := asn1.Marshal(pkix.Name{CommonName: name}.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: testCertificateOf(t, subject)})
}

func testCertificateOf(t *testing.T, subject []byte) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), RawSubject: subject, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// bootTrust does what the box's boot does when it is asked to.
func bootTrust(t *testing.T, root *os.Root) {
	t.Helper()
	if _, err := root.Lstat(certificatesMark); err != nil {
		return
	}
	disk := boxDisk{upper: root}
	err := errors.Join(root.RemoveAll(trustDir), root.RemoveAll(certificatesMark))
	for _, file := range disk.names(certificatesDir) {
		err = errors.Join(err, linkIn(root, trustLink(strings.TrimSuffix(file, ".crt")), "/"+certificatesDir+"/"+file))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSeedCertificates(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	seed := func(bundle []byte, files int, marked bool) {
		t.Helper()
		bootTrust(t, root)
		if err := seedCertificates(boxDisk{upper: root}, bundle); err != nil {
			t.Fatal(err)
		}
		entries, _ := os.ReadDir(dir + "/" + certificatesDir)
		if _, err := root.Stat(certificatesMark); len(entries) != files || (err == nil) != marked {
			t.Errorf("%d files, marked %v; want %d, %v", len(entries), err == nil, files, marked)
		}
	}
	one, two := testCertificate(t, "one"), testCertificate(t, "two")
	bad := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("bad")})
	seed(nil, 0, false)
	seed(append(append([]byte{}, one...), bad...), 1, true)
	seed(one, 1, false)
	seed(append(append([]byte{}, one...), two...), 2, true)
	seed(nil, 0, true)
	seed(nil, 0, false)
}

// A box that trusts nobody of the host yet needs no work in its boot; one that
// has to forget somebody, or to tell Java, does.
func TestTrustWithoutBoot(t *testing.T) {
	layer, upper := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"usr/sbin/update-ca-certificates":    "",
		"etc/ssl/certs/ca-certificates.crt":  "the others\n",
		"etc/ca-certificates/update.d/.keep": "",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(layer, name)), 0o755), os.WriteFile(filepath.Join(layer, name), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	os.Remove(layer + "/etc/ca-certificates/update.d/.keep")
	one := testCertificate(t, "one")
	cert, _ := pem.Decode(one)
	parsed, err := x509.ParseCertificate(cert.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := subjectHash(parsed.RawSubject)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(layer+"/etc/ssl/certs/"+hash+".0", nil, 0o644); err != nil { // as of another of the same subject
		t.Fatal(err)
	}
	marked := func(bundle []byte) bool {
		t.Helper()
		root, err := os.OpenRoot(upper)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := seedCertificates(boxDisk{upper: root, layers: []string{layer}}, bundle); err != nil {
			t.Fatal(err)
		}
		_, err = root.Stat(certificatesMark)
		return err == nil
	}
	if marked(one) {
		t.Error("the boot has work to do")
	}
	if b, err := os.ReadFile(upper + "/etc/ssl/certs/ca-certificates.crt"); err != nil || string(b) != "the others\n"+string(one) {
		t.Errorf("the bundle is %q, %v", b, err)
	}
	if to, err := os.Readlink(upper + "/etc/ssl/certs/" + hash + ".1"); err != nil || !strings.HasPrefix(to, "host-") {
		t.Errorf("%s.1 leads to %q, %v", hash, to, err)
	}
	if !marked(nil) {
		t.Error("the boot does not know that the box must forget a certificate")
	}
	for what, prepare := range map[string]func() error{
		"a hook": func() error { return os.WriteFile(layer+"/etc/ca-certificates/update.d/java", nil, 0o755) },
		"a linked folder": func() error {
			return errors.Join(os.Rename(layer+"/etc/ssl", layer+"/etc/tls"), os.Symlink("tls", layer+"/etc/ssl"))
		},
	} {
		upper = t.TempDir()
		if err := prepare(); err != nil {
			t.Fatal(err)
		}
		if !marked(one) {
			t.Errorf("with %s the boot has nothing to do", what)
		}
		os.Remove(layer + "/etc/ca-certificates/update.d/java")
	}
}

// Whatever a kill leaves undone is done by the next start, and nothing twice; a box
// that is made of another's checkpoint trusts nobody that its host does not.
func TestTrustGoesOn(t *testing.T) {
	one, two := testCertificate(t, "one"), testCertificate(t, "two")
	layer, _ := os.OpenRoot(t.TempDir())
	defer layer.Close()
	write := func(root *os.Root, name, text string) {
		t.Helper()
		if err := writeIn(root, name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(layer, "usr/sbin/update-ca-certificates", "")
	write(layer, trustBundle, "the others")
	upper, _ := os.OpenRoot(t.TempDir())
	defer upper.Close()
	disk := boxDisk{upper: upper, layers: []string{layer.Name()}}
	seed := func(bundle []byte) (links []string) {
		t.Helper()
		if err := seedCertificates(disk, bundle); err != nil {
			t.Fatal(err)
		}
		return disk.names(trustDir)
	}
	whole := seed(one)
	if len(whole) != 3 || disk.text(trustBundle) != "the others\n"+string(one) || disk.has(certificatesMark) {
		t.Fatalf("trusted: %q\n%s", whole, disk.text(trustBundle))
	}
	for _, lost := range append(whole, "") { // "": its files alone
		if lost != "" && lost != filepath.Base(trustBundle) {
			if err := upper.Remove(trustDir + "/" + lost); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range disk.names(trustDir) { // the last to be made
			if strings.HasSuffix(name, ".pem") {
				if err := upper.Remove(trustDir + "/" + name); err != nil {
					t.Fatal(err)
				}
			}
		}
		if again := seed(one); !slices.Equal(again, whole) || strings.Count(disk.text(trustBundle), "BEGIN") != 1 {
			t.Errorf("after %q was not made: %q\n%s", lost, again, disk.text(trustBundle))
		}
	}

	// What a checkpoint keeps of that is a layer of the next box.
	kept := upper
	if err := kept.RemoveAll(certificatesDir); err != nil {
		t.Fatal(err)
	}
	upper, _ = os.OpenRoot(t.TempDir())
	defer upper.Close()
	disk = boxDisk{upper: upper, layers: []string{kept.Name(), layer.Name()}}
	if same := seed(one); !slices.Equal(same, whole) || disk.has(certificatesMark) || upper.Mkdir("etc", 0o755) != nil {
		t.Errorf("the same again is no change: %q", same)
	}
	if !disk.has(certificatesDir + "/" + strings.TrimSuffix(whole[len(whole)-1], ".pem") + ".crt") {
		t.Error("the certificate itself is not there")
	}
	if seed(two); !disk.has(certificatesMark) {
		t.Error("the boot does not know that the box must forget a certificate of the layer")
	}
}

// A box that has forgotten is asked no more, and keeps no more of a certificate.
func TestRealCertificateGone(t *testing.T) {
	p, spec := realProvider(t)
	const find = `until test -S /run/systemd/private; do sleep 0.02; done; systemctl is-system-running --wait >/dev/null
		ls /etc/ssl/certs | grep -c '^host-'; find -L /etc/ssl/certs -type l | wc -l; grep -c BEGIN /etc/ssl/certs/ca-certificates.crt; test -e /var/lib/berth/certificates-changed; echo $?`
	counts := func() []string {
		t.Helper()
		if err := p.Start(t.Context(), spec, nil); err != nil {
			t.Fatal(err)
		}
		out, _ := inBox(t, p, spec.ID, find)
		if err := p.Stop(t.Context(), spec.ID, 0, nil); err != nil {
			t.Fatal(err)
		}
		return strings.Fields(out)
	}
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	without := counts()
	spec.CACertificates = testCertificate(t, "Test Authority of Berth")
	with := counts()
	spec.CACertificates = nil
	if after := counts(); !slices.Equal(after, without) || slices.Equal(with, without) {
		t.Errorf("links, dead links, certificates, asked: %q at first, %q with one more, %q without it again", without, with, after)
	}
}

// The host's certificates are where programs in the box look for them.
func TestRealCertificates(t *testing.T) {
	p, spec := realProvider(t)
	spec.CACertificates = testCertificate(t, "Test Authority of Berth")
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	const find = `until test -S /run/systemd/private; do sleep 0.02; done; systemctl is-system-running --wait
		python3 -c 'import ssl; print([c["subject"] for c in ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt").get_ca_certs()])' | grep -o "Test Authority of Berth"
		ls /etc/ssl/certs | grep -c berth-host; find -L /etc/ssl/certs -samefile /etc/ssl/certs/host-*.pem -name "*.0" | wc -l`
	out, err := inBox(t, p, spec.ID, find)
	if err != nil || !strings.Contains(out, "running\nTest Authority of Berth") || !strings.HasSuffix(out, "\n1") {
		t.Errorf("got %q, %v", out, err)
	}
}
