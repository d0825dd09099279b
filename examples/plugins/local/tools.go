package main

import (
	"os"
	"strings"
)

// fakeSudo runs its command as the user. Berth's own way to transfer files as
// root names the sftp-server of several distributions, of which the host may
// have none; the box's own takes their place.
const fakeSudo = `#!/bin/sh
while :; do
	case $1 in
	-n | -H | -E) shift ;;
	-u) shift 2 ;;
	--) shift; break ;;
	*) break ;;
	esac
done
case $* in
*/sftp-server*) exec "${0%/*}/sftp-server" ;;
esac
exec "$@"
`

// writeTools puts the programs into the box that come first in its PATH. It is
// done at every start, since this program may have moved in between.
func (b box) writeTools() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	sftp := "#!/bin/sh\nexec '" + strings.ReplaceAll(self, "'", `'\''`) + "' " + sftpArg + "\n"
	if err := os.WriteFile(b.path("bin/sudo"), []byte(fakeSudo), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.path("bin/sftp-server"), []byte(sftp), 0o755)
}
