package hostcheck

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

var networkChecks = []Check{
	{Code: "BRT-NET-01", Chain: "network", Name: "lxc-usernet", For: rootless, Try: usernet},
	{Code: "BRT-NET-02", Chain: "network", Name: "bridge", Try: bridge},
	{Code: "BRT-NET-03", Chain: "network", Name: "forwarding", Try: forwarding},
	{Code: "BRT-NET-04", Chain: "network", Name: "firewall", Try: firewall},
	{Code: "BRT-DNS-01", Chain: "names", Name: "name servers", Try: nameservers},
	{Code: "BRT-DNS-02", Chain: "names", Name: "answers", Try: answers},
}

// usernetFile says which users may have devices on which bridges
// (lxc-usernet(5)).
const usernetFile = "/etc/lxc/lxc-usernet"

// usersBridge is the bridge that lxc-usernet gives the user; empty: none.
func (e Env) usersBridge() string {
	for line := range strings.Lines(e.text(usernetFile)) {
		fields := strings.Fields(line)
		if len(fields) == 4 && fields[0] == e.User && fields[1] == "veth" && fields[3] != "0" {
			return fields[2]
		}
	}
	return ""
}

func usernet(_ context.Context, e Env) Result {
	if b := e.usersBridge(); b != "" {
		return good(e.User + " may use " + b)
	}
	return broken(usernetFile+" has no line for "+e.User, "the user may not connect boxes to a bridge", setup)
}

// bridgeName is the bridge of this user's boxes; empty while there is none.
func (e Env) bridgeName() string {
	if e.Rootless() {
		return e.usersBridge()
	}
	var n struct {
		Bridge string `json:"bridge"`
	}
	_ = json.Unmarshal([]byte(e.text(filepath.Join(e.DataDir, "network.json"))), &n) // empty then
	return n.Bridge
}

func (e Env) hasBridge(name string) bool {
	_, err := e.Stat("/sys/class/net/" + name + "/bridge")
	return name != "" && err == nil
}

func bridge(_ context.Context, e Env) Result {
	name := e.bridgeName()
	switch {
	case e.hasBridge(name):
		return good(name)
	case e.Rootless():
		return broken("there is no bridge "+name, "the bridge of boxes, "+name+", does not exist", setup)
	case name != "":
		return good(name + " is made again by the next start")
	}
	return good("none yet: the first box makes it")
}

func forwarding(_ context.Context, e Env) Result {
	value := e.text("/proc/sys/net/ipv4/ip_forward")
	read := "net.ipv4.ip_forward is " + value
	switch {
	case value == "1":
		return good(read)
	case !e.Rootless() && !e.hasBridge(e.bridgeName()):
		return good(read + ": the first box turns it on")
	}
	return broken(read, "the host does not forward what boxes send, so they reach nothing beyond it", e.heal("sysctl -w net.ipv4.ip_forward=1"))
}

func firewall(_ context.Context, e Env) Result {
	name := e.bridgeName()
	if name == "" {
		name = "berth0"
	}
	all, err := e.Barriers(name)
	switch {
	case errors.Is(err, fs.ErrPermission) || err != nil && e.Rootless():
		return untried("only root can read the firewall: sudo berth doctor")
	case err != nil:
		return broken(err.Error(), "the firewall of the kernel cannot be reached: "+err.Error(), "modprobe nf_tables")
	case len(all) > 0:
		return weak(all[0].Name+" can drop what boxes send", "a firewall that is not Berth's can cut boxes off, and no other table can overrule it",
			all[0].Fix)
	}
	return good("nothing in the way")
}

func nameservers(_ context.Context, e Env) Result {
	servers, err := e.Nameservers()
	if err != nil {
		return broken("none that a box can reach", err.Error(), "")
	}
	return good(strings.Join(servers, ", "))
}

// dnsTimeout is longer than a resolver takes that is far away.
const dnsTimeout = 2 * time.Second

// answers asks all name servers at once.
func answers(ctx context.Context, e Env) Result {
	servers, err := e.Nameservers()
	if err != nil {
		return untried(err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	silent := make([]string, len(servers))
	var all sync.WaitGroup
	for i, s := range servers {
		all.Go(func() {
			if e.Ask(ctx, s) != nil {
				silent[i] = s
			}
		})
	}
	all.Wait()
	if dead := strings.Fields(strings.Join(silent, " ")); len(dead) > 0 {
		return weak("no answer from "+strings.Join(dead, ", "), "a name server that boxes are given does not answer within "+dnsTimeout.String(),
			`Name others: provider "lxc" { nameservers = ["192.0.2.53"] }. Behind a proxy that resolves names this is harmless.`)
	}
	return good("all answer")
}
