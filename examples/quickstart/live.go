package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
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

// watcher follows the breakers by looking every few milliseconds. A look does not count as use of a
// key.
type watcher struct {
	eng     *engine.Engine
	tallies []tally
	start   time.Time

	changes []change
	seen    []look        // by tenant
	ended   time.Duration // when watch returned
}

// look is the state of a breaker at one look.
type look struct {
	state   breaker.State
	openFor time.Duration
}

// watch follows the breakers and draws the live line until ctx ends.
func (w *watcher) watch(ctx context.Context, screen *screen) {
	looking := time.NewTicker(2 * time.Millisecond)
	defer looking.Stop()
	drawing := time.NewTicker(screen.interval)
	defer drawing.Stop()
	for {
		select {
		case <-looking.C:
			w.look()
		case <-drawing.C:
			screen.live(w.line())
		case <-ctx.Done():
			w.look()
			w.ended = time.Since(w.start)
			screen.endLive(w.line())
			return
		}
	}
}

func (w *watcher) look() {
	for i, t := range tenants {
		s, ok := w.eng.Inspect(t.name)
		if !ok {
			continue // the tenant has not called yet
		}
		w.changes = append(w.changes, w.seen[i].next(i, look{s.Breaker, s.OpenFor}, time.Since(w.start))...)
	}
}

// next replaces l by now, and returns the transitions that must have happened in between.
func (l *look) next(tenant int, now look, at time.Duration) []change {
	before := *l
	*l = now
	switch {
	case now.state == breaker.Closed && before.state == breaker.Open:
		// A probe has succeeded between two looks.
		return []change{{at, tenant, breaker.HalfOpen}, {at, tenant, breaker.Closed}}
	case now.state != before.state:
		return []change{{at, tenant, now.state}}
	case now.state == breaker.Open && now.openFor > before.openFor:
		// A probe has failed between two looks.
		return []change{{at, tenant, breaker.HalfOpen}, {at, tenant, breaker.Open}}
	default:
		return nil
	}
}

// line has at most 77 columns, so that a terminal of 80 can redraw the line.
func (w *watcher) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%5.1fs", time.Since(w.start).Seconds())
	for i, t := range tenants {
		fmt.Fprintf(&b, "  %s %c%4s", t.name, glyph(w.seen[i].state), rounded(w.tallies[i].answered()))
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
