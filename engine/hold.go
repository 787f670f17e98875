package engine

import (
	"runtime"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// Hold is the place of a call (Config.Concurrency) that outlasts the function of the call: for work that goes on when
// the function has returned, such as an answer that is still to be read. The function gives a Hold to the engine with
// [Verdict.Keep]. In a [Chain] it holds a place of each key. A Hold that is never released keeps its place for ever.
// The zero Hold is ready to be used, for one call.
type Hold struct {
	released atomic.Bool
	places   atomic.Pointer[[]held]
}

// Release gives the place back, also before the function has returned. Any goroutine may call Release; only the
// first call counts.
func (h *Hold) Release() {
	h.released.Store(true)
	h.swap(nil)
}

// swap has h hold other places, and gives back those before.
func (h *Hold) swap(places *[]held) {
	if before := h.places.Swap(places); before != nil {
		for _, p := range *before {
			p.eng.counters.Held.Add(-1)
			p.eng.leavePlace(p.cell)
		}
	}
}

// keep has the Hold that err asks for, if any, take the places that calls of the engines of links have in got.
func keep(err error, links []link, got []share) {
	v, ok := err.(*Verdict) //nolint:errorlint // as in advised
	if !ok || v.Keep == nil {
		return
	}
	var places []held
	for i := range got {
		if s := &got[i]; s.placed {
			s.placed = false
			places = append(places, held{links[i].eng, s.cell})
		}
	}
	v.Keep.take(places)
}

// keepOne is keep for a call for one key.
func (e *Engine) keepOne(err error, a *admission) {
	if v, ok := err.(*Verdict); ok && v.Keep != nil && a.placed { //nolint:errorlint // as in advised
		a.placed = false
		v.Keep.take([]held{{e, a.cell}})
	}
}

// take takes the places over.
func (h *Hold) take(places []held) {
	for _, p := range places {
		p.eng.counters.Held.Add(1)
	}
	h.swap(&places)
	if h.released.Load() {
		h.Release()
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
	var places []held
	if call == nil && a.placed {
		places = []held{{e, a.cell}}
	}
	if call != nil {
		for i := range call.got {
			if s := &call.got[i]; s.placed {
				places = append(places, held{call.links[i].eng, s.cell})
			}
		}
	}
	if places == nil {
		return nil
	}
	l := new(lost)
	l.end = runtime.AddCleanup(l, func(places []held) {
		go func() { // a mailbox may be full; ends when the actors have been told
			for _, p := range places {
				p.eng.counters.Stripe().Ignored.Add(1)
				p.eng.leavePlace(p.cell)
			}
		}()
	}, places)
	return l
}

// done says that the ticket has ended. l may be nil.
func (l *lost) done() {
	if l != nil {
		l.end.Stop()
		runtime.KeepAlive(l)
	}
}
