package lxc

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/berth-dev/berth/internal/testenv"
)

// The names are those that OpenSSL gives the host's own certificates.
func TestSubjectHash(t *testing.T) {
	testenv.NeedTool(t, "openssl")
	check := func(what string, der []byte) {
		t.Helper()
		cmd := exec.Command("openssl", "x509", "-noout", "-subject_hash", "-inform", "DER")
		cmd.Stdin = bytes.NewReader(der)
		want, err := cmd.Output()
		if err != nil {
			t.Fatalf("openssl on %s: %v", what, err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := subjectHash(cert.RawSubject); err != nil || got != strings.TrimSpace(string(want)) {
			t.Errorf("%s: %q, %v; openssl says %s", what, got, err, want)
		}
	}
	value := func(tag int, s string) asn1.RawValue { return asn1.RawValue{Tag: tag, Bytes: []byte(s)} }
	for what, v := range map[string]asn1.RawValue{
		"case and spaces":  value(asn1.TagPrintableString, "  Berth   TEST  Authority "),
		"UTF-8":            value(asn1.TagUTF8String, "Ärger GmbH & Co"),
		"Latin-1":          value(asn1.TagT61String, "\xc4rger"),
		"UTF-16":           value(asn1.TagBMPString, "\x00B\x00e\x00\xc4"),
		"digits":           value(asn1.TagNumericString, " 1  2 "),
		"nothing":          value(asn1.TagUTF8String, ""),
		"only spaces":      value(asn1.TagUTF8String, " \t "),
		"of several words": value(asn1.TagIA5String, "a\tb\nc"),
	} {
		type attribute struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		country := attribute{asn1.ObjectIdentifier{2, 5, 4, 6}, value(asn1.TagPrintableString, "DE")}
		name := attribute{asn1.ObjectIdentifier{2, 5, 4, 3}, v}
		type setSET []attribute
		raw, err := asn1.Marshal([]setSET{{country}, {name, country}})
		if err != nil {
			t.Fatal(err)
		}
		check(what, testCertificateOf(t, raw))
	}
	bundle, _ := os.ReadFile("/etc/ssl/certs/ca-certificates.crt") // none: the rows above are enough
	block, rest := pem.Decode(bundle)
	for n := 0; block != nil && n < 30; n++ {
		check("a certificate of the host", block.Bytes)
		block, rest = pem.Decode(rest)
	}
}
