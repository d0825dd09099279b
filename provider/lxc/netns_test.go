package lxc

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
)

// ownNetwork runs the test again in a process with a network of its own, so that
// firewalls and routes can be tried without harm to the host, and reports
// whether this is that process. The host's other boxes are not seen there.
func ownNetwork(t *testing.T) bool {
	t.Helper()
	return ownNetworkWith(t, bookworm)
}

// ownNetworkWith does so for a test whose boxes need images, if it has any.
func ownNetworkWith(t *testing.T, images ...string) bool {
	t.Helper()
	testenv.NeedLXC(t)
	testenv.NeedTool(t, "nft")
	testenv.NeedTool(t, "nsenter")
	const child = "BERTH_TEST_OWN_NETWORK"
	if os.Getenv(child) == "" {
		for _, image := range images {
			testenv.NeedNet(t)
			realImages(t, image)
		}
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=4m")
		cmd.Env = append(os.Environ(), child+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("in its own network: %v\n%s", err, out)
		} else if testing.Verbose() {
			t.Logf("%s", out)
		}
		return false
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""))
	check(os.MkdirAll(stage, 0o700))
	check(unix.Mount("tmpfs", stage, "tmpfs", 0, "mode=0700"))
	// LXC looks for its bridges in /sys, which shows the network of who mounted it.
	// What is mounted below it is needed as it was: cgroups, and AppArmor's files.
	kept := map[string]string{"/sys/fs/cgroup": t.TempDir(), "/sys/kernel/security": t.TempDir()}
	for at, aside := range kept {
		check(unix.Mount(at, aside, "", unix.MS_BIND|unix.MS_REC, ""))
	}
	check(unix.Mount("sysfs", "/sys", "sysfs", 0, ""))
	for at, aside := range kept {
		check(unix.Mount(aside, at, "", unix.MS_BIND|unix.MS_REC, ""))
		check(unix.Unmount(aside, unix.MNT_DETACH))
	}
	lo, err := netlink.LinkByName("lo")
	check(err)
	check(netlink.LinkSetUp(lo))
	return true
}

// host runs a shell command on the host.
func host(t *testing.T, command string) string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-ec", command).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

// worldAddr is the address of what world makes.
const worldAddr = "198.51.100.2"

// world makes a network namespace that stands for the rest of the world, at
// worldAddr, with a route to it.
func world(t *testing.T) {
	t.Helper()
	cmd := exec.Command("sleep", "300")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	t.Setenv("WORLD", itoa(cmd.Process.Pid))
	host(t, `
ip link add up0 type veth peer name up1 netns $WORLD
ip addr add 198.51.100.1/24 dev up0
ip link set up0 up
in="nsenter -t $WORLD -n"
$in ip addr add `+worldAddr+`/24 dev up1
$in ip link set up1 up
ip route add default via `+worldAddr)
}

// eventually tries f until it is true, for two seconds.
func eventually(f func() bool) bool {
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if f() {
			return true
		}
	}
	return false
}
