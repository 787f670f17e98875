package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// change is a transition of a tenant's breaker.
type change struct {
	at     time.Duration // since the start
	tenant int
	to     breaker.State
}

// watcher notes the changes of the breakers, and draws.
type watcher struct {
	tallies []tally
	start   time.Time
	ended   time.Duration // when watch returned

	mu      sync.Mutex
	changes []change
}

// follow notes each change among the events, and returns when the events end.
func (w *watcher) follow(events iter.Seq[engine.Event]) {
	for e := range events {
		if e.From == e.To {
			continue // not about a breaker
		}
		w.mu.Lock()
		w.changes = append(w.changes, change{e.At.Sub(w.start), numberOf(e.Key), e.To})
		w.mu.Unlock()
	}
}

// watch draws the live line until ctx ends.
func (w *watcher) watch(ctx context.Context, screen *screen) {
	drawing := time.NewTicker(screen.interval)
	defer drawing.Stop()
	for {
		select {
		case <-drawing.C:
			screen.live(w.line())
		case <-ctx.Done():
			w.ended = time.Since(w.start)
			screen.endLive(w.line())
			return
		}
	}
}

// states are the states of the breakers, by tenant.
func (w *watcher) states() []breaker.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	states := make([]breaker.State, len(tenants))
	for _, c := range w.changes {
		states[c.tenant] = c.to
	}
	return states
}

// line has at most 77 columns, so that a terminal of 80 can redraw the line.
func (w *watcher) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%5.1fs", time.Since(w.start).Seconds())
	for i, state := range w.states() {
		fmt.Fprintf(&b, "  %s %c%4s", tenants[i].name, glyph(state), rounded(w.tallies[i].answered()))
	}
	return b.String()
}

// rounded is n in at most four characters.
func rounded(n int) string {
	for _, unit := range []string{"", "k", "M"} {
		if text := fmt.Sprint(n, unit); len(text) <= 4 {
			return text
		}
		n /= 1000
	}
	return "many"
}

// screen is the program's output.
type screen struct {
	out      io.Writer
	interval time.Duration // between two live lines
	redraw   bool
	color    bool
	drawn    time.Time // the last live line
}

// newScreen returns a screen on out. If out is a terminal, the live line is redrawn, in colour
// unless NO_COLOR is set (no-color.org).
func newScreen(out io.Writer) *screen {
	s := &screen{out: out, interval: time.Second}
	file, ok := out.(*os.File)
	if !ok {
		return s
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return s
	}
	s.redraw, s.interval = true, 100*time.Millisecond
	term := os.Getenv("TERM")
	s.color = os.Getenv("NO_COLOR") == "" && term != "" && term != "dumb"
	return s
}

// print writes text.
func (s *screen) print(text string) { _, _ = io.WriteString(s.out, s.paint(text)) }

// live writes line, over the line before if the screen can redraw.
func (s *screen) live(line string) {
	s.drawn = time.Now()
	if !s.redraw {
		s.print(line + "\n")
		return
	}
	s.print("\r" + line + "  ") // the spaces are for the ^C that a terminal shows
}

// endLive writes the last line, unless a line that stays has just been written.
func (s *screen) endLive(line string) {
	if s.redraw {
		s.live(line)
		s.print("\n")
	} else if time.Since(s.drawn) > s.interval/2 {
		s.live(line)
	}
}

var (
	openRun     = regexp.MustCompile("█+")
	halfOpenRun = regexp.MustCompile("▒+")
)

// paint colours the glyphs of open breakers red and the glyphs of half-open breakers yellow.
func (s *screen) paint(text string) string {
	if !s.color {
		return text
	}
	text = openRun.ReplaceAllString(text, "\x1b[31m$0\x1b[0m")
	return halfOpenRun.ReplaceAllString(text, "\x1b[33m$0\x1b[0m")
}
