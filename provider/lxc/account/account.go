// Package account finds users of the host, also those that a directory service
// such as LDAP knows and /etc/passwd does not: this program is built without the C
// library, which would ask one.
package account

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// User is a user of the host.
type User struct {
	Name     string
	UID, GID int
}

// ErrUnknown says that nobody knows a user. A directory service that does not
// answer looks the same.
var ErrUnknown = errors.New("is not known on this host")

// answerTime bounds how long a directory service may take.
const answerTime = 5 * time.Second

// ByName finds a user by the name.
func ByName(name string) (User, error) {
	if u, err := user.Lookup(name); err == nil {
		return ofEntry(u.Username, u.Uid, u.Gid)
	}
	return ask(name)
}

// ByID finds a user by the number.
func ByID(uid int) (User, error) {
	key := strconv.Itoa(uid)
	if u, err := user.LookupId(key); err == nil {
		return ofEntry(u.Username, u.Uid, u.Gid)
	}
	return ask(key)
}

// ask asks all sources that the host has, by getent(1).
func ask(key string) (User, error) {
	unknown := fmt.Errorf("user %s %w", key, ErrUnknown)
	if key == "" || strings.HasPrefix(key, "-") {
		return User{}, unknown // it would be an option
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "getent", "passwd", key)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return User{}, unknown
	}
	fields := strings.Split(strings.TrimSpace(string(out)), ":") // passwd(5)
	if len(fields) < 4 {
		return User{}, unknown
	}
	return ofEntry(fields[0], fields[2], fields[3])
}

func ofEntry(name, uid, gid string) (User, error) {
	u := User{Name: name}
	var err1, err2 error
	u.UID, err1 = strconv.Atoi(uid)
	u.GID, err2 = strconv.Atoi(gid)
	if err := errors.Join(err1, err2); err != nil {
		return User{}, fmt.Errorf("read the ids of user %s: %w", name, err)
	}
	return u, nil
}
