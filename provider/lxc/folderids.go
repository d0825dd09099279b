package lxc

import (
	"syscall"

	"github.com/berth-dev/berth/provider/lxc/account"
)

// sharedIDBase is the first of the host's ids that stand for a box's ids in the
// folders that it is given: the same for every box, so that what one wrote is
// its successor's and its sibling's, and nobody's on the host. It lies above the
// boxes' own ranges and still in what is for containers by convention.
const sharedIDBase = lastIDBase // 1,878,917,120

// loginID is the id in a box that a folder's owner has there.
const loginID = 1000

// folderOwner is what a folder's owner and group are on the host; 0 stands for
// one that nobody in a box can be.
type folderOwner struct{ uid, gid uint32 }

// owner returns whom a folder's files are to belong to when the login user makes
// them. That is never root, since a box could then make set-user-id programs of
// root's, and no group of the system's, some of which are as good as root.
func owner(uid, gid uint32) folderOwner {
	const firstUserID = 1000 // login.defs(5), GID_MIN
	if uid == 0 || isShared(uid) {
		return folderOwner{}
	}
	o := folderOwner{uid: uid}
	if gid != 0 && !isShared(gid) && (gid >= firstUserID || isPrimaryGroup(uid, gid)) {
		o.gid = gid
	}
	return o
}

// isShared tells the ids of what a box has made.
func isShared(id uint32) bool { return id >= sharedIDBase && id < sharedIDBase+idRange }

func isPrimaryGroup(uid, gid uint32) bool {
	u, err := account.ByID(int(uid))
	return err == nil && u.GID == int(gid)
}

// idMap maps ids on the folder's filesystem to those of a box: login is the
// host's id for the box's login user, or 0 for one of the shared range. The
// host's other ids stay what they are, so that the box meets their files as any
// other user of the host would; since its own namespace does not have them,
// nobody in it can be one of them. (Left out of the map, a file of theirs could
// not be written even where its mode lets everyone.)
//
// In a mapping for a mount, "in the namespace" means on the disk, and "outside"
// the host's id that the box's own namespace maps once more.
func idMap(login, idBase uint32) []syscall.SysProcIDMap {
	var m []syscall.SysProcIDMap
	span := func(disk, host, size uint32) {
		if size > 0 {
			m = append(m, syscall.SysProcIDMap{ContainerID: int(disk), HostID: int(host), Size: int(size)})
		}
	}
	if login == 0 {
		span(0, 0, firstIDBase)
		span(sharedIDBase, idBase, idRange)
		return m
	}
	below := min(login, firstIDBase)
	span(0, 0, below)
	if login < firstIDBase {
		span(login+1, login+1, firstIDBase-login-1)
	}
	span(login, idBase+loginID, 1)
	span(sharedIDBase, idBase, loginID)
	span(sharedIDBase+loginID+1, idBase+loginID+1, idRange-loginID-1)
	return m
}
