package engine

import (
	"fmt"
	"io"
	"net"
	"strings"
)

// SSHOption is a line of ssh_config(5).
type SSHOption struct{ Key, Value string }

// Quoted returns the value as ssh_config(5) takes it, paths with spaces included.
func (o SSHOption) Quoted() string {
	if strings.ContainsAny(o.Value, " \t\"") {
		return `"` + strings.ReplaceAll(o.Value, `"`, `\"`) + `"`
	}
	return o.Value
}

// SSHOptions are all that ssh(1) needs, and keep what the user has set for other
// hosts out of it. The host key is known by the box's id, so an address that was
// another box's before does no harm, and nothing gets into ~/.ssh/known_hosts.
func (a Access) SSHOptions() []SSHOption {
	host, port, _ := net.SplitHostPort(a.Record.SSH.Addr) // written by us
	return []SSHOption{
		{"HostName", host},
		{"Port", port},
		{"User", a.Record.SSH.User},
		{"IdentityFile", a.Keys.PrivateFile},
		{"IdentitiesOnly", "yes"},
		{"UserKnownHostsFile", a.Keys.KnownHostsFile},
		{"HostKeyAlias", a.Record.ID},
		{"StrictHostKeyChecking", "yes"},
		{"PasswordAuthentication", "no"},
		{"ProxyCommand", "none"},
		{"LogLevel", "ERROR"},
	}
}

// WriteSSHHost writes a host of ssh_config(5).
func WriteSSHHost(w io.Writer, name string, options []SSHOption) error {
	if _, err := fmt.Fprintf(w, "Host %s\n", name); err != nil {
		return err
	}
	for _, o := range options {
		if _, err := fmt.Fprintf(w, "  %s %s\n", o.Key, o.Quoted()); err != nil {
			return err
		}
	}
	return nil
}
