package config

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Endpoint is one end of a forward: a port or a Unix socket.
type Endpoint struct {
	Port int64  // 0: none
	Path string // absolute path of a Unix socket; "": none
}

func (e Endpoint) String() string {
	if e.Path != "" {
		return e.Path
	}
	return fmt.Sprintf("port %d", e.Port)
}

// maxSocketPath is what fits into sockaddr_un (unix(7)).
const maxSocketPath = 107

// endpoint accepts a port from lo on, or an absolute path.
func (d *decoder) endpoint(a *hcl.Attribute, dst *Endpoint, lo int64) {
	v, ok := d.typed(a, cty.String, "a port, or the path of a Unix socket")
	if !ok {
		return
	}
	s := v.AsString()
	if port, err := strconv.ParseInt(s, 10, 64); err == nil {
		if port < lo || port > 65535 {
			d.failValue(a.Expr, "Out of range", "%q must be a port from %d to 65535, not %d.", a.Name, lo, port)
			return
		}
		*dst = Endpoint{Port: port}
		return
	}
	switch {
	case !path.IsAbs(s) || strings.ContainsRune(s, 0):
		d.failValue(a.Expr, "Invalid value", `%q cannot be %s: write a port, or the absolute path of a Unix socket.`, a.Name, quoted(s))
	case len(path.Clean(s)) > maxSocketPath:
		d.failValue(a.Expr, "Invalid value", "%q is a path of %d bytes; that of a Unix socket can have %d.", a.Name, len(path.Clean(s)), maxSocketPath)
	default:
		*dst = Endpoint{Path: path.Clean(s)}
	}
}

// PortRange is the ports from which one is chosen, both ends included.
type PortRange struct{ First, Last int64 }

// defaultPortRange lies below the ports that the kernel gives out by itself
// (net.ipv4.ip_local_port_range).
var defaultPortRange = PortRange{20000, 20999}

func (d *decoder) portRange(a *hcl.Attribute, dst *PortRange) {
	d.text(a, new(string), func(s string) error {
		from, to, _ := strings.Cut(s, "-")
		first, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
		last, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
		if err1 != nil || err2 != nil || first == 0 || first > last {
			return fmt.Errorf(`write the first and the last port, such as "20000-20999"`)
		}
		*dst = PortRange{int64(first), int64(last)}
		return nil
	})
}
