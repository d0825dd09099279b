package lxc

import (
	"path"
	"strings"
)

// personal is what makes a box itself, or is about its boot: it never gets into
// a checkpoint, and a box that is made from one gets its own. A pattern as in
// path.Match; what ends in "/*" is all that is in a folder, not the folder.
var personal = []string{
	"etc/machine-id", "var/lib/dbus/machine-id",
	"etc/hostname", "etc/resolv.conf",
	"etc/ssh/ssh_host_*", "etc/ssh/authorized_keys.d/*",
	"var/lib/systemd/random-seed", "var/lib/systemd/credential.secret",
	"var/lib/dhcp/*", "var/lib/dhcpcd/*", "var/lib/NetworkManager/*.lease", "var/lib/NetworkManager/secret_key",
	"var/log/journal/*", "var/log/wtmp", "var/log/btmp", "var/log/lastlog",
	"tmp/*", "run/*", "var/tmp/systemd-private-*",
}

// shared are files that the user and Berth both write: Berth's block is left out.
var shared = []string{"etc/hosts", "etc/environment"}

// isPersonal reports whether a path, relative to the box's root, is never kept.
func isPersonal(name string) bool {
	// Few paths come near, and this is asked for each.
	switch top, _, _ := strings.Cut(name, "/"); top {
	case "usr":
		return strings.HasPrefix(name, certificatesDir+"/") // the host's
	case "etc", "var", "tmp", "run":
	default:
		return false
	}
	for _, p := range personal {
		if ok, _ := path.Match(p, name); ok { // the patterns are good
			return true
		}
	}
	return false
}
