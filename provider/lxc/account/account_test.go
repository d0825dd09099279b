package account_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-dev/berth/provider/lxc/account"
)

// A user that only the directory service knows, in whose place is a getent.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\n[ \"$#\" = 2 ] && [ \"$1\" = passwd ] || exit 1\ncase $2 in\n" +
		"lena|70001) echo 'lena:*:70001:70002:Lena, of LDAP:/home/lena:/bin/bash';;\nodd) echo odd:x;;\n*) exit 2;;\nesac\n"
	if err := os.WriteFile(filepath.Join(dir, "getent"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	want := account.User{Name: "lena", UID: 70001, GID: 70002}
	if u, err := account.ByName("lena"); err != nil || u != want {
		t.Errorf("by name: %v, %v", u, err)
	}
	if u, err := account.ByID(70001); err != nil || u != want {
		t.Errorf("by number: %v, %v", u, err)
	}
	if u, err := account.ByName("root"); err != nil || u != (account.User{Name: "root"}) {
		t.Errorf("root: %v, %v", u, err)
	}
	for _, name := range []string{"nobody-of-that-name", "odd", "", "-h"} {
		if _, err := account.ByName(name); !errors.Is(err, account.ErrUnknown) || err.Error() != "user "+name+" is not known on this host" {
			t.Errorf("%q: %v", name, err)
		}
	}
	t.Setenv("PATH", t.TempDir()) // no getent at all
	if _, err := account.ByName("lena"); !errors.Is(err, account.ErrUnknown) {
		t.Errorf("without getent: %v", err)
	}
}
