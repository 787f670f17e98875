package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
)

// Log is a logger that does not wait for the writer. A goroutine writes the lines that have been
// collected during the write before. Beyond one MiB of waiting lines, further lines are dropped,
// and counted in a line of the log. [Log.Close] writes the rest.
type Log struct {
	*slog.Logger
	direct *slog.Logger  // for the goroutine: does not collect
	wake   chan struct{} // capacity 1
	ended  chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	lines   []byte
	dropped int
	closed  bool
}

// mostWaiting is the largest number of bytes that wait.
const mostWaiting = 1 << 20

// NewLog starts a Log that writes to w, as JSON or as text.
func NewLog(w io.Writer, json bool) *Log {
	form := func(w io.Writer) *slog.Logger {
		if json {
			return slog.New(slog.NewJSONHandler(w, nil))
		}
		return slog.New(slog.NewTextHandler(w, nil))
	}
	l := &Log{direct: form(w), wake: make(chan struct{}, 1), ended: make(chan struct{})}
	l.Logger = form(collector{l})
	go l.write(w) // ends with Close
	return l
}

// collector is the io.Writer of the logger. A write never fails, and does nothing after Close.
type collector struct{ *Log }

func (l collector) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
	case len(l.lines)+len(p) > mostWaiting:
		l.dropped++
	default:
		if len(l.lines) == 0 {
			l.wake <- struct{}{} // has room: the goroutine took the last one before it took the lines
		}
		l.lines = append(l.lines, p...)
	}
	return len(p), nil
}

func (l *Log) write(w io.Writer) {
	defer close(l.ended)
	var spare []byte
	for range l.wake {
		l.mu.Lock()
		lines, dropped := l.lines, l.dropped
		l.lines, l.dropped = spare[:0], 0
		l.mu.Unlock()
		_, _ = w.Write(lines) // there is nowhere to report an error
		if dropped > 0 {
			l.direct.LogAttrs(context.Background(), slog.LevelWarn, "lines dropped that came faster than they could be written",
				slog.Int("lines", dropped))
		}
		spare = lines
	}
}

// Close writes the rest, and ends the Log. Call Close once. The error says that ctx ended before
// the rest was written, as when nobody reads the other end of a pipe. The goroutine then stays
// until that write ends.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	close(l.wake)
	l.mu.Unlock()
	select {
	case <-l.ended:
		return nil
	case <-ctx.Done():
		return errors.New("proxy: the end of the log could not be written in time")
	}
}
