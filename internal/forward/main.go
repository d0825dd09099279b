package forward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Main is the forwarder's process. It returns when the forwarder is asked to end
// or its box is gone, with the status to exit with.
func Main() int {
	// What it logs itself and what the runtime says of a crash go to the same file.
	log := &logFile{file: os.Stderr}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	signal.Ignore(unix.SIGHUP, unix.SIGPIPE)
	if err := run(ctx, log); err != nil && !errors.Is(err, context.Canceled) {
		log.printf("ended: %v", err)
		return 1
	}
	log.printf("ended as asked")
	return 0
}

func run(ctx context.Context, log *logFile) error {
	unix.CloseOnExec(lockFD)
	unix.CloseOnExec(newsFD)
	news := os.NewFile(newsFD, "news")
	var cfg Config
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := json.Unmarshal(text, &cfg); err != nil { // whoever started it has died
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := detach(); err != nil {
		return err
	}
	var sockets []*os.File
	for _, r := range cfg.Rules {
		if !r.Reverse {
			fd := firstFD + len(sockets)
			unix.CloseOnExec(fd)
			sockets = append(sockets, os.NewFile(uintptr(fd), r.Host))
		}
	}
	return serve(ctx, cfg, sockets, news, log)
}

// detach lets go of standard input, and names the process, whose file is
// /proc/self/exe, for ps.
func detach() error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	_ = os.WriteFile("/proc/self/comm", []byte("berth"), 0) // only for people
	return unix.Dup3(int(null.Fd()), 0, 0)
}
