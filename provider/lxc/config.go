package lxc

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"

	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// seccompProfile denies what no box has business with: other kernels, other
// mounts' files by handle, kernel modules. Everything else is kept safe by the
// user namespace (lxc.container.conf(5), "SECCOMP CONFIGURATION"). LXC 4 knows
// the word blacklist only; LXC 5 still takes it.
const seccompProfile = `2
blacklist
reject_force_umount
[all]
kexec_load errno 1
kexec_file_load errno 1
open_by_handle_at errno 1
init_module errno 1
finit_module errno 1
delete_module errno 1
`

// boxConfig is what a box's LXC configuration is made from.
type boxConfig struct {
	record   record
	net      network
	hostname string
	limits   []cgroup.Setting
	nesting  bool
	raw      map[string]string
	apparmor string // as mode.appArmor returns it
	mode     mode
	dir      string // the box's folder
}

// linkName is the host's end of the box's veth pair: a hash, since names of
// links end at 15 bytes (IFNAMSIZ).
func linkName(id string) string { return "berth-" + shortHash(id) }

// maxNICs is how many private networks a box can join.
const maxNICs = 9

// privateLinkPrefix begins the names of the ports of private bridges, and of no
// others.
const privateLinkPrefix = "berthp"

// privateLinkName is the host's end of the veth pair of a private network, from
// 0 to maxNICs-1.
func privateLinkName(id string, i int) string {
	return privateLinkPrefix + shortHash(id) + strconv.Itoa(i+1)
}

// nicName is the box's end of it.
func nicName(i int) string { return "eth" + strconv.Itoa(i+1) }

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}

// hardwareAddr is stable for the life of the box, and marked as locally
// administered.
func hardwareAddr(id string) string {
	sum := sha256.Sum256([]byte("mac " + id))
	return net.HardwareAddr{0x02, sum[0], sum[1], sum[2], sum[3], sum[4]}.String()
}

// text writes the configuration (lxc.container.conf(5)). All values are checked
// before they come here; a line break in one would be a setting of its own, so
// it is refused again.
func (c boxConfig) text() (string, error) {
	r := c.record
	var b strings.Builder
	var bad error
	set := func(key, value string) {
		if strings.ContainsAny(key+value, "\n\r\x00") {
			bad = fmt.Errorf("write LXC configuration: %s has a line break in its value", key)
		}
		fmt.Fprintf(&b, "%s = %s\n", key, value)
	}
	fmt.Fprintf(&b, "# Written by Berth at every start of this box; changes are lost.\n")
	set("lxc.uts.name", c.hostname)
	set("lxc.rootfs.path", "dir:"+stageRootfs)
	c.mode.configure(r, c.net, set)

	set("lxc.init.cmd", "/sbin/init")
	set("lxc.signal.halt", "SIGRTMIN+3") // systemd(1): start halt.target
	set("lxc.signal.reboot", "SIGRTMIN+5")
	set("lxc.tty.max", "0")
	set("lxc.pty.max", "1024")
	set("lxc.console.logfile", c.dir+"/console.log")
	set("lxc.console.size", "1MB")
	set("lxc.console.rotate", "1")

	set("lxc.cgroup.dir.container", cgroup.Payload(r.ID))
	set("lxc.cgroup.dir.monitor", cgroup.Monitor(r.ID))
	set("lxc.cgroup.dir.monitor.pivot", cgroup.Pivot(r.ID))
	for _, l := range c.limits {
		prefix := "lxc.cgroup."
		if l.V2 {
			prefix = "lxc.cgroup2."
		}
		set(prefix+l.File, l.Value)
	}
	c.security(set)
	for _, k := range sortedKeys(c.raw) {
		set(k, c.raw[k])
	}
	return b.String(), bad
}

