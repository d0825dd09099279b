package lxc

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
)

func testCertificate(t *testing.T, name string) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
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
		_ = root.RemoveAll(certificatesMark) // as the box's boot does
		if err := seedCertificates(root, bundle); err != nil {
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
