package lxc

import "testing"

// A box from a checkpoint has the folders that Berth writes to as they were.
func TestRealCheckpointFolders(t *testing.T) {
	p, spec := realProvider(t)
	spec.CACertificates = testCertificate(t, "one")
	c := churner{t, p, spec}
	c.begin("")
	c.must(`chown -R dev:dev /usr/local; chmod 2775 /usr/local /usr/local/share; chmod 700 /etc/ssh; chown dev /etc/ssl/certs; chmod 711 /
mkdir -p /data && mv /var/lib/berth /data/ 2>/dev/null; mkdir -p /data/berth && ln -sfn /data/berth /var/lib/berth`)
	const look = `stat -c '%n %U:%G %a' / /etc /etc/ssh /etc/ssl /etc/ssl/certs /usr /usr/local /usr/local/share /usr/local/share/ca-certificates /var/lib; readlink /var/lib/berth`
	want := c.must(look)
	c.keep("key")
	c.destroy()
	c.spec.CACertificates = append(testCertificate(t, "two"), spec.CACertificates...)
	c.begin("key")
	if got := c.must(look); got != want {
		t.Errorf("they were\n%s\nand are\n%s", want, got)
	}
	c.must("test -s /etc/ssh/ssh_host_ed25519_key && su dev -c 'ls /etc/ssl/certs >/dev/null'")
	if got := c.must("ls /usr/local/share/ca-certificates/berth | wc -l"); got != "2" {
		t.Errorf("it trusts %s of 2", got)
	}
	c.destroy()
	removeAllKept(t, p)
}
