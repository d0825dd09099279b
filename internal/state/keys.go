package state

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/crypto/ssh"
)

// Keys are a box's key pair and its host key.
type Keys struct {
	Private        []byte // of the login, OpenSSH PEM
	Public         string // of the login, as in authorized_keys
	HostPrivate    []byte // of the box's sshd, OpenSSH PEM
	HostPublic     string // as in authorized_keys
	PrivateFile    string // path of Private
	KnownHostsFile string // path of a known_hosts file that names the host key by the box's id
}

// keyPaths returns the places of a box's keys.
func (h *Home) keyPaths(id string) (key, host, known string) {
	dir := h.boxDir(id)
	return filepath.Join(dir, "id_ed25519"), filepath.Join(dir, "host_key"), filepath.Join(dir, "known_hosts")
}

// EnsureKeys returns the keys of a box, making those that are missing. The box's
// lock must be held.
func (h *Home) EnsureKeys(id string) (Keys, error) {
	if err := h.make(h.boxDir(id)); err != nil {
		return Keys{}, err
	}
	key, host, known := h.keyPaths(id)
	for _, path := range []string{key, host} {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			if err := makeKey(path, "berth "+id); err != nil {
				return Keys{}, fmt.Errorf("make keys of box %s: %w", id, err)
			}
		}
	}
	k, err := h.LoadKeys(id)
	if err != nil {
		return k, err
	}
	// The box's id stands for its address, which may change (HostKeyAlias of
	// ssh_config(5)).
	text := id + " " + k.HostPublic + "\n"
	if b, err := os.ReadFile(known); err == nil && string(b) == text {
		return k, nil
	}
	return k, renameio.WriteFile(known, []byte(text), 0o600)
}

// LoadKeys returns the keys of a box.
func (h *Home) LoadKeys(id string) (Keys, error) {
	k := Keys{}
	var hostFile string
	k.PrivateFile, hostFile, k.KnownHostsFile = h.keyPaths(id)
	var err error
	if k.Private, k.Public, err = loadKey(k.PrivateFile); err == nil {
		k.HostPrivate, k.HostPublic, err = loadKey(hostFile)
	}
	if err != nil {
		return k, fmt.Errorf("load the keys of box %s: %w", id, err)
	}
	return k, nil
}

// makeKey writes a new ed25519 key. renameio makes the file with its final mode
// from the start, whatever the umask is.
func makeKey(path, comment string) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, pem.EncodeToMemory(block), 0o600, renameio.IgnoreUmask())
}

func loadKey(path string) (private []byte, public string, err error) {
	private, err = os.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", path, err)
	}
	return private, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), nil
}
