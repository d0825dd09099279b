package lxc

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// imageFile is a file that makes a Debian tree a good box.
type imageFile struct {
	path string
	mode fs.FileMode
	text string
}

// sshdUnit starts sshd as soon as the root filesystem can be used, without
// waiting for the rest of the boot, so that a box can be entered early and also
// when something in its boot hangs.
const sshdUnit = `# Written by Berth: sshd starts first, not last.
[Unit]
Description=OpenSSH server of a Berth box
Documentation=man:sshd(8) man:sshd_config(5)
DefaultDependencies=no
After=-.mount
Before=shutdown.target
Conflicts=shutdown.target

[Service]
EnvironmentFile=-/etc/default/ssh
ExecStart=/usr/sbin/sshd -D $SSHD_OPTS
ExecReload=/bin/kill -HUP $MAINPID
KillMode=process
Restart=on-failure
Type=notify
RuntimeDirectory=sshd
RuntimeDirectoryMode=0755

[Install]
WantedBy=sysinit.target
`

// sshdConfig lets in the key that Berth made and nothing else.
const sshdConfig = `# Written by Berth.
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UseDNS no
AcceptEnv LANG LC_* TERM COLORTERM BERTH_*
`

// tmpConfig is tmpfiles.d(5) for /tmp without emptying it during the boot, when
// somebody may be in already: Berth does that before the boot (see seed.go).
const tmpConfig = `# Written by Berth: /tmp is emptied before the boot, not in the middle of it.
q /tmp 1777 root root 10d
q /var/tmp 1777 root root 30d
x /tmp/systemd-private-%b-*
X /tmp/systemd-private-%b-*/tmp
x /var/tmp/systemd-private-%b-*
X /var/tmp/systemd-private-%b-*/tmp
R! /tmp/systemd-private-*
R! /var/tmp/systemd-private-*
`

// sudoers lets the user do everything, and keeps what programs need to reach the
// network: sudo takes other variables away.
const sudoers = `# Written by Berth.
Defaults env_keep += "http_proxy https_proxy ftp_proxy all_proxy no_proxy"
Defaults env_keep += "HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY"
Defaults env_keep += "NODE_EXTRA_CA_CERTS REQUESTS_CA_BUNDLE"
dev ALL=(ALL:ALL) NOPASSWD: ALL
`

// imageFiles are written over what the packages bring.
var imageFiles = []imageFile{
	{"etc/systemd/system/ssh.service", 0o644, sshdUnit},
	{"etc/ssh/sshd_config.d/berth.conf", 0o644, sshdConfig},
	{"etc/sudoers.d/berth", 0o440, sudoers},
	{"etc/apt/apt.conf.d/80berth-packages", 0o644, aptHooks},
	{cacheScript, 0o755, cacheShell},
	{"etc/default/locale", 0o644, "LANG=C.UTF-8\n"},
	// Logins are welcome before the boot has ended: without /run/nologin.
	{"etc/tmpfiles.d/tmp.conf", 0o644, tmpConfig},
	{"etc/tmpfiles.d/systemd-nologin.conf", 0o644, "# Emptied by Berth: logins are let in during the boot.\n"},
	// The message of the day costs every login; the box's own stays.
	{"etc/pam.d/sshd", 0o644, `# Written by Berth: what a login with a key needs, and nothing that costs time.
@include common-auth
account required pam_nologin.so
@include common-account
session [success=ok ignore=ignore module_unknown=ignore default=bad] pam_selinux.so close
session required pam_loginuid.so
session optional pam_keyinit.so force revoke
@include common-session
session optional pam_motd.so noupdate
session required pam_limits.so
session required pam_env.so
session required pam_env.so envfile=/etc/default/locale
session [success=ok ignore=ignore module_unknown=ignore default=bad] pam_selinux.so open
@include common-password
`},
	{"etc/hostname", 0o644, "box\n"},
	{"etc/machine-id", 0o444, ""},
	{"etc/resolv.conf", 0o644, ""},
}

// maskedUnits make no sense in a container, or would get in a provisioner's way:
// apt's timers hold its lock when a script wants to install something.
var maskedUnits = []string{
	"apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
	"console-getty.service", "getty.target", "getty-static.service",
	"dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount",
	"sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount", "proc-sys-fs-binfmt_misc.automount",
	"systemd-binfmt.service", "systemd-modules-load.service", "systemd-firstboot.service", "systemd-sysctl.service",
	"systemd-journald-audit.socket", "systemd-udevd.service", "systemd-udev-trigger.service", "ssh.socket",
	// LXC has done their work, the image has been built with it done, or the
	// kernel does not let a box do it. Each costs the boot some CPU time.
	"modprobe@.service", "systemd-pstore.service", "systemd-sysusers.service", "systemd-remount-fs.service",
	"systemd-tmpfiles-setup-dev.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
	"systemd-ask-password-console.path", "systemd-ask-password-wall.path", "dpkg-db-backup.timer",
}

// finishImage turns the tree that mmdebstrap made into a box's image, and takes
// out what is this host's or must be every box's own.
func finishImage(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	gone := []string{"var/lib/dbus/machine-id", "var/lib/systemd/random-seed"}
	entries, _ := readDirIn(root, "etc/ssh") // none: there are no keys
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "ssh_host_") {
			gone = append(gone, "etc/ssh/"+e.Name())
		}
	}
	for _, gone := range gone {
		if err := root.RemoveAll(gone); err != nil {
			return fmt.Errorf("finish image: %w", err)
		}
	}
	if err := sameSources(root); err != nil {
		return fmt.Errorf("finish image: %w", err)
	}
	for _, f := range imageFiles {
		if err := writeIn(root, f.path, f.text, f.mode); err != nil {
			return fmt.Errorf("finish image: %w", err)
		}
	}
	links := map[string]string{
		"etc/systemd/system/sysinit.target.wants/ssh.service": "/etc/systemd/system/ssh.service",
		"etc/systemd/system/default.target":                   "/lib/systemd/system/multi-user.target",
	}
	for _, unit := range maskedUnits {
		links["etc/systemd/system/"+unit] = "/dev/null"
	}
	for name, target := range links {
		if err := linkIn(root, name, target); err != nil {
			return fmt.Errorf("finish image: %w", err)
		}
	}
	// The unit is wanted by sysinit.target now, not by the package's choice.
	_ = root.Remove("etc/systemd/system/multi-user.target.wants/ssh.service")
	_ = root.Remove("etc/systemd/system/sshd.service")
	return nil
}
