package lxc

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io/fs"
	"maps"
	"os"
	"slices"
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
// rule, it writes nothing and the box's boot has nothing to do.
func seedCertificates(root *os.Root, bundle []byte) error {
	want := map[string]string{}
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			continue // OpenSSL would not take it either
		}
		sum := sha256.Sum256(block.Bytes)
		want["host-"+hex.EncodeToString(sum[:8])+".crt"] = string(pem.EncodeToMemory(block))
	}
	entries, _ := fs.ReadDir(root.FS(), certificatesDir) // none: not there
	have := map[string]bool{}
	for _, e := range entries {
		have[e.Name()] = true
	}
	names := slices.Sorted(maps.Keys(want))
	if slices.Equal(names, slices.Sorted(maps.Keys(have))) {
		return nil
	}
	if err := root.RemoveAll(certificatesDir); err != nil {
		return err
	}
	const unit = "etc/systemd/system/berth-certificates.service"
	files := []imageFile{{unit, 0o644, certificatesUnit}, {certificatesMark, 0o644, ""}}
	for _, name := range names {
		files = append(files, imageFile{certificatesDir + "/" + name, 0o644, want[name]})
	}
	for _, f := range files {
		if err := writeIn(root, f.path, f.text, f.mode); err != nil {
			return err
		}
	}
	const wants = "etc/systemd/system/sysinit.target.wants"
	if err := root.MkdirAll(wants, 0o755); err != nil {
		return err
	}
	link := wants + "/berth-certificates.service"
	if err := root.RemoveAll(link); err != nil {
		return err
	}
	return root.Symlink("/"+unit, link)
}
