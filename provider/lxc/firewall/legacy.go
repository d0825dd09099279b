package firewall

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// The old iptables, whose rules the kernel keeps apart from those of nftables.
// Only its own program knows how to change them.

// hasLegacy reports whether the old iptables has a table filter.
func hasLegacy() bool {
	b, err := os.ReadFile("/proc/net/ip_tables_names")
	return err == nil && strings.Contains("\n"+string(b), "\nfilter\n")
}

// legacy runs the old iptables; found is false when it is not installed or not
// needed.
func legacy(args ...string) (out string, found bool, err error) {
	if !hasLegacy() {
		return "", false, nil
	}
	program, err := exec.LookPath("iptables-legacy")
	if err != nil {
		if program, err = exec.LookPath("iptables"); err != nil {
			return "", false, nil
		}
		if v, err := exec.Command(program, "--version").Output(); err != nil || bytes.Contains(v, []byte("nf_tables")) {
			return "", false, nil
		}
	}
	// -w waits for others that change rules, 5 s at most.
	cmd := exec.Command(program, append([]string{"-w", "5"}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		return "", true, fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(b), true, nil
}

// letThroughLegacy does in the old iptables what LetThrough does.
func letThroughLegacy(bridge string, private bool) error {
	out, found, err := legacy("-S")
	if err != nil || !found {
		return err
	}
	chain := legacyChain(out)
	if chain == "" || hasLegacyRules(out, bridge) {
		return nil
	}
	rules := [][]string{{"-i", bridge}}
	if !private {
		rules = append(rules, []string{"-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"})
	}
	for _, r := range rules {
		args := append(append([]string{"-I", chain, "1"}, r...), "-m", "comment", "--comment", ruleTag(bridge), "-j", "ACCEPT")
		if _, _, err := legacy(args...); err != nil {
			return err
		}
	}
	return nil
}

// letsThroughLegacy reports whether letThroughLegacy would change nothing.
func letsThroughLegacy(bridge string) (bool, error) {
	out, found, err := legacy("-S")
	return err == nil && (!found || legacyChain(out) == "" || hasLegacyRules(out, bridge)), err
}

// legacyRule finds our rules in what iptables -S writes; it quotes some comments.
var legacyRule = regexp.MustCompile(`(?m)^-A (\S+ .*--comment "?berth:([^" ]+)"? .*)$`)

func hasLegacyRules(out, bridge string) bool {
	for _, m := range legacyRule.FindAllStringSubmatch(out, -1) {
		if m[2] == bridge {
			return true
		}
	}
	return false
}

// legacyChain reads from what iptables -S writes where rules of ours belong;
// empty when nothing there can drop anything.
func legacyChain(out string) string {
	switch {
	case strings.Contains(out, "-N DOCKER-USER\n"):
		return "DOCKER-USER"
	case strings.Contains(out, "-P FORWARD DROP\n"), strings.Contains(out, "-A FORWARD "):
		return "FORWARD"
	}
	return ""
}

// removeLegacyRules does in the old iptables what RemoveRules does.
func removeLegacyRules(gone func(bridge string) bool) error {
	out, found, err := legacy("-S")
	if err != nil || !found {
		return err
	}
	for _, m := range legacyRule.FindAllStringSubmatch(out, -1) {
		if gone(m[2]) {
			if _, _, err := legacy(append([]string{"-D"}, strings.Fields(strings.ReplaceAll(m[1], `"`, ""))...)...); err != nil {
				return err
			}
		}
	}
	return nil
}
