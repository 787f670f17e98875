package guard

import (
	"errors"
	"sync"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
)

// EventKind is the subject of an Event.
type EventKind uint8

// The kinds.
const (
	Tripped EventKind = iota + 1
	Probing
	Recovered
	Forced
	Reconfigured
	SketchFull
	Restarted
	StoreDown
	StoreUp
)

// Event is an entry of [Events].
type Event struct {
	At, Until int64 // instants
	Key       string
	Kind      EventKind
	From, To  breaker.State

	cause error // of a failure: the error of the call; else the reason
	blame blame // if the end of a call was the cause
}

// Reason returns the reason of the event, or nil. It is made when it is asked for.
func (e *Event) Reason() error {
	if e.blame.policy != nil {
		return &tripError{e.blame, e.cause}
	}
	return e.cause
}

// EventsKept is how many events a reader may be behind.
const EventsKept = 4096

// Events is the ring of an engine's last events. They are numbered from 1 on. Adding an event waits for no
// reader, except while the reader copies a few events: each method holds the lock for less than a
// microsecond or so.
type Events struct {
	mu   sync.Mutex
	kept []Event // event n at (n-1) modulo EventsKept
	last uint64
	more chan struct{} // closed when an event comes; nil while nobody waits
}

// Add puts e into the ring.
func (r *Events) Add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := int(r.last % EventsKept); at < len(r.kept) { //nolint:gosec // below EventsKept
		r.kept[at] = e
	} else {
		r.kept = append(r.kept, e)
	}
	r.last++
	if r.more != nil {
		close(r.more)
		r.more = nil
	}
}

// Last returns the number of the last event; 0 if there was none.
func (r *Events) Last() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// Read copies the events from number next on into room. If earlier ones than those that are kept are asked
// for, Read begins with the first that is kept. first is the number of the first copied event. If there is
// none, more is closed when one comes.
func (r *Events) Read(next uint64, room []Event) (first uint64, n int, more <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first = max(next, r.last+1-uint64(len(r.kept)))
	for at := first; at <= r.last && n < len(room); at++ {
		room[n] = r.kept[(at-1)%EventsKept]
		n++
	}
	if n == 0 {
		if r.more == nil {
			r.more = make(chan struct{})
		}
		more = r.more
	}
	return first, n, more
}

// Causes of events other than calls.
var (
	errReset     = errors.New("the key was reset")
	errForgotten = errors.New("the key was forgotten")
	errSwitched  = errors.New("the breaker was switched off or on")
	errAbandoned = errors.New("no probe came for a long time")
	errSpilled   = errors.New("the breaker was open when the key was last forgotten")
	errFull      = errors.New("more than half of the sketch holds debts of spilled keys: MaxKeys is too small, or a client makes keys up")
	errLease     = errors.New("a probe did not end within ProbeTimeout")
	errUnforced  = errors.New("the forced state was ended by hand")
	errLapsed    = errors.New("the time of the forced state is over")
)

// moved counts that the breaker of s has changed its state, and makes that known. m is the message of the turn, or nil.
func (b *Behavior) moved(now int64, s *State, m *Message, was, is *Notice) {
	if was.forced != is.forced {
		b.movedByHand(now, s, m, was, is)
		return
	}
	if was.state == is.state {
		return
	}
	b.Counters.moved(was.state, is.state)
	e := Event{At: now, Key: s.key, From: was.state, To: is.state}
	report := m != nil && m.Kind == Report
	switch is.state {
	case breaker.Open:
		e.Kind, e.Until = Tripped, s.circuit.OpenUntil()
		switch {
		case report && m.Request != nil:
			e.blame, e.cause = blameOf(m, is.policy), m.Request.Cause
		case was.state == breaker.Closed:
			e.cause = errSpilled
		default:
			e.cause = errLease
		}
	case breaker.HalfOpen:
		e.Kind = Probing
	default:
		e.Kind = Recovered
		switch {
		case report && m.Outcome == breaker.Success:
		case m != nil && m.Kind == Reset:
			e.cause = errReset
		case was.policy.Breaks() != is.policy.Breaks():
			e.cause = errSwitched
		default:
			e.cause = errAbandoned
		}
	}
	if e.Kind == Probing && Planted("a half-open breaker that is no event") {
		return
	}
	b.Events.Add(e)
}

// sketchLooks is how many keys go between two looks at the load of the sketch.
const sketchLooks = 1 << 12

// Forget takes note that a key goes: its breaker is no longer one of those that are not closed. From time to
// time Forget looks at the load of the sketch.
func (b *Behavior) Forget(now int64, key string, g *Gate) {
	if b.gone++; b.gone%sketchLooks == 0 {
		switch _, load := b.Sketched(now); {
		case load > 0.5 && !b.full:
			b.full = true
			b.Events.Add(Event{At: now, Kind: SketchFull, cause: errFull})
		case load < 0.4:
			b.full = false
		}
	}
	from := g.posted.Load().state
	if from == breaker.Closed || Planted("a key that goes with its breaker open, and is no event") {
		return
	}
	b.Counters.moved(from, breaker.Closed)
	b.Events.Add(Event{At: now, Key: key, Kind: Recovered, From: from, To: breaker.Closed, cause: errForgotten})
}

var _ actors.Forgetter[Gate] = (*Behavior)(nil)
