package lxc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// lxcProvider is the provider; its tagged fields are the arguments of the
// provider "lxc" block.
type lxcProvider struct {
	Nesting     bool              `hcl:"nesting,optional"`     // containers in the box (Docker, Podman, LXC)
	Raw         map[string]string `hcl:"raw,optional"`         // further LXC settings, from a list of harmless ones
	Mirror      string            `hcl:"mirror,optional"`      // Debian mirror to build images from
	Nameservers []string          `hcl:"nameservers,optional"` // name servers for the box instead of the host's

	store store
	tools tools
	mode  mode
}

// New returns the provider with its state in provider.DataDir.
func New() provider.Provider { return Open(provider.DataDir()) }

// Open returns the provider with its state in a folder, for tests and tools that
// are not a plugin.
func Open(dataDir string) provider.Provider {
	s := store{root: dataDir}
	m := modeOf()
	return &lxcProvider{store: s, tools: m.tools(s), mode: m}
}

// minKernel is the first kernel whose overlayfs takes idmapped layers
// (kernel commit bc70682a497c, "ovl: support idmapped layers").
var minKernel = [2]int{5, 19}

// Check reports what this host lacks, all at once.
func (p *lxcProvider) Check(ctx context.Context) error {
	if p.store.root == "" {
		return errors.New("$BERTH_PLUGIN_DATA is not set: this plugin is started by berth, not by hand")
	}
	var problems []string
	for _, tool := range []string{"lxc-start", "lxc-stop", "lxc-info"} {
		if _, err := exec.LookPath(tool); err != nil {
			problems = append(problems, "LXC is not installed: "+tool+" is not in $PATH\n"+
				"Install the package lxc, version 4.0 or later: apt-get install lxc (Debian, Ubuntu), dnf install lxc (Fedora).")
			break
		}
	}
	problems = append(problems, p.mode.check(ctx, p.store)...)
	if err := checkOverlay(ctx); err != nil {
		problems = append(problems, err.Error())
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "\n"))
	}
	return ctx.Err()
}

// checkOverlay makes sure that overlayfs is there, loading its module if need be.
func checkOverlay(ctx context.Context) error {
	for range 2 {
		b, err := os.ReadFile("/proc/filesystems")
		if err != nil {
			return fmt.Errorf("read the list of filesystems: %w", err)
		}
		if strings.Contains(string(b), "\toverlay\n") {
			return nil
		}
		// Its failure shows in the second look.
		_ = exec.CommandContext(ctx, "modprobe", "overlay").Run()
	}
	return errors.New("the kernel has no overlayfs: load the module overlay, or use a kernel with CONFIG_OVERLAY_FS")
}

// kernelVersion returns the running kernel's version; zeros when it cannot be read.
func kernelVersion() (major, minor int, release string) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return 0, 0, "unknown"
	}
	release = unix.ByteSliceToString(u.Release[:])
	fmt.Sscanf(release, "%d.%d", &major, &minor)
	return major, minor, release
}

// Validate checks the arguments beyond their types.
func (p *lxcProvider) Validate() error {
	keys := make([]string, 0, len(p.Raw))
	for k := range p.Raw {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if err := checkRaw(k, p.Raw[k]); err != nil {
			return &provider.ArgError{Arg: "raw." + k, Err: err}
		}
	}
	if p.Mirror != "" {
		u, err := url.Parse(p.Mirror)
		if err != nil || u.Host == "" && u.Scheme != "file" || strings.ContainsAny(p.Mirror, " \t\n[]") {
			return &provider.ArgError{Arg: "mirror",
				Err: fmt.Errorf("%q is not the URL of a Debian mirror, such as http://mirror.example/debian", p.Mirror)}
		}
	}
	for _, n := range p.Nameservers {
		if _, err := netip.ParseAddr(n); err != nil {
			return &provider.ArgError{Arg: "nameservers", Err: fmt.Errorf("%q is not an IP address", n)}
		}
	}
	return nil
}
