package guest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"
)

// Target is where a box's sshd is and how to log in.
type Target struct {
	Addr    string // host:port
	User    string
	Key     []byte // private key of the user, in OpenSSH's PEM form
	HostKey string // the only public host key to accept, as in an authorized_keys file
}

// Dial connects and logs in, in one attempt. An attempt that failed is a
// [*StageError], which wraps ErrHostKey or ErrAuth where that is the cause.
// When ctx ends, it returns ctx.Err().
func Dial(ctx context.Context, t Target) (*Client, error) {
	d, err := newDialer(t)
	if err != nil {
		return nil, err
	}
	return d.dial(ctx, func(string) {})
}

// A dialer has a target's keys parsed.
type dialer struct {
	target Target
	signer ssh.Signer
	host   ssh.PublicKey
	net    net.Dialer
}

func newDialer(t Target) (*dialer, error) {
	signer, err := ssh.ParsePrivateKey(t.Key)
	if err != nil {
		return nil, fmt.Errorf("read user key of box: %w", err)
	}
	host, _, _, _, err := ssh.ParseAuthorizedKey([]byte(t.HostKey))
	if err != nil {
		return nil, fmt.Errorf("read host key of box: %w", err)
	}
	return &dialer{target: t, signer: signer, host: host}, nil
}

func (d *dialer) dial(ctx context.Context, stage func(string)) (*Client, error) {
	stage(StageTCP)
	plain, err := d.net.DialContext(ctx, "tcp", d.target.Addr)
	if err != nil {
		return nil, d.fail(ctx, StageTCP, err)
	}
	conn := quick(plain)
	stage(StageHandshake)

	// The handshake knows no context: its end closes the connection.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	cfg := d.config()
	at := StageHandshake
	var banner notice
	cfg.BannerCallback = banner.add
	// Called in this goroutine, once the host has proved its key.
	cfg.Auth = []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
		at = StageLogin
		stage(StageLogin)
		return []ssh.Signer{d.signer}, nil
	})}
	c, chans, reqs, err := ssh.NewClientConn(conn, d.target.Addr, cfg)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, d.fail(ctx, at, banner.explain(d.explain(at, err)))
	}
	client := newClient(ssh.NewClient(c, chans, reqs), d.target, keepalive)
	client.started = func() { conn.done.Store(true) }
	return client, nil
}

func (d *dialer) fail(ctx context.Context, stage string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &StageError{Stage: stage, Addr: d.target.Addr, Err: err}
}

func (d *dialer) explain(stage string, err error) error {
	switch {
	case errors.Is(err, ErrHostKey):
		return err
	case stage == StageHandshake && isNoHostKey(err):
		return fmt.Errorf("%w: it has none of type %s", ErrHostKey, d.host.Type())
	// The package has no error value for this; a test pins the text.
	case stage == StageLogin && strings.Contains(err.Error(), "unable to authenticate"):
		return fmt.Errorf("%w: user %s with the box's own key", ErrAuth, d.target.User)
	}
	return err
}

// isNoHostKey tells that both sides share no host key algorithm.
func isNoHostKey(err error) bool {
	var e *ssh.AlgorithmNegotiationError
	return errors.As(err, &e) && strings.Contains(e.Error(), "host key")
}

// config allows one host key and prefers what is fast: curve25519 without the
// post-quantum half, since the other end is this host, and the AEAD cipher that
// the processor has instructions for.
func (d *dialer) config() *ssh.ClientConfig {
	ciphers := []string{ssh.CipherAES128GCM, ssh.CipherChaCha20Poly1305}
	if !cpu.X86.HasAES && !cpu.ARM64.HasAES {
		ciphers[0], ciphers[1] = ciphers[1], ciphers[0]
	}
	return &ssh.ClientConfig{
		Config: ssh.Config{
			KeyExchanges: []string{ssh.KeyExchangeCurve25519, ssh.KeyExchangeECDHP256, ssh.KeyExchangeMLKEM768X25519},
			Ciphers:      append(ciphers, ssh.CipherAES256GCM, ssh.CipherAES128CTR),
		},
		User:              d.target.User,
		HostKeyAlgorithms: hostKeyAlgorithms(d.host.Type()),
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if string(key.Marshal()) != string(d.host.Marshal()) {
				return fmt.Errorf("%w: it is %s, not %s", ErrHostKey, ssh.FingerprintSHA256(key), ssh.FingerprintSHA256(d.host))
			}
			return nil
		},
	}
}

// hostKeyAlgorithms names the signatures that a key of this type can make.
func hostKeyAlgorithms(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA { // RFC 8332
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// A notice is what a server said before login. pam_nologin(8) tells there that
// the system is still booting, and then the connection just ends.
type notice struct{ text string }

func (n *notice) add(message string) error {
	n.text = strings.Join(strings.Fields(n.text+" "+message), " ")
	return nil
}

func (n *notice) explain(err error) error {
	if n.text == "" {
		return err
	}
	return fmt.Errorf("%w (the box says: %.200q)", err, n.text)
}
