package forward

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Holder is a process that has a port.
type Holder struct {
	PID  int
	Name string
}

// findHolder looks for the process that has a port, as far as this user may see
// (proc(5): /proc/net/tcp, /proc/PID/fd). It is the zero Holder when none is found.
func findHolder(protocol string, at netip.AddrPort) Holder {
	inodes := map[string]bool{}
	for _, table := range []string{protocol, protocol + "6"} {
		listening(table, func(l listener) {
			ip := l.at.Addr().Unmap()
			if l.at.Port() == at.Port() && (ip == at.Addr().Unmap() || ip.IsUnspecified() || at.Addr().IsUnspecified()) {
				inodes["socket:["+l.inode+"]"] = true
			}
		})
	}
	if len(inodes) == 0 {
		return Holder{}
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/fd")
	for _, dir := range processes {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if link, err := os.Readlink(filepath.Join(dir, e.Name())); err != nil || !inodes[link] {
				continue
			}
			process := filepath.Dir(dir)
			pid, _ := strconv.Atoi(filepath.Base(process))
			name, _ := os.ReadFile(filepath.Join(process, "comm"))
			return Holder{PID: pid, Name: strings.TrimSpace(string(name))}
		}
	}
	return Holder{}
}

// listener is a socket that waits for connections or packets.
type listener struct {
	at    netip.AddrPort
	inode string
}

// listening calls found for each such socket of a table of /proc/net.
func listening(table string, found func(listener)) {
	f, err := os.Open("/proc/net/" + table)
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		const inode = 9
		if len(fields) <= inode {
			continue
		}
		// TCP_LISTEN is 0A; a UDP socket that is not connected is 07.
		if state := fields[3]; state != "0A" && (state != "07" || !strings.HasPrefix(table, "udp")) {
			continue
		}
		if at, ok := parseProcAddr(fields[1]); ok {
			found(listener{at, fields[inode]})
		}
	}
}

// parseProcAddr reads "0100007F:1F90". The kernel writes an address as 32-bit
// words in the host's byte order.
func parseProcAddr(s string) (netip.AddrPort, bool) {
	ip, p, ok := strings.Cut(s, ":")
	raw, err := hex.DecodeString(ip)
	n, err2 := strconv.ParseUint(p, 16, 16)
	if !ok || err != nil || err2 != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(n)), ok
}
