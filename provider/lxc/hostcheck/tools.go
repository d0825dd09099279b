package hostcheck

import (
	"context"
	"fmt"
)

var (
	lxcChecks = []Check{
		{Code: "BRT-LXC-01", Chain: "lxc", Name: "tools", First: true, Try: lxcTools},
		{Code: "BRT-LXC-02", Chain: "lxc", Name: "version", Try: lxcVersion},
	}
	imageChecks = []Check{
		{Code: "BRT-IMG-01", Chain: "images", Name: "mmdebstrap", Try: mmdebstrap},
		{Code: "BRT-IMG-02", Chain: "images", Name: "Debian's keys", Try: keyring},
	}
	appArmorChecks = []Check{
		{Code: "BRT-AAR-01", Chain: "apparmor", Name: "parser", Try: appArmor},
	}
)

func lxcTools(_ context.Context, e Env) Result {
	where := ""
	for _, tool := range []string{"lxc-start", "lxc-stop", "lxc-info"} {
		path, err := e.LookPath(tool)
		if err != nil {
			return broken(tool+" is not in $PATH", "LXC is not installed: "+tool+" is not in $PATH", e.heal(e.install("lxc")))
		}
		where = path
	}
	return good(where)
}

func lxcVersion(ctx context.Context, e Env) Result {
	out, err := e.Run(ctx, "lxc-start", "--version")
	if err != nil {
		return broken(lastLine(out, err), "lxc-start does not run", e.install("lxc"))
	}
	var major int
	if _, err := fmt.Sscanf(out, "%d.", &major); err != nil || major < 4 {
		return broken(out, fmt.Sprintf("LXC is %q, and boxes need 4.0 or later", out), e.install("lxc"))
	}
	return good(out)
}

// debianKeyring is where the package debian-archive-keyring has it.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

func mmdebstrap(_ context.Context, e Env) Result {
	path, err := e.LookPath("mmdebstrap")
	if err != nil {
		return broken("mmdebstrap is not in $PATH", "mmdebstrap, which builds images, is not installed",
			e.heal(e.install("mmdebstrap debian-archive-keyring")))
	}
	return good(path)
}

func keyring(_ context.Context, e Env) Result {
	if _, err := e.Stat(debianKeyring); err != nil {
		return broken(debianKeyring+" does not exist", "what comes from Debian's mirrors cannot be checked",
			e.heal(e.install("debian-archive-keyring")))
	}
	return good(debianKeyring)
}

func appArmor(_ context.Context, e Env) Result {
	if e.text("/sys/module/apparmor/parameters/enabled") != "Y" {
		return good("off")
	}
	path, err := e.LookPath("apparmor_parser")
	if err != nil {
		return broken("apparmor_parser is not in $PATH",
			"AppArmor is on, and LXC cannot load the boxes' profiles into it", e.heal(e.install("apparmor")))
	}
	return good(path)
}
