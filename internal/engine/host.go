package engine

import (
	"bytes"
	"encoding/pem"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berth-dev/berth/config"
)

// Host is what boxes need of the host where it is not like others: the way to
// the network through a proxy, and certificates of who inspects TLS on it.
type Host struct {
	Proxy        map[string]string // environment variables
	Unreachable  []string          // proxy variables that name the host's loopback, which boxes cannot reach
	Certificates []byte            // PEM; certificates that the host trusts beyond its distribution's
}

// proxyVariables in small letters; programs read them in capitals as well.
var proxyVariables = []string{"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"}

// anchors are where administrators put further certificates on Debian
// (update-ca-certificates(8)), Fedora (update-ca-trust(8)) and Arch.
var anchors = []string{
	"/usr/local/share/ca-certificates", "/etc/pki/ca-trust/source/anchors", "/etc/ca-certificates/trust-source/anchors",
}

// ReadHost finds out about this host. sudo takes variables away, so those that
// hold for the whole system (environment(5) of pam_env) count as well.
func ReadHost(getenv func(string) string) Host {
	system := map[string]string{}
	if b, err := os.ReadFile("/etc/environment"); err == nil {
		system = parseEnvironment(string(b))
	}
	h := readProxy(func(name string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return system[name]
	})
	h.Certificates = readAnchors(anchors)
	return h
}

func readProxy(getenv func(string) string) Host {
	var h Host
	for _, name := range proxyVariables {
		value := getenv(name)
		if value == "" {
			value = getenv(strings.ToUpper(name))
		}
		if value == "" || strings.ContainsAny(value, "\x00\n\r\"") {
			continue
		}
		if name != "no_proxy" && onLoopback(value) {
			h.Unreachable = append(h.Unreachable, name)
			continue
		}
		if h.Proxy == nil {
			h.Proxy = map[string]string{}
		}
		h.Proxy[name], h.Proxy[strings.ToUpper(name)] = value, value
	}
	return h
}

// onLoopback reports whether a proxy's URL names the host itself.
func onLoopback(value string) bool {
	if !strings.Contains(value, "://") {
		value = "http://" + value // curl(1) takes both forms
	}
	u, err := url.Parse(value)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func parseEnvironment(text string) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok && !strings.HasPrefix(name, "#") {
			env[name] = strings.Trim(value, `"'`)
		}
	}
	return env
}

// readAnchors returns the certificates in files below dirs, each once. What
// cannot be read or is no certificate is left out: the host does not use it
// either.
func readAnchors(dirs []string) []byte {
	seen := map[string]bool{}
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return nil
			}
			b, err := os.ReadFile(path)
			for block, rest := pem.Decode(b); err == nil && block != nil; block, rest = pem.Decode(rest) {
				if block.Type == "CERTIFICATE" {
					seen[string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))] = true
				}
			}
			return nil
		})
	}
	var out bytes.Buffer
	for _, c := range slices.Sorted(maps.Keys(seen)) {
		out.WriteString(c)
	}
	return out.Bytes()
}

// debianBundle holds all trusted certificates of a Debian box.
const debianBundle = "/etc/ssl/certs/ca-certificates.crt"

// env is the environment of a box: what it needs of the host, under what the
// Envfile says.
func (e *Engine) env(b *config.Box) map[string]string {
	env := map[string]string{}
	if b.HostCA && len(e.Host.Certificates) > 0 {
		// Node.js and Python's requests bring lists of their own.
		env["NODE_EXTRA_CA_CERTS"], env["REQUESTS_CA_BUNDLE"] = debianBundle, debianBundle
	}
	if b.HostProxy {
		maps.Copy(env, e.Host.Proxy)
	}
	maps.Copy(env, b.Env)
	if len(env) == 0 {
		return nil
	}
	return env
}

// warnProxy tells that a box cannot use the host's proxy.
func (e *Engine) warnProxy(t *target) {
	if t.box.HostProxy && len(e.Host.Unreachable) > 0 {
		t.voice.Warn("the host's %s names the host's own loopback, which boxes cannot reach, so the box does without it; "+
			"host_proxy = false in the Envfile silences this", strings.Join(e.Host.Unreachable, " and "))
	}
}
