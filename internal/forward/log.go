package forward

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// maxLog is how large the log grows before it begins anew.
const maxLog = 256 << 10

// logFile is the forwarder's log. Its file is opened for appending, and also its
// standard error, so that what a crash says gets there.
type logFile struct {
	mu   sync.Mutex
	file *os.File // nil: nothing is logged
}

func (l *logFile) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return
	}
	if st, err := l.file.Stat(); err == nil && st.Size() > maxLog {
		_ = l.file.Truncate(0) // a log that cannot be written is no reason to stop
	}
	fmt.Fprintf(l.file, "%s %s\n", time.Now().Format(time.RFC3339), fmt.Sprintf(format, args...))
}
