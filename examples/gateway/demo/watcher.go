package demo

import (
	"context"
	"fmt"
	"time"
)

const (
	closed   = "closed"
	open     = "open"
	halfOpen = "half-open"
)

// change is a transition of a route's breaker.
type change struct {
	at    time.Duration // since the start
	route int
	to    string
}

// watcher follows the breakers by asking the gateway every few milliseconds, and draws.
type watcher struct {
	script    script
	gateway   *Gateway
	upstreams *upstreams
	record    *record
	start     time.Time

	seen    []Route // when last asked, by route
	changes []change

	reformed *reformed // nil before the reform
}

// pace is the time between two looks.
const pace = 5 * time.Millisecond

// begin asks the gateway for the first time. Call begin before watch.
func (w *watcher) begin() {
	w.seen = make([]Route, len(w.script.routes))
	w.look()
}

// watch follows and draws until ctx ends, and then removes the block from the screen. watch also
// makes the reform; an error of the reform ends watch early.
func (w *watcher) watch(ctx context.Context, screen *screen) error {
	looking := time.NewTicker(pace)
	defer looking.Stop()
	drawing := time.NewTicker(screen.interval)
	defer drawing.Stop()
	defer screen.erase()
	if !screen.live {
		screen.print(w.script.heading())
	}
	for {
		select {
		case <-looking.C:
			w.look()
			if made, err := w.reform(); err != nil {
				return err
			} else if made && !screen.live {
				screen.print(w.story().announcement())
			}
		case <-drawing.C:
			told := w.story()
			if screen.live {
				screen.draw(told.frame(screen.ink))
			} else {
				screen.print(told.line())
			}
		case <-ctx.Done():
			w.look()
			return nil
		}
	}
}

// reform makes the reform when the time has come and a request is under way, and reports whether
// the reform has been made now.
func (w *watcher) reform() (made bool, err error) {
	from := time.Since(w.start)
	if w.reformed != nil || from < w.script.reform.at {
		return false, nil
	}
	running := w.record.running()
	if running == 0 {
		return false, nil
	}
	if err := w.gateway.Reload(w.upstreams.config(true)); err != nil {
		return false, fmt.Errorf("changing a limit of the gateway: %w", err)
	}
	w.reformed = &reformed{from, time.Since(w.start), running}
	return true, nil
}

// look asks the gateway once.
func (w *watcher) look() {
	at := time.Since(w.start)
	for _, now := range w.gateway.Status() {
		for i, r := range w.script.routes {
			if r.name == now.Name {
				w.changes = append(w.changes, between(w.seen[i], now, i, at)...)
				w.seen[i] = now
			}
		}
	}
}

// between returns the transitions that the breaker of a route must have made from one look to the
// next, at the given time.
func between(before, now Route, route int, at time.Duration) []change {
	was, is := before.state(), now.state()
	switch {
	case is == was && (is != open || now.OpenFor <= before.OpenFor):
		return nil
	case was == open && is != halfOpen:
		return []change{{at, route, halfOpen}, {at, route, is}} // a probe has come and gone
	case was == closed && is == halfOpen:
		return []change{{at, route, open}, {at, route, is}} // the recovery time has passed meanwhile
	default:
		return []change{{at, route, is}}
	}
}

// story is the story until now.
func (w *watcher) story() *story {
	s := &story{
		script:  w.script,
		at:      min(time.Since(w.start), w.script.length),
		status:  w.seen,
		changes: w.changes,

		reformed: w.reformed,
	}
	s.begun, s.answers = w.record.read(len(w.script.routes))
	for _, u := range w.upstreams.servers {
		s.tried = append(s.tried, int(u.seen.Load()))
		s.triedIll = append(s.triedIll, int(u.seenIll.Load()))
	}
	return s
}
