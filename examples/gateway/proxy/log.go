package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
)

// Log is a logger that does not wait for what it writes to: lines are collected, and a goroutine writes those that have come
// while it wrote the last. Lines beyond a MiB that wait are dropped, and their number is written. [Log.Close] writes what is left.
type Log struct {
	*slog.Logger
	direct *slog.Logger  // without collecting, for the goroutine
	wake   chan struct{} // capacity 1
	ended  chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	lines   []byte
	dropped int
	closed  bool
}

// mostWaiting is how many bytes may wait.
const mostWaiting = 1 << 20

// NewLog starts a log that is written to w, as JSON or as text.
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

// collector is the io.Writer of the logger. It never fails; after Close it does nothing.
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
			l.wake <- struct{}{} // there is room: the last one was taken before the lines were
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
		_, _ = w.Write(lines) // there is nowhere to say that it failed
		if dropped > 0 {
			l.direct.LogAttrs(context.Background(), slog.LevelWarn, "lines dropped that came faster than they could be written",
				slog.Int("lines", dropped))
		}
		spare = lines
	}
}

// Close writes what is left and ends the log. It may be called once. The error says that not all was written when ctx ended, as when nobody
// reads the other end of a pipe; then the goroutine stays until somebody does.
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
