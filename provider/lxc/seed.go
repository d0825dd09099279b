package lxc

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/berth-dev/berth/provider"
)

// seed writes what makes a box itself into an upper folder of it, while it is not
// running: identity and the way in at its creation, what may change with every
// start. The box's root may have put links anywhere in there, so everything
// goes through an os.Root.
func (p *lxcProvider) seed(upper string, r record, spec provider.Spec, first bool) error {
	root, err := os.OpenRoot(upper)
	if err != nil {
		return fmt.Errorf("open the disk of box %s: %w", r.ID, err)
	}
	defer root.Close()
	disk := p.boxDisk(root, r)
	var files []imageFile
	if first {
		if err := disk.copyTop(); err != nil {
			return fmt.Errorf("make the root folder of box %s: %w", r.ID, err)
		}
		id := sha256.Sum256([]byte("machine-id " + r.ID))
		files = []imageFile{
			{"etc/machine-id", 0o444, hex.EncodeToString(id[:16]) + "\n"}, // machine-id(5)
			{"etc/ssh/ssh_host_ed25519_key", 0o600, string(spec.HostKey)},
			{"etc/ssh/authorized_keys.d/" + spec.User, 0o644, strings.TrimSpace(spec.AuthorizedKey) + "\n"},
		}
	}
	if !first {
		if err := emptyTmp(root); err != nil {
			return fmt.Errorf("empty /tmp of box %s: %w", r.ID, err)
		}
	}
	resolv, err := resolvConf(p.Nameservers)
	if err != nil {
		return err
	}
	files = append(files, imageFile{"etc/resolv.conf", 0o644, resolv})
	names, err := hostsBlock(r, spec)
	if err != nil {
		return err
	}
	if text, ok := replaceBlock(disk.text("etc/environment"), environment(spec.Env)); ok {
		files = append(files, imageFile{"etc/environment", 0o644, text})
	}
	if text, ok := replaceBlock(disk.text("etc/hosts"), names); ok {
		files = append(files, imageFile{"etc/hosts", 0o644, text})
	}
	files = append(files, imageFile{"etc/hostname", 0o644, spec.Hostname + "\n"})
	files = append(files, p.mode.files()...)
	for _, f := range files {
		if err := disk.write(f.path, f.text, f.mode); err != nil {
			return fmt.Errorf("write %s of box %s: %w", f.path, r.ID, err)
		}
	}
	if err := seedCertificates(disk, spec.CACertificates); err != nil {
		return fmt.Errorf("write the certificates of box %s: %w", r.ID, err)
	}
	return nil
}

// emptyTmp does what the box's own boot would do too late.
func emptyTmp(root *os.Root) error {
	st, err := root.Lstat("tmp")
	if err != nil || !st.IsDir() { // a link is the user's own arrangement
		return nil
	}
	entries, err := readDirIn(root, "tmp")
	for _, e := range entries {
		err = errors.Join(err, removeIn(root, "tmp/"+e.Name()))
	}
	return err
}

// The lines around what Berth keeps in a file that is the user's as well.
const (
	blockBegin = "# BEGIN Berth"
	blockEnd   = "# END Berth"
)

// replaceBlock puts block between the markers in text, at the end if there were
// none, and leaves the rest alone. It reports whether that changes anything.
func replaceBlock(text, block string) (string, bool) {
	var out strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == blockBegin:
			inside = true
		case inside:
			inside = trimmed != blockEnd
		default:
			out.WriteString(line)
		}
	}
	rest := out.String()
	if block != "" {
		if rest != "" && !strings.HasSuffix(rest, "\n") {
			rest += "\n"
		}
		rest += blockBegin + "\n" + block + blockEnd + "\n"
	}
	return rest, rest != text
}

// environment writes lines for pam_env(8). It takes a value as it is but for
// quotes around it, so one in double quotes keeps its spaces and '#'.
func environment(env map[string]string) string {
	var b strings.Builder
	for _, k := range sortedKeys(env) {
		fmt.Fprintf(&b, "%s=\"%s\"\n", k, env[k])
	}
	return b.String()
}

func resolvConf(wanted []string) (string, error) {
	servers, search, err := nameservers(wanted)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# Written by Berth at every start of this box.\n")
	for _, s := range servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(search, " "))
	}
	return b.String(), nil
}

// checkUser makes sure that the login user exists in the image.
func (p *lxcProvider) checkUser(img image, user string) error {
	root, err := os.OpenRoot(p.store.layer(img.Layer))
	if err != nil {
		return fmt.Errorf("open image %s: %w", img.Name, err)
	}
	defer root.Close()
	b, err := readFileIn(root, "etc/passwd", maxSeedText)
	if err != nil {
		return fmt.Errorf("read the users of image %s: %w", img.Name, err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, user+":") {
			return nil
		}
	}
	return &provider.ArgError{Arg: "box.ssh.user", Err: fmt.Errorf("image %s has no user %q; its user is \"dev\"", img.Name, user)}
}
