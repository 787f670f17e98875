package demo

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
)

const (
	closed   = "closed"
	open     = "open"
	halfOpen = "half-open"
)

// change is a change in the state of a route's breaker. Times are since the start.
type change struct {
	at    time.Duration
	route int
	to    string
	until time.Duration // when an open breaker admits a probe; else 0
}

// watcher notes the changes of the breakers, makes the reform, and draws.
type watcher struct {
	script    script
	gateway   *Gateway
	upstreams *upstreams
	record    *record
	start     time.Time
	ended     time.Duration // when watch has returned; 0 before

	reformed *reformed // nil before the reform

	mu      sync.Mutex
	changes []change
}

// pace is the time between two looks for a request that is under way.
const pace = 5 * time.Millisecond

// follow notes changes until there are no more.
func (w *watcher) follow(changes iter.Seq[Change]) {
	for c := range changes {
		i := slices.IndexFunc(w.script.routes, func(r route) bool { return r.name == c.Route })
		if i < 0 {
			continue
		}
		noted := change{at: c.At.Sub(w.start), route: i, to: c.State}
		if c.State == open {
			noted.until = c.Until.Sub(w.start)
		}
		w.mu.Lock()
		w.changes = append(w.changes, noted)
		w.mu.Unlock()
	}
}

// watch makes the reform and draws until ctx ends, and then removes the block from the screen. An
// error of the reform ends watch early.
func (w *watcher) watch(ctx context.Context, screen *screen) error {
	reforming := time.NewTimer(time.Until(w.start.Add(w.script.reform.at)))
	defer reforming.Stop()
	drawing := time.NewTicker(screen.interval)
	defer drawing.Stop()
	defer screen.erase()
	if !screen.live {
		screen.print(w.script.heading())
	}
	for {
		select {
		case <-reforming.C:
			if err := w.reform(); err != nil {
				return err
			}
			if w.reformed == nil {
				reforming.Reset(pace)
			} else if !screen.live {
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
			w.ended = time.Since(w.start)
			return nil
		}
	}
}

// reform makes the reform if a request is under way.
func (w *watcher) reform() error {
	from, running := time.Since(w.start), w.record.running()
	if running == 0 {
		return nil
	}
	if err := w.gateway.Reload(w.upstreams.config(true)); err != nil {
		return fmt.Errorf("changing a limit of the gateway: %w", err)
	}
	w.reformed = &reformed{from, time.Since(w.start), running}
	return nil
}

// story is the story until now, or until the end of watch.
func (w *watcher) story() *story {
	at := w.ended
	if at == 0 {
		at = time.Since(w.start)
	}
	s := &story{script: w.script, at: min(at, w.script.length), reformed: w.reformed}
	w.mu.Lock()
	s.changes = slices.Clone(w.changes)
	w.mu.Unlock()
	s.begun, s.answers = w.record.read(len(w.script.routes))
	for _, u := range w.upstreams.servers {
		s.tried = append(s.tried, int(u.seen.Load()))
		s.triedIll = append(s.triedIll, int(u.seenIll.Load()))
	}
	return s
}
