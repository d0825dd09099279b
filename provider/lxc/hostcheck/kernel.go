package hostcheck

import (
	"context"
	"fmt"
	"strings"
)

var kernelChecks = []Check{
	{Code: "BRT-KRN-01", Chain: "kernel", Name: "version", First: true, Try: kernelVersion},
	{Code: "BRT-KRN-02", Chain: "kernel", Name: "overlayfs", First: true, Try: overlay},
	{Code: "BRT-KRN-03", Chain: "kernel", Name: "user namespaces", Try: userNamespaces},
	{Code: "BRT-KRN-04", Chain: "kernel", Name: "user namespaces of users", For: rootless, Try: usersNamespaces},
	{Code: "BRT-KRN-05", Chain: "kernel", Name: "overlayfs in a user namespace", For: rootless, Try: overlayOfUser},
}

// The first kernels that will do. With root, layers are mounted with their ids
// mapped, which overlayfs takes from 5.19 on (kernel commit bc70682a497c, "ovl:
// support idmapped layers"). Without, no ids of mounts are mapped, but overlayfs is
// mounted in a user namespace, from 5.11 on (459c7c565ac3, "ovl: unprivieged
// mounts"), and folders get their flags from mount_setattr(2), which is of 5.12.
var (
	minKernel         = [2]int{5, 19}
	minKernelRootless = [2]int{5, 12}
)

func kernelVersion(_ context.Context, e Env) Result {
	release := e.text("/proc/sys/kernel/osrelease")
	least, why := minKernel, "overlayfs over idmapped layers"
	if e.Rootless() {
		least, why = minKernelRootless, "overlayfs in a user namespace, and mount_setattr(2)"
	}
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return broken(release, fmt.Sprintf("the kernel's version cannot be read from %q", release), "")
	}
	if major < least[0] || major == least[0] && minor < least[1] {
		return broken(release, fmt.Sprintf("the kernel is %s, and boxes need %d.%d or later (%s)", release, least[0], least[1], why),
			"Install a newer kernel: on Debian 11 and 12 that of the suite backports.")
	}
	return good(release)
}

// overlay makes sure that overlayfs is there, loading its module if need be.
func overlay(ctx context.Context, e Env) Result {
	const list = "/proc/filesystems"
	has := func() bool { return strings.Contains("\n"+e.text(list)+"\n", "\toverlay\n") }
	if !has() && !e.Rootless() {
		_, _ = e.Run(ctx, "modprobe", "overlay") // its failure shows in the second look
	}
	if !has() {
		return broken(list+" does not name overlay",
			"the kernel has no overlayfs: load the module overlay, or use a kernel with CONFIG_OVERLAY_FS", e.heal("modprobe overlay"))
	}
	return good("in " + list)
}

func userNamespaces(_ context.Context, e Env) Result {
	const name = "/proc/sys/user/max_user_namespaces"
	switch n := e.text(name); n {
	case "":
		return broken(name+" does not exist", "the kernel has no user namespaces, which keep boxes apart from the host",
			"Use a kernel with CONFIG_USER_NS.")
	case "0":
		return broken("user.max_user_namespaces is 0", "user namespaces, which keep boxes apart from the host, are turned off",
			e.heal("sysctl -w user.max_user_namespaces=15000"))
	default:
		return good("up to " + n)
	}
}

// usersNamespaces looks at what Debian and Ubuntu have added to keep users from
// making them.
func usersNamespaces(_ context.Context, e Env) Result {
	if e.text("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
		return broken("kernel.unprivileged_userns_clone is 0", "users may not make user namespaces", setup)
	}
	if profile, restricted := Restricted(e); restricted {
		return broken("kernel.apparmor_restrict_unprivileged_userns is 1, and this program has no AppArmor profile",
			"AppArmor gives users rights in user namespaces only by way of programs with a profile that says so, and berth has none", setup)
	} else if profile != "" {
		return good("allowed by the AppArmor profile " + profile)
	}
	return good("allowed")
}

// Restricted reports whether AppArmor gives this process, a user's, no rights in
// user namespaces: where that is restricted, as on Ubuntu since 23.10, only programs
// with a profile that says "userns," have them. profile is the one that this
// process has there; it is taken to say so.
func Restricted(h interface{ ReadFile(string) ([]byte, error) }) (profile string, restricted bool) {
	b, err := h.ReadFile("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
	if err != nil || strings.TrimSpace(string(b)) != "1" {
		return "", false
	}
	b, err = h.ReadFile("/proc/self/attr/apparmor/current") // "berth (unconfined)", or "unconfined"
	profile, _, _ = strings.Cut(strings.TrimSpace(string(b)), " ")
	return profile, err != nil || profile == "unconfined"
}

// overlayOfUser tries it: two folders that every host has, without an upper one,
// in a mount namespace that goes with the program.
func overlayOfUser(ctx context.Context, e Env) Result {
	out, err := e.Run(ctx, "unshare", "--user", "--map-root-user", "--mount", "--",
		"mount", "-t", "overlay", "-o", "lowerdir=/usr:/etc,userxattr", "overlay", "/tmp")
	if err != nil {
		return broken(lastLine(out, err), "a user cannot mount overlayfs in a user namespace of his own", setup)
	}
	return good("mounted one")
}

// lastLine is what a program said last, or why it could not be run.
func lastLine(out string, err error) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return err.Error()
}
