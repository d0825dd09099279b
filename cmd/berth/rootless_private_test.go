package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// initOf returns the number of the first process of a box that has this name.
func initOf(t *testing.T, hostname string) string {
	t.Helper()
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		status, _ := os.ReadFile(p + "/status")
		_, ns, _ := strings.Cut(string(status), "\nNSpid:")
		ns, _, _ = strings.Cut(ns, "\n")
		name, _ := os.ReadFile(p + "/root/etc/hostname")
		if ids := strings.Fields(ns); len(ids) > 1 && ids[len(ids)-1] == "1" && strings.TrimSpace(string(name)) == hostname {
			return filepath.Base(p)
		}
	}
	t.Fatalf("no box %s runs", hostname)
	return ""
}

// A private network cannot be entered by way of the main bridge, from no other box
// of the same user.
func TestRootlessPrivateIsolation(t *testing.T) {
	u := newHostUser(t, "i")
	prepare(t, u)
	u.giveImage(t)
	shop := u.project(t, "shop", `
defaults { image = "debian:bookworm" }
box "inner-db" {
  network "back" { ip = "10.60.0.10/24" }
  network "six" { ip = "fd00:60::10/64" }
}
box "inner-web" {
  primary = true
  network "back" { ip = "10.60.0.11/24" }
  network "six" { ip = "fd00:60::11/64" }
}
`)
	other := u.project(t, "other", "box \"evil\" {\n  image = \"debian:bookworm\"\n}\n")
	for _, dir := range []string{shop, other} {
		u.run(t, dir, "berth", "up")
	}
	db := strings.Fields(u.run(t, shop, "berth", "ssh", "inner-db", "-c",
		"ip -br -4 addr show dev eth0 | grep -o '10[^/]*'; ip -br -6 addr show dev eth0 | grep -o 'fe80[^/]*'"))
	if len(db) != 2 {
		t.Fatalf("addresses of db: %q", db)
	}
	ways := map[string]string{
		"db's main address":       "sudo ip route replace 10.60.0.10 via " + db[0] + " && ping -c1 -W1 10.60.0.10",
		"the main bridge":         "sudo ip route replace 10.60.0.10 dev eth0 && ping -c1 -W1 10.60.0.10",
		"db's link-local address": "sudo ip -6 route replace fd00:60::10 via " + db[1] + " dev eth0 && ping -c1 -W1 fd00:60::10",
	}
	reaches := func(dir, command string) bool {
		out, err := u.try(t, dir, "berth", "ssh", "-c", command)
		if strings.Contains(out, "RTNETLINK") || strings.Contains(out, "Error") {
			t.Errorf("%s: %s", command, out)
		}
		return err == nil
	}
	for by, command := range ways {
		if reaches(other, command) {
			t.Errorf("a box of another project reaches db by %s", by)
		}
	}
	if !reaches(other, "ping -c1 -W2 "+db[0]) {
		t.Error("boxes do not reach each other's main addresses: the test proves nothing")
	}
	for _, to := range []string{"10.60.0.10", "fd00:60::10"} {
		if !reaches(shop, "ping -c1 -W2 "+to) {
			t.Errorf("web does not reach db at %s, in their private network", to)
		}
	}
	// It is the tables that do it.
	for _, argv := range [][]string{
		{"nft", "delete", "table", "bridge", "berth-" + u.bridge()},
		{"nsenter", "-t", initOf(t, "inner-db"), "-n", "nft", "flush", "ruleset"},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", argv, err, out)
		}
	}
	for by, command := range ways {
		if !reaches(other, command) {
			t.Errorf("without the tables, db cannot be reached by %s: the test proves nothing", by)
		}
	}
}
