// Package testenv tells tests what the machine they run on can do.
//
// A test that needs more than the Go toolchain says so with one of the Need
// functions and is skipped where that is missing. BERTH_TEST_REQUIRE, a list
// such as "root,lxc", turns a skip into a failure, so that a machine that is
// meant to run everything does; BERTH_TEST_SKIP, a list of the same kind, leaves
// out what the machine could do.
package testenv

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// NeedRoot skips t unless it runs as root.
func NeedRoot(t testing.TB) { t.Helper(); need(t, "root") }

// NeedLXC skips t unless containers can be run: LXC's tools and root.
func NeedLXC(t testing.TB) { t.Helper(); need(t, "lxc") }

// NeedSSHD skips t unless OpenSSH's server is installed.
func NeedSSHD(t testing.TB) { t.Helper(); need(t, "sshd") }

// NeedNet skips t unless packages can be downloaded, directly or by a proxy.
func NeedNet(t testing.TB) { t.Helper(); need(t, "net") }

// NeedTool skips t unless a program, such as "sudo" or "nft", is installed.
func NeedTool(t testing.TB, program string) { t.Helper(); need(t, program) }

// NeedResource skips t unless this process may do what CAP_SYS_RESOURCE allows, which
// root in a container often may not.
func NeedResource(t testing.TB) { t.Helper(); need(t, "sys_resource") }

// NeedVM skips t unless BERTH_VM_SSH says how a machine is reached that a test may
// do anything to.
func NeedVM(t testing.TB) { t.Helper(); need(t, "vm") }

func need(t testing.TB, name string) {
	t.Helper()
	if listed("BERTH_TEST_SKIP", name) {
		t.Skipf("BERTH_TEST_SKIP names %s", name)
	}
	ok, reason := Has(name)
	switch {
	case ok:
	case listed("BERTH_TEST_REQUIRE", name):
		t.Fatalf("needs %s: %s, and BERTH_TEST_REQUIRE names it", name, reason)
	default:
		t.Skipf("needs %s: %s", name, reason)
	}
}

func listed(variable, name string) bool {
	list := strings.Split(os.Getenv(variable), ",")
	return slices.ContainsFunc(list, func(s string) bool { return strings.TrimSpace(s) == name })
}

// Has tells whether the machine has what is named "root", "lxc", "sshd", "net", "vm",
// "sys_resource", or one of the programs below, and what is missing if not.
func Has(name string) (ok bool, reason string) {
	switch name {
	case "root":
		if os.Geteuid() != 0 {
			return false, "not running as root"
		}
	case "lxc":
		if os.Geteuid() != 0 {
			return false, "not running as root"
		}
		for _, tool := range []string{"lxc-start", "lxc-info", "lxc-stop", "lxc-attach"} {
			if _, err := exec.LookPath(tool); err != nil {
				return false, tool + " not found"
			}
		}
	case "sshd":
		if _, err := SSHD(); err != nil {
			return false, err.Error()
		}
	case "vm":
		if os.Getenv("BERTH_VM_SSH") == "" {
			return false, "BERTH_VM_SSH does not say how to reach a fresh machine (see make test-vm)"
		}
	case "net":
		return hasNet()
	case "sys_resource":
		var caps [2]unix.CapUserData
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capget(&header, &caps[0]); err != nil || caps[0].Effective&(1<<unix.CAP_SYS_RESOURCE) == 0 {
			return false, "this process has no CAP_SYS_RESOURCE"
		}
	case "sudo", "bash", "groff", "useradd", "newuidmap", "openssl", "strace", "nft", "nsenter", "iptables-nft", "iptables-legacy":
		if _, err := exec.LookPath(name); err != nil {
			return false, name + " not found"
		}
	default:
		return false, fmt.Sprintf("no condition is called %q", name)
	}
	return true, ""
}

// SSHD finds OpenSSH's server, which wants to be called by its whole path.
func SSHD() (string, error) {
	if path, err := exec.LookPath("sshd"); err == nil {
		return path, nil
	}
	for _, path := range []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd"} {
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("sshd not found")
}

// hasNet trusts a proxy that is set, and otherwise tries the mirror that apt is
// set up with, as building an image does.
func hasNet() (bool, string) {
	for _, name := range []string{"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"} {
		if os.Getenv(name) != "" {
			return true, ""
		}
	}
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(SITE)").Output()
	if err != nil {
		return false, "apt-get names no mirror: " + err.Error()
	}
	site, _, _ := strings.Cut(string(out), "\n")
	u, err := url.Parse(strings.TrimSpace(site))
	if err != nil || u.Hostname() == "" {
		return false, fmt.Sprintf("apt-get names no mirror but %q", site)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(u.Hostname(), port), 3*time.Second)
	if err != nil {
		return false, err.Error()
	}
	conn.Close()
	return true, ""
}
