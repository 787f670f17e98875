package demo

import (
	"context"
	"slices"
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

	first   []Route // when first asked, by route
	seen    []Route // when last asked
	changes []change
	waits   []wait
}

// pace is the time between two looks.
const pace = 5 * time.Millisecond

// wait is by how much a look was late: what the machine alone does to all that is measured here.
type wait struct{ at, late time.Duration }

// begin takes down what the gateway has counted so far. It comes before watch.
func (w *watcher) begin() {
	w.seen = make([]Route, len(w.script.routes))
	w.look()
	w.first = slices.Clone(w.seen)
}

// watch follows and draws until ctx ends. Then nothing is left on the screen of what was redrawn.
func (w *watcher) watch(ctx context.Context, screen *screen) {
	looking := time.NewTicker(pace)
	defer looking.Stop()
	drawing := time.NewTicker(screen.interval)
	defer drawing.Stop()
	defer screen.erase()
	last := time.Now()
	for {
		select {
		case <-looking.C:
			now := time.Now()
			w.waits = append(w.waits, wait{now.Sub(w.start), max(0, now.Sub(last)-pace)})
			last = now
			w.look()
		case <-drawing.C:
			told := w.story()
			if screen.live {
				screen.draw(told.frame(screen.ink))
			} else {
				screen.print(told.line())
			}
		case <-ctx.Done():
			w.look()
			return
		}
	}
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

// between is what must have happened to the breaker of a route from one look to the next, which was at the given time.
func between(before, now Route, route int, at time.Duration) []change {
	was, is := before.state(), now.state()
	switch {
	case is == was && (is != open || now.OpenFor <= before.OpenFor):
		return nil
	case was == open && is != halfOpen:
		return []change{{at, route, halfOpen}, {at, route, is}} // a probe has come and gone
	case was == closed && is == halfOpen:
		return []change{{at, route, open}, {at, route, is}} // its recovery time has passed meanwhile
	default:
		return []change{{at, route, is}}
	}
}

// story is all that is known by now.
func (w *watcher) story() *story {
	s := &story{
		script:  w.script,
		at:      min(time.Since(w.start), w.script.length),
		status:  w.seen,
		changes: w.changes,
		waits:   w.waits,
	}
	for i, now := range w.seen {
		was := w.first[i]
		s.counted.Requests += now.Requests - was.Requests
		s.counted.Limited += now.Limited - was.Limited
		s.counted.Unavailable += now.Unavailable - was.Unavailable
		s.counted.Failed += now.Failed - was.Failed
	}
	s.begun, s.answers = w.record.read(len(w.script.routes))
	for _, u := range w.upstreams.servers {
		s.tried = append(s.tried, int(u.seen.Load()))
		s.triedIll = append(s.triedIll, int(u.seenIll.Load()))
	}
	return s
}
