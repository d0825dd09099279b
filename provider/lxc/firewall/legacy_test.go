package firewall

import "testing"

func TestLegacyChain(t *testing.T) {
	for _, tt := range []struct{ name, out, chain string }{
		{"untouched", "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n", ""},
		{"policy", "-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n", "FORWARD"},
		{"rules", "-P FORWARD ACCEPT\n-A FORWARD -j REJECT\n", "FORWARD"},
		{"Docker", "-P FORWARD DROP\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n", "DOCKER-USER"},
	} {
		if got := legacyChain(tt.out); got != tt.chain {
			t.Errorf("%s: got %q", tt.name, got)
		}
	}
	ours := `-P FORWARD DROP
-A FORWARD -o berth0 -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment "berth:berth0" -j ACCEPT
-A FORWARD -i berthn-1a2b3c4d -m comment --comment berth:berthn-1a2b3c4d -j ACCEPT
`
	for bridge, want := range map[string]bool{"berth0": true, "berthn-1a2b3c4d": true, "berth": false, "berth00": false} {
		if hasLegacyRules(ours, bridge) != want {
			t.Errorf("%s: got %v", bridge, !want)
		}
	}
}
