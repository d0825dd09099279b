package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// appArmor lets users have rights in user namespaces by way of this program, on
// hosts where only programs with a profile that says so can give them: Ubuntu's
// since 23.10. Elsewhere there is nothing to do.
type appArmor struct{ h *host }

const profileFile = "/etc/apparmor.d/berth"

// restriction is 1 where plain programs may not (apparmor(7)), and abi there where
// the parser knows the rule that lets one.
const (
	restriction = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
	abi         = "/etc/apparmor.d/abi/4.0"
)

// file confines nothing; what berth starts has the profile too, if it has none of
// its own.
func (a appArmor) file(program string) ownFile {
	return ownFile{a.h, profileFile, fmt.Sprintf(`# Written by berth setup; berth setup --undo removes it.
abi <abi/4.0>,
include <tunables/global>

profile berth %s flags=(unconfined) {
  userns,

  include if exists <local/berth>
}
`, program), []string{"apparmor_parser", "--replace", a.h.path(profileFile)}}
}

func (a appArmor) missing() ([]change, error) {
	b, err := os.ReadFile(a.h.path(restriction))
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(b)) != "1" {
		return nil, nil
	}
	if err == nil {
		_, err = os.Stat(a.h.path(abi))
	}
	if err != nil {
		return nil, fmt.Errorf("AppArmor keeps users' programs from using user namespaces, which boxes need (%s), and a profile cannot be written for berth: %w",
			restriction, err)
	}
	program, err := a.h.program()
	if err != nil {
		return nil, err
	}
	return a.file(program).missing("AppArmor lets berth use user namespaces")
}

func (a appArmor) undo() ([]change, error) {
	file := a.file("")
	file.then = nil
	all, err := file.undo()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	if _, err := os.Stat(a.h.path(profileFile)); err != nil {
		return all, nil // somebody has removed it: what is loaded of it goes with the next boot
	}
	return append([]change{{"unload the AppArmor profile of berth", func(ctx context.Context) error {
		return a.h.run(ctx, "apparmor_parser", "--remove", a.h.path(profileFile))
	}}}, all...), nil
}
