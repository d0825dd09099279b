package lxc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/firewall"
)

// Network devices of a user's box. LXC makes the box's namespaces and then, before
// the box's first program begins, calls a hook. That asks the process outside,
// which has the right helper of LXC's to it, setuid root: lxc-user-nic puts a
// device on a bridge that /etc/lxc/lxc-usernet gives the user. The hook then gives
// it its address.

// socketVar names the socket to the hook, and doneVar the file that it makes when
// it has done its work: LXC says that a box runs before that (5.0.2).
const (
	socketVar = "BERTH_LINKS"
	doneVar   = "BERTH_LINKS_DONE"
)

// hookCommand is the hook, on the stage.
var hookCommand = stageBin + "/berth plugin helper lxc net"

// linkServer makes the devices of one box that is about to boot.
type linkServer struct {
	path     string
	dir      string // to be removed; "" when it is another's
	listener net.Listener

	mu  sync.Mutex
	err error
}

// serveLinks waits for the hook.
func serveLinks(ctx context.Context, order bootOrder) (*linkServer, error) {
	s := &linkServer{}
	dir := os.Getenv("PLUGIN_UNIX_SOCKET_DIR") // the host's, private to the user
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "berth-links-*"); err != nil {
			return nil, err
		}
		s.dir = dir
	}
	s.path = filepath.Join(dir, "links"+strconv.Itoa(os.Getpid()))
	l, err := net.Listen("unix", s.path)
	if err != nil {
		if s.dir != "" {
			_ = os.RemoveAll(s.dir)
		}
		return nil, fmt.Errorf("listen for LXC's hook: %w", err)
	}
	s.listener = l
	go s.accept(ctx, order)
	return s, nil
}

func (s *linkServer) accept(ctx context.Context, order bootOrder) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		err = s.serve(ctx, conn, order)
		conn.Close()
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
}

// hookReply is what the hook gets for the number of the box's first process.
type hookReply struct {
	Error string     `json:"error,omitempty"`
	Links []userLink `json:"links"`
}

func (s *linkServer) serve(ctx context.Context, conn net.Conn, order bootOrder) error {
	_ = conn.SetDeadline(time.Now().Add(bootTimeout))
	var pid int
	err := json.NewDecoder(conn).Decode(&pid)
	for i := 0; err == nil && i < len(order.Links); i++ {
		err = makeLink(ctx, store{root: order.Root}, order.ID, pid, order.Links[i])
	}
	reply := hookReply{Links: order.Links}
	if err != nil {
		reply.Error = err.Error()
	}
	return errors.Join(err, json.NewEncoder(conn).Encode(reply))
}

// failed returns why the devices could not be made.
func (s *linkServer) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *linkServer) close() {
	s.listener.Close()
	if s.dir != "" {
		_ = os.RemoveAll(s.dir) // nobody looks there again
	}
}

// makeLink has LXC's helper make a device in the namespaces of process pid.
func makeLink(ctx context.Context, s store, id string, pid int, l userLink) error {
	helper, err := UserNIC()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, helper, "create", s.boxes(), id, strconv.Itoa(pid), "veth", l.Bridge, l.Name)
	if err := runTool(cmd); err != nil {
		return fmt.Errorf("connect the box to the bridge %s: %w%s", l.Bridge, err, fixSetup)
	}
	return nil
}

// UserNIC finds LXC's helper, which is in no $PATH.
func UserNIC() (string, error) {
	for _, pattern := range []string{"/usr/libexec/lxc/lxc-user-nic", "/usr/lib/*/lxc/lxc-user-nic", "/usr/lib/lxc/lxc-user-nic", "/usr/local/libexec/lxc/lxc-user-nic"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0], nil
		}
	}
	return "", errors.New("LXC's helper lxc-user-nic is not installed: it is in the package lxc" + fixSetup)
}

// helpNet is LXC's hook: it has the box's devices made and gives them addresses.
func helpNet() error {
	pid, err := strconv.Atoi(os.Getenv("LXC_PID"))
	if err != nil {
		return errors.New("$LXC_PID is not set: this is a hook that LXC calls")
	}
	conn, err := net.Dial("unix", os.Getenv(socketVar))
	if err != nil {
		return fmt.Errorf("reach berth: %w", err)
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(pid); err != nil {
		return fmt.Errorf("ask berth for network devices: %w", err)
	}
	var reply hookReply
	if err := json.NewDecoder(conn).Decode(&reply); err != nil {
		return fmt.Errorf("ask berth for network devices: %w", err)
	}
	if reply.Error != "" {
		return errors.New(reply.Error)
	}
	err = inNetwork(pid, func() error {
		for _, l := range reply.Links {
			if err := l.configure(); err != nil {
				return fmt.Errorf("set up %s: %w", l.Name, err)
			}
		}
		return keepApart(reply.Links)
	})
	if err != nil {
		return err
	}
	return os.WriteFile(os.Getenv(doneVar), nil, 0o600)
}

// keepApart keeps what comes in by a box's first link, the main one, from being for
// its private networks. It does so in the calling thread's network namespace.
func keepApart(links []userLink) error {
	if len(links) < 2 {
		return nil
	}
	var private []netip.Prefix
	for _, l := range links[1:] {
		private = append(private, l.Addr.Masked())
	}
	return firewall.MakeInBox(links[0].Name, private)
}

// configure sets a device up in the calling thread's network namespace.
func (l userLink) configure() error {
	link, err := netlink.LinkByName(l.Name)
	if err != nil {
		return err
	}
	mac, err := net.ParseMAC(l.MAC)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetHardwareAddr(link, mac); err != nil {
		return fmt.Errorf("set its address %s: %w", l.MAC, err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: l.Addr.Addr().AsSlice(), Mask: net.CIDRMask(l.Addr.Bits(), l.Addr.Addr().BitLen())}}
	if l.Addr.Addr().Is6() {
		addr.Flags = unix.IFA_F_NODAD // nobody else has it
	} else {
		addr.Broadcast = lastOf(l.Addr).AsSlice()
	}
	if err := netlink.AddrAdd(link, addr); err != nil {
		return fmt.Errorf("set its address %s: %w", l.Addr, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	if !l.Gateway.IsValid() {
		return nil
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: l.Gateway.AsSlice()}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("set the default route by %s: %w", l.Gateway, err)
	}
	return nil
}