// veths has LXC make the box's links.
func veths(r record, n network, set func(key, value string)) {
	set("lxc.net.0.type", "veth")
	set("lxc.net.0.link", n.Bridge)
	set("lxc.net.0.veth.pair", linkName(r.ID))
	set("lxc.net.0.name", "eth0")
	set("lxc.net.0.hwaddr", hardwareAddr(r.ID))
	set("lxc.net.0.flags", "up")
	// LXC computes a wrong broadcast address by itself (5.0.2).
	set("lxc.net.0.ipv4.address", fmt.Sprintf("%s/%d %s", r.Addr, n.Subnet.Bits(), n.broadcast()))
	set("lxc.net.0.ipv4.gateway", n.gateway().String())
	for i, n := range r.NICs {
		key := fmt.Sprintf("lxc.net.%d.", i+1)
		set(key+"type", "veth")
		set(key+"link", n.Bridge)
		set(key+"veth.pair", privateLinkName(r.ID, i))
		set(key+"name", nicName(i))
		set(key+"hwaddr", hardwareAddr(r.ID+"/"+n.Name))
		set(key+"flags", "up")
		if n.IP.Addr().Is6() {
			set(key+"ipv6.address", n.IP.String())
		} else {
			set(key+"ipv4.address", fmt.Sprintf("%s %s", n.IP, lastOf(n.IP)))
		}
	}
}

// security sets what keeps the box apart from the host beyond its namespaces.
func (c boxConfig) security(set func(key, value string)) {
	// /sys stays read-only except for the network: with a writable /sys systemd
	// in the box waits for a udev that cannot work there.
	set("lxc.mount.auto", "proc:mixed sys:mixed cgroup:mixed")
	set("lxc.seccomp.profile", c.dir+"/seccomp")
	if c.apparmor != "" {
		set("lxc.apparmor.profile", c.apparmor)
	}
	if c.apparmor == "generated" {
		// Without it the profile forbids the mounts that systemd makes for
		// services with a sandbox, such as systemd-logind, and these fail. They act
		// in the box's own namespaces, whose root is nobody on the host.
		set("lxc.apparmor.allow_nesting", "1")
	}
	if !c.nesting {
		return
	}
	// The kernel lets a nested container mount its own /proc and /sys only where
	// an untouched one is visible (mount_namespaces(7)).
	set("lxc.mount.entry", "proc dev/.lxc/proc proc create=dir,optional 0 0")
	set("lxc.mount.entry", "sysfs dev/.lxc/sys sysfs create=dir,optional 0 0")
}

// hostHasAppArmor reports whether profiles can be loaded.
func hostHasAppArmor() bool {
	b, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	if err != nil || !strings.HasPrefix(string(b), "Y") {
		return false
	}
	_, err = exec.LookPath("apparmor_parser")
	return err == nil
}

// rawAllowed are the settings, or with a dot at the end the groups of settings,
// that an Envfile may give: those that act inside the box. Others name
// programs, files or devices of the host, and an Envfile comes with a
// repository that anyone may have written.
var rawAllowed = []string{
	"lxc.environment", "lxc.prlimit.", "lxc.sysctl.", "lxc.signal.", "lxc.cap.drop",
	"lxc.tty.max", "lxc.pty.max", "lxc.time.offset.boot", "lxc.time.offset.monotonic",
	"lxc.cgroup.hugetlb.", "lxc.cgroup2.hugetlb.", "lxc.cgroup2.misc.", "lxc.cgroup2.memory.high", "lxc.cgroup2.memory.low",
}

// checkRaw says whether an Envfile may give this setting.
func checkRaw(key, value string) error {
	if strings.ContainsAny(key+value, "\n\r\x00") {
		return fmt.Errorf("%q has a line break", key)
	}
	for _, a := range rawAllowed {
		if group := strings.HasSuffix(a, "."); key == a && !group || group && strings.HasPrefix(key, a) && key != a {
			return nil
		}
	}
	return fmt.Errorf("%q may not be set from an Envfile, since it can reach into the host; allowed are %s",
		key, strings.TrimSuffix(strings.ReplaceAll(strings.Join(rawAllowed, ", ")+",", ".,", ".*,"), ","))
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
