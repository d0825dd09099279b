package lxc

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	// certificatesDir is below where update-ca-certificates(8) looks.
	certificatesDir   = "usr/local/share/ca-certificates/berth"
	certificatePrefix = "host-"
	// certificatesMark asks the box to take note of them in its boot.
	certificatesMark = "var/lib/berth/certificates-changed"
)

// certificatesUnit makes the links and the bundle that programs look at, all anew:
// else links to what is gone stay.
const certificatesUnit = `# Written by Berth: trust what the host trusts.
[Unit]
Description=Trust the certificates of the host
Documentation=man:update-ca-certificates(8)
DefaultDependencies=no
After=-.mount
ConditionPathExists=/` + certificatesMark + `

[Service]
Type=oneshot
ExecStart=/usr/sbin/update-ca-certificates --fresh
ExecStartPost=/bin/rm -f /` + certificatesMark + `
`

// seedCertificates gives the box the certificates in a PEM bundle, and takes
// those away that are not in it any more. When nothing has changed, which is the
// rule, it writes nothing and the box's boot has nothing to do. New ones are trusted
// here, since update-ca-certificates(8) takes more CPU time than all the rest of a
// boot; the rest is left to that. What a kill leaves undone, the next start does.
func seedCertificates(disk boxDisk, bundle []byte) error {
	want := certificatesIn(bundle)
	names := slices.Sorted(maps.Keys(want))
	stale := false
	dir, err := disk.walk(certificatesDir, false)
	if err != nil {
		return err
	}
	for _, file := range disk.names(dir) {
		if name, _ := strings.CutSuffix(file, ".crt"); want[name] == nil {
			stale = true
			if err := removeIn(disk.upper, dir+"/"+file); err != nil {
				return err
			}
		}
	}
	for _, link := range disk.names(trustDir) { // a checkpoint's layer has them too
		name, ok := strings.CutSuffix(link, ".pem")
		stale = stale || ok && strings.HasPrefix(name, certificatePrefix) && want[name] == nil
	}
	var untrusted []string
	for _, name := range names {
		if file := dir + "/" + name + ".crt"; !disk.has(file) {
			if err := disk.write(file, pemText(want[name]), 0o644); err != nil {
				return err
			}
		}
		if !disk.has(trustLink(name)) {
			untrusted = append(untrusted, name)
		}
	}
	switch {
	case !stale && len(untrusted) == 0:
		return nil
	case !stale && disk.plainTrust():
		return disk.trust(untrusted, want)
	}
	return disk.askForTrust()
}

// certificatesIn returns the certificates in a PEM bundle by the names of their files.
func certificatesIn(bundle []byte) map[string]*x509.Certificate {
	all := map[string]*x509.Certificate{}
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil { // else OpenSSL would not take it either
			sum := sha256.Sum256(block.Bytes)
			all[certificatePrefix+hex.EncodeToString(sum[:8])] = cert
		}
	}
	return all
}

// askForTrust has the box's next boot run update-ca-certificates.
func (d boxDisk) askForTrust() error {
	const unit = "etc/systemd/system/berth-certificates.service"
	for _, f := range []imageFile{{unit, 0o644, certificatesUnit}, {certificatesMark, 0o644, ""}} {
		if err := d.write(f.path, f.text, f.mode); err != nil {
			return err
		}
	}
	return d.link("etc/systemd/system/sysinit.target.wants/berth-certificates.service", "/"+unit)
}

func pemText(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

const (
	trustDir    = "etc/ssl/certs"
	trustBundle = trustDir + "/ca-certificates.crt"
)

// trustLink is what update-ca-certificates makes of a certificate.
func trustLink(name string) string { return trustDir + "/" + name + ".pem" }

// plainTrust reports whether the box keeps what it trusts as Debian does, with
// no more to be told of a change, such as Java's store of certificates.
func (d boxDisk) plainTrust() bool {
	for _, dir := range []string{"etc", "etc/ssl", trustDir} {
		if st, err := d.lstat(dir); err != nil || !st.IsDir() { // a link would be hidden by what is written
			return false
		}
	}
	return d.has("usr/sbin/update-ca-certificates") && len(d.names("etc/ca-certificates/update.d")) == 0
}

// trust does for new certificates what update-ca-certificates does. It can be done
// again; the link is last, since it says that all is done.
func (d boxDisk) trust(names []string, certs map[string]*x509.Certificate) error {
	bundle := d.text(trustBundle)
	if bundle == "" {
		return d.askForTrust()
	}
	if !strings.HasSuffix(bundle, "\n") {
		bundle += "\n"
	}
	for _, name := range names {
		if text := pemText(certs[name]); !strings.Contains(bundle, text) {
			bundle += text
		}
	}
	if err := d.write(trustBundle, bundle, 0o644); err != nil {
		return err
	}
	for _, name := range names {
		hash, err := subjectHash(certs[name].RawSubject)
		if err != nil {
			return err
		}
		if err := d.linkHash(hash, name+".pem"); err != nil {
			return err
		}
		if err := d.link(trustLink(name), "/"+certificatesDir+"/"+name+".crt"); err != nil {
			return err
		}
	}
	return nil
}

// linkHash makes the first link of a subject's hash that is free, unless there is
// one to target: OpenSSL tries them in order, up to the first that is missing. A
// box could have made any number of them.
func (d boxDisk) linkHash(hash, target string) error {
	for n := range 100 {
		name := fmt.Sprintf("%s/%s.%d", trustDir, hash, n)
		if !d.has(name) {
			return d.link(name, target)
		}
		if to, _ := d.readlink(name); to == target {
			return nil
		}
	}
	return d.askForTrust()
}
