package engine

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/config"
)

func TestReadProxy(t *testing.T) {
	env := map[string]string{
		"http_proxy": "http://proxy.example:3128", "HTTPS_PROXY": "proxy.example:3129",
		"ftp_proxy": "http://[::1]:21", "all_proxy": "127.0.0.1:9", "no_proxy": "localhost",
	}
	h := readProxy(func(name string) string { return env[name] })
	want := map[string]string{
		"http_proxy": "http://proxy.example:3128", "HTTP_PROXY": "http://proxy.example:3128",
		"https_proxy": "proxy.example:3129", "HTTPS_PROXY": "proxy.example:3129",
		"no_proxy": "localhost", "NO_PROXY": "localhost",
	}
	if diff := cmp.Diff(want, h.Proxy); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ftp_proxy", "all_proxy"}, h.Unreachable); diff != "" {
		t.Errorf("unreachable (-want +got):\n%s", diff)
	}
	if h := readProxy(func(string) string { return "" }); h.Proxy != nil || h.Unreachable != nil {
		t.Errorf("without a proxy: %+v", h)
	}
}

func TestParseEnvironment(t *testing.T) {
	got := parseEnvironment("# c=d\nexport http_proxy=\"http://a\"\nX='y'\nnothing\n")
	if diff := cmp.Diff(map[string]string{"http_proxy": "http://a", "X": "y"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadAnchors(t *testing.T) {
	dir := t.TempDir()
	cert := func(text string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(text)}))
	}
	for name, text := range map[string]string{
		"a.crt": cert("one") + "text\n" + cert("two"), "sub/b.crt": cert("one"), "key.pem": "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "c": "no PEM",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := string(readAnchors([]string{dir, filepath.Join(dir, "missing")}))
	if strings.Count(got, "BEGIN CERTIFICATE") != 2 || !strings.Contains(got, cert("one")) || !strings.Contains(got, cert("two")) || strings.Contains(got, "PRIVATE") {
		t.Errorf("got %s", got)
	}
}

func TestBoxEnvironment(t *testing.T) {
	e := &Engine{Host: Host{Proxy: map[string]string{"http_proxy": "host", "no_proxy": "host"}, Certificates: []byte("x")}}
	b := &config.Box{HostProxy: true, HostCA: true, Env: map[string]string{"no_proxy": "mine"}}
	want := map[string]string{"http_proxy": "host", "no_proxy": "mine", "NODE_EXTRA_CA_CERTS": debianBundle, "REQUESTS_CA_BUNDLE": debianBundle}
	if diff := cmp.Diff(want, e.env(b)); diff != "" {
		t.Error(diff)
	}
	b.HostProxy, b.HostCA = false, false
	if diff := cmp.Diff(b.Env, e.env(b)); diff != "" {
		t.Error(diff)
	}
	if got := e.env(&config.Box{}); got != nil {
		t.Errorf("got %v", got)
	}
}
