package forward

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/sshdtest"
)

// TestMain lets the test be a forwarder, as berth is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == Command {
		os.Exit(Main())
	}
	os.Exit(m.Run())
}

// launch starts a forwarder as a process.
func launch(t *testing.T, b *box, dir Dir, rules ...Rule) *Running {
	t.Helper()
	var sockets []*Socket
	for i := range rules {
		s := must(Bind(rules[i], nil))
		defer s.Close()
		rules[i] = s.Rule
		sockets = append(sockets, s)
	}
	if err := dir.SavePlan(&Plan{Rules: rules}); err != nil {
		t.Fatal(err)
	}
	r, err := Start(Config{Box: "box", Dir: dir, Target: b.host, Rules: rules}, sockets)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		if err := dir.Stop(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	if problems, err := r.Ready(t.Context()); err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	return r
}

func (d Dir) mustBe(t *testing.T, want State, ports int) {
	t.Helper()
	got, state, err := d.Ports()
	if err != nil || state != want || len(got) != ports {
		t.Errorf("%d ports are %s, not %d and %s: %v", len(got), state, ports, want, err)
	}
}

func TestProcess(t *testing.T) {
	b := newBox(t)
	dir := Dir(t.TempDir())
	dir.mustBe(t, Down, 0)
	direct := echo(t, "tcp4", "127.0.0.1:0")
	rule := Rule{Name: "direct", Protocol: "tcp", Guest: portOf(direct), Want: sshdtest.FreeAddr(t)}
	r := launch(t, b, dir, rule)
	dir.mustBe(t, Up, 1)
	wantTalk(t, "tcp", rule.Want)
	if _, err := Start(Config{Dir: dir}, nil); err == nil || !strings.Contains(err.Error(), "there is one already") {
		t.Errorf("a second one: %v", err)
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(dir.PID()) + "/stat")
	if fields := strings.Fields(string(stat)); err != nil || fields[1] != "(berth)" || fields[5] != fields[0] {
		t.Errorf("its name, number and session: %.60s, %v", stat, err)
	}
	args, _ := os.ReadFile("/proc/" + strconv.Itoa(dir.PID()) + "/cmdline")
	if string(args) != "berth\x00forwarder\x00box\x00" {
		t.Errorf("arguments %q", args)
	}

	// Killed, it holds nothing; another one can begin.
	if err := unix.Kill(dir.PID(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-r.ended
	dir.mustBe(t, Down, 1)
	launch(t, b, dir, rule)
	wantTalk(t, "tcp", rule.Want)
	begin := time.Now()
	if err := dir.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > endTime-time.Second/2 { // else it was killed; the race detector sleeps for a second
		t.Errorf("it took %s to end", took)
	}
	if l, err := net.Listen("tcp", rule.Want); err != nil {
		t.Errorf("ended, it still holds its port: %v", err)
	} else {
		l.Close()
	}
	if err := dir.Ended(true); err != nil {
		t.Error(err)
	}
	dir.mustBe(t, Halted, 1)
	if err := dir.Clear(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(string(dir)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// What cannot be read keeps nobody from halting or destroying the box.
func TestDamaged(t *testing.T) {
	for _, end := range []func(Dir) error{Dir.Clear, func(d Dir) error { return d.Ended(true) }} {
		dir := Dir(t.TempDir())
		if err := os.WriteFile(dir.plan(), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := dir.Ports(); err == nil || !strings.Contains(err.Error(), "forwards.json is damaged") {
			t.Errorf("ports: %v", err)
		}
		if err := end(dir); err != nil {
			t.Error(err)
		}
		dir.mustBe(t, Down, 0)
	}
}

// One that hangs is killed.
func TestStopKills(t *testing.T) {
	b := newBox(t)
	dir := Dir(t.TempDir())
	r := launch(t, b, dir)
	if err := unix.Kill(dir.PID(), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := dir.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-r.ended
}

// The number of a dead forwarder may be a stranger's by now.
func TestStopSparesStrangers(t *testing.T) {
	stranger := exec.Command("sleep", "60")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stranger.Process.Kill(); stranger.Wait() })
	dir := Dir(t.TempDir())
	if err := os.WriteFile(dir.lock(), []byte(strconv.Itoa(stranger.Process.Pid)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := dir.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	var status unix.WaitStatus
	if pid, err := unix.Wait4(stranger.Process.Pid, &status, unix.WNOHANG, nil); pid != 0 || err != nil {
		t.Errorf("the stranger ended: %v, %v", status, err)
	}
	if pid := dir.PID(); pid != 0 {
		t.Errorf("it counts as alive: %d", pid)
	}
}

// A forwarder whose starter dies before it has said everything ends by itself.
func TestHalfStarted(t *testing.T) {
	dir := Dir(t.TempDir())
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"berth", Command, "box"}
	cmd.Stdin = strings.NewReader(`{"Box": "bo`)
	var log strings.Builder
	cmd.Stdout = &log
	lock := must(dir.takeLock())
	news := must(os.Open(os.DevNull))
	defer news.Close()
	cmd.ExtraFiles = []*os.File{lock, news}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lock.Close()
	if err := cmd.Wait(); err == nil {
		t.Error("it ended well")
	}
	if alive, err := dir.Alive(); alive || err != nil {
		t.Errorf("alive: %v, %v", alive, err)
	}
}

func TestBind(t *testing.T) {
	taken := must(net.Listen("tcp4", "127.0.0.1:0")).(*net.TCPListener)
	defer taken.Close()
	at := taken.Addr().String()
	p := taken.Addr().(*net.TCPAddr).Port
	_, err := Bind(Rule{Protocol: "tcp", Want: at}, nil)
	if e, ok := err.(*TakenError); !ok || e.End != at || e.Holder.PID != os.Getpid() {
		t.Errorf("taken: %v", err)
	}
	_, err = Bind(Rule{Protocol: "tcp", Want: "0.0.0.0:" + strconv.Itoa(p)}, nil)
	if e, ok := err.(*TakenError); !ok || e.Holder.PID != os.Getpid() {
		t.Errorf("taken on one address: %v", err)
	}
	s, err := Bind(Rule{Protocol: "udp", Want: at}, nil)
	if err != nil {
		t.Errorf("the same port of the other protocol: %v", err)
	} else {
		s.Close()
	}
	if _, err := Bind(Rule{Protocol: "tcp", Want: "192.0.2.1:0", Range: Range{p, p}}, nil); err == nil ||
		!strings.Contains(err.Error(), "the host has no address 192.0.2.1") {
		t.Errorf("an address of nobody: %v", err)
	}
	// A chosen port is the one it had, else the lowest that is not to be avoided.
	free := must(net.ResolveTCPAddr("tcp", sshdtest.FreeAddr(t))).Port
	r := Rule{Protocol: "tcp", Want: "127.0.0.1:0", Host: "127.0.0.1:" + strconv.Itoa(free), Range: Range{p, p + 5}}
	s = must(Bind(r, nil))
	if s.Rule.Host != r.Host {
		t.Errorf("got %s, had %s", s.Rule.Host, r.Host)
	}
	s.Close()
	r.Host = ""
	s = must(Bind(r, map[int]bool{p + 1: true}))
	if got := port(s.Rule.Host); got <= p+1 || got > p+5 {
		t.Errorf("got %d of %d to %d", got, p, p+5)
	}
	s.Close()
	r.Want, r.AutoCorrect = at, true
	s = must(Bind(r, nil))
	if s.Instead == nil || s.Rule.Host == at {
		t.Errorf("corrected: %+v", s)
	}
	s.Close()
}

func TestBindPath(t *testing.T) {
	dir := t.TempDir()
	path := dir + "/s"
	s := must(Bind(Rule{Protocol: "tcp", Want: path}, nil))
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", st.Mode(), err)
	}
	if os.Geteuid() == 0 {
		if err := s.Chown(1234, 1234); err != nil {
			t.Error(err)
		}
		if owner := must(os.Stat(path)).Sys().(*syscall.Stat_t).Uid; owner != 1234 {
			t.Errorf("owner %d", owner)
		}
	}
	if _, err := Bind(Rule{Protocol: "tcp", Want: path}, nil); err == nil || err.Error() != path+" is taken by another program" {
		t.Errorf("taken: %v", err)
	}
	if err := RemovePath(path); err != nil || CheckPath(path) == nil {
		t.Errorf("a socket in use was removed: %v", err)
	}
	s.Close() // as if its forwarder had been killed
	must(Bind(Rule{Protocol: "tcp", Want: path}, nil)).Close()
	if err := RemovePath(path); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("a dead socket is left")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Chown(os.Getuid(), os.Getgid()); err == nil {
		t.Error("a file that is no socket was given away")
	}
	for _, p := range []string{path, dir + "/none/s"} {
		if _, err := Bind(Rule{Protocol: "tcp", Want: p}, nil); err == nil {
			t.Errorf("%s was bound", p)
		} else {
			t.Log(err)
		}
	}
	if err := RemovePath(path); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error("a file that is no socket was removed")
	}
}
