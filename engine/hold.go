package engine

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// Hold is for work that goes on when the function of a call has returned, such as an answer that is
// still to be read. A Hold keeps the place of the call (Config.Concurrency), in a [Chain] a place of
// each key. A Hold keeps the context of the call as well: a time limit (Config.Timeout,
// AttemptTimeout) bounds the work until Release, and Release ends the context. If the caller's
// deadline comes before the limit, then the context is the caller's, and Release does not end it.
//
// The function gives a Hold to the engine with [Verdict.Keep]. A Hold that is never released keeps
// its place for ever. The zero Hold is ready to be used, for one call.
type Hold struct {
	released atomic.Bool
	contents atomic.Pointer[holding]
}

// holding is the contents of a Hold.
type holding struct {
	places []held
	end    context.CancelFunc // of the context; nil without a time limit
}

// Release gives the place back and ends the context, also before the function has returned. Any goroutine may call
// Release; only the first call counts.
func (h *Hold) Release() {
	h.released.Store(true)
	h.swap(nil)
}

// swap has h hold next, and gives back the contents before.
func (h *Hold) swap(next *holding) {
	before := h.contents.Swap(next)
	if before == nil {
		return
	}
	for _, p := range before.places {
		p.eng.counters.Held.Add(-1)
		p.eng.leavePlace(p.cell)
	}
	if before.end != nil {
		before.end()
	}
}

// take has h take next over.
func (h *Hold) take(next *holding) {
	for _, p := range next.places {
		p.eng.counters.Held.Add(1)
	}
	h.swap(next)
	if h.released.Load() {
		h.Release()
	}
}

// keeper returns err if it is a Verdict that asks for a Hold, or nil.
func keeper(err error) *Verdict {
	if v, ok := err.(*Verdict); ok && v.Keep != nil { //nolint:errorlint // as in advised
		return v
	}
	return nil
}

// last reports whether no attempt can follow the one that ended with v, by the retry policy of e, which may be nil.
func (v *Verdict) last(e *Engine) bool { return e == nil || v.Final || v.Err == nil }

// keep has the Hold that err asks for, if any, take over the context and the places of the call. An end is judged
// before: a Hold that has been released ends the context.
func (c *call) keep(err error) {
	v := keeper(err)
	if v == nil {
		return
	}
	e, _ := retrierOf(c.links)
	last := c.details || v.last(e) // a ticket is not tried again
	next := &holding{end: c.limits.kept()}
	for i := range c.got {
		if s := &c.got[i]; s.placed && last {
			s.placed, c.kept = false, true
			next.places = append(next.places, held{c.links[i].eng, s.cell})
		}
	}
	v.Keep.take(next)
}

// keepOne is keep for a call for one key that has a place and no time limit.
func (e *Engine) keepOne(err error, a *admission) {
	if v := keeper(err); v != nil && (a.detailed || e.settings.Load().retry == nil || v.last(e)) {
		a.placed = false
		v.Keep.take(&holding{places: []held{{e, a.cell}}})
	}
}

// lost lives as long as a ticket that has places.
type lost struct {
	end runtime.Cleanup
	_   *lost // objects without pointers may be collected late
}

// held is a place that a ticket has.
type held struct {
	eng  *Engine
	cell *guard.Cell
}

// keepPlaces has the places of a ticket come back if it is collected before Done. Without places the result is nil.
func keepPlaces(e *Engine, a *admission, call *call) *lost {
	places := placesOf(e, a, call)
	if places == nil {
		return nil
	}
	l := new(lost)
	l.end = runtime.AddCleanup(l, func(places []held) {
		go giveBackLost(places) // a mailbox may be full; ends when the actors have been told
	}, places)
	return l
}

// placesOf returns the places that a ticket has: those of call or, if call is nil, that of a.
func placesOf(e *Engine, a *admission, call *call) (places []held) {
	switch {
	case call != nil:
		for i := range call.got {
			if s := &call.got[i]; s.placed {
				places = append(places, held{call.links[i].eng, s.cell})
			}
		}
	case a.placed:
		places = []held{{e, a.cell}}
	}
	return places
}

// giveBackLost gives back the places of a ticket that was collected before Done.
func giveBackLost(places []held) {
	if guard.Planted("a place that a lost ticket keeps") {
		return
	}
	for _, p := range places {
		p.eng.counters.Stripe().Ignored.Add(1)
		p.eng.leavePlace(p.cell)
	}
}

// done says that the ticket has ended. l may be nil.
func (l *lost) done() {
	if l != nil {
		l.end.Stop()
		runtime.KeepAlive(l)
	}
}
