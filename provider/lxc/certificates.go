package lxc

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

const (
	// certificatesDir is below where update-ca-certificates(8) looks.
	certificatesDir = "usr/local/share/ca-certificates/berth"
	// certificatesMark asks the box to take note of them in its boot.
	certificatesMark = "var/lib/berth/certificates-changed"
)

// certificatesUnit makes the links and the bundle that programs look at.
const certificatesUnit = `# Written by Berth: trust what the host trusts.
[Unit]
Description=Trust the certificates of the host
Documentation=man:update-ca-certificates(8)
DefaultDependencies=no
After=-.mount
ConditionPathExists=/` + certificatesMark + `

[Service]
Type=oneshot
ExecStart=/usr/sbin/update-ca-certificates
ExecStartPost=/bin/rm -f /` + certificatesMark + `
`

// seedCertificates gives the box the certificates in a PEM bundle, and takes
// those away that are not in it any more. When nothing has changed, which is the
// rule, it writes nothing and the box's boot has nothing to do. A box that has
// none yet is trusted with them here, since update-ca-certificates(8) takes more
// CPU time than all the rest of a boot; what else changes is left to that.
func seedCertificates(disk boxDisk, bundle []byte) error {
	want := map[string]*x509.Certificate{}
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue // OpenSSL would not take it either
		}
		sum := sha256.Sum256(block.Bytes)
		want["host-"+hex.EncodeToString(sum[:8])] = cert
	}
	entries, _ := fs.ReadDir(disk.upper.FS(), certificatesDir) // none: not there
	have := map[string]bool{}
	for _, e := range entries {
		have[strings.TrimSuffix(e.Name(), ".crt")] = true
	}
	names := slices.Sorted(maps.Keys(want))
	if slices.Equal(names, slices.Sorted(maps.Keys(have))) {
		return nil
	}
	if err := disk.upper.RemoveAll(certificatesDir); err != nil {
		return err
	}
	for _, name := range names {
		if err := writeIn(disk.upper, certificatesDir+"/"+name+".crt", pemText(want[name]), 0o644); err != nil {
			return err
		}
	}
	if len(have) == 0 && disk.plainTrust() {
		return disk.trust(names, want)
	}
	return askForTrust(disk.upper)
}

// askForTrust has the box's next boot run update-ca-certificates.
func askForTrust(upper *os.Root) error {
	const unit = "etc/systemd/system/berth-certificates.service"
	for _, f := range []imageFile{{unit, 0o644, certificatesUnit}, {certificatesMark, 0o644, ""}} {
		if err := writeIn(upper, f.path, f.text, f.mode); err != nil {
			return err
		}
	}
	return linkIn(upper, "etc/systemd/system/sysinit.target.wants/berth-certificates.service", "/"+unit)
}

func pemText(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

const (
	trustDir    = "etc/ssl/certs"
	trustBundle = trustDir + "/ca-certificates.crt"
)

// plainTrust reports whether the box keeps what it trusts as Debian does, with
// no more to be told of a change, such as Java's store of certificates.
func (d boxDisk) plainTrust() bool {
	for _, dir := range []string{"etc", "etc/ssl", trustDir} {
		if st, err := d.lstat(dir); err != nil || !st.IsDir() { // a link would be hidden by what is written
			return false
		}
	}
	_, err := d.lstat("usr/sbin/update-ca-certificates")
	return err == nil && !d.anyIn("etc/ca-certificates/update.d")
}

// trust does for new certificates what update-ca-certificates does.
func (d boxDisk) trust(names []string, certs map[string]*x509.Certificate) error {
	bundle := d.text(trustBundle)
	if bundle == "" {
		return askForTrust(d.upper)
	}
	for _, name := range names {
		bundle += pemText(certs[name])
		link := trustDir + "/" + name + ".pem"
		if err := linkIn(d.upper, link, "/"+certificatesDir+"/"+name+".crt"); err != nil {
			return err
		}
		hash, err := subjectHash(certs[name].RawSubject)
		if err != nil {
			return err
		}
		free := 0
		for there := true; there; {
			_, err := d.lstat(fmt.Sprintf("%s/%s.%d", trustDir, hash, free))
			if there = err == nil; there {
				free++
			}
		}
		if err := linkIn(d.upper, fmt.Sprintf("%s/%s.%d", trustDir, hash, free), name+".pem"); err != nil {
			return err
		}
	}
	return writeIn(d.upper, trustBundle, bundle, 0o644)
}
