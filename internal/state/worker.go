package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Worker is a process, told from a later one with the same number by when it
// began.
type Worker struct {
	PID   int    `json:"pid"`
	Start string `json:"start"` // field 22 of proc_pid_stat(5)
}

// WorkerOf returns the process of that number.
func WorkerOf(pid int) Worker { return Worker{pid, startOf(pid)} }

func startOf(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The second field is a name in parentheses that may hold anything.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 20 || fields[0][0] == 'Z' { // a zombie does nothing more
		return ""
	}
	return string(fields[19])
}

// Alive reports whether the process still runs.
func (w Worker) Alive() bool { return w.Start != "" && startOf(w.PID) == w.Start }

// workerPatience is longer than a plugin goes on after its host.
const workerPatience = 10 * time.Second

// outlast waits for the workers of the last holder of a lock, whose file f is.
func outlast(f *os.File) error {
	var last Holder
	if json.NewDecoder(f).Decode(&last) != nil {
		return nil // it ended in order, or there was none
	}
	deadline := time.Now().Add(workerPatience)
	for _, w := range last.Workers {
		for ; w.Alive(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				return fmt.Errorf("%q was killed, and its plugin (process %d) is still at work: try again when that has ended, or end it", last.Command, w.PID)
			}
		}
	}
	return nil
}
