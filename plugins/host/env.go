package host

import (
	"os"
	"strings"

	"github.com/berth-dev/berth/plugins/internal/wire"
)

// passedOn are the variables that a plugin gets from the environment of berth.
// Credentials of the user's other tools are none of a plugin's business.
var passedOn = map[string]bool{
	"PATH": true, "HOME": true, "USER": true, "LOGNAME": true, "LANG": true, "TZ": true, "TERM": true,
	"TMPDIR": true, "SSL_CERT_FILE": true, "SSL_CERT_DIR": true,
	"http_proxy": true, "https_proxy": true, "no_proxy": true, "all_proxy": true,
	"HTTP_PROXY": true, "HTTPS_PROXY": true, "NO_PROXY": true, "ALL_PROXY": true,
}

// allowed reports whether a plugin gets the variable. BERTH_VAR_x are values of
// the Envfile's variables, which may be secrets.
func allowed(name string) bool {
	switch {
	case passedOn[name], strings.HasPrefix(name, "LC_"), strings.HasPrefix(name, "XDG_"):
		return true
	case strings.HasPrefix(name, "BERTH_VAR_"), name == dataVar, name == wire.Handshake.MagicCookieKey:
		return false
	}
	return strings.HasPrefix(name, "BERTH_")
}

// dataVar names a provider's data folder; see provider.DataDir.
const dataVar = "BERTH_PLUGIN_DATA"

// environment returns the variables of the plugin k.
func (m *Manager) environment(k key) ([]string, error) {
	var env []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); allowed(name) {
			env = append(env, v)
		}
	}
	if k.kind == wire.Provider && m.o.DataHome != "" {
		dir, err := dataDir(m.o.DataHome, k.name)
		if err != nil {
			return nil, err
		}
		env = append(env, dataVar+"="+dir)
	}
	return env, nil
}
