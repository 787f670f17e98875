package engine

import (
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// Snapshot describes a key at one instant; see [Engine.Inspect].
type Snapshot struct {
	Key      string
	Breaker  breaker.State    // Closed without a breaker. An open breaker whose recovery has come is half-open
	Failures int              // counted in a row, while closed, if failures in a row open the breaker
	Window   breaker.Counts   // the calls in the window, while closed, if the breaker has a FailureRate or a SlowRate
	OpenFor  time.Duration    // until the breaker lets a call through, if nothing else happens; 0 if it does now
	Forced   bool             // whether Engine.Force has opened or closed the breaker. OpenFor may be breaker.Forever then
	Limits   []limiter.Status // one for each limit, in the order of limiter.All; none without a limiter
	Waiting  int              // callers in the queue
	InFlight int              // places of Config.Concurrency that are taken, at a moment of its own within Inspect
}

// Inspect describes key. Inspect returns false if the key is not known or the engine is closed. Inspect
// does not make a key known and does not count as a use of the key.
//
// Every call that was let through before Inspect was called is in the bucket that Inspect shows. A call
// that is let through meanwhile may be missing, and may still take its token as of an instant just
// before the shown one.
func (e *Engine) Inspect(key string) (Snapshot, bool) {
	if c, ok := e.system.Find(key); ok && !e.ended.Load() {
		s := guard.Snapshot{Key: key}
		if e.behavior.Glance(e.system, &c.Published, &s) {
			return Snapshot(s), true
		}
	}
	s := guard.Snapshot{Key: key} // another one: the actor fills in a snapshot on the heap
	known := e.toKnown(key, guard.Inspect, &s) == nil
	return Snapshot(s), known
}

// Reset makes key as new before Reset returns: buckets full and breaker closed, also a breaker that
// [Engine.Force] has opened or closed. Results of calls that are still running are not counted.
// Callers that wait stay in the queue and are served from the full bucket.
//
// A key that is not known stays unknown, and begins as a new key when it comes; only the result of a
// call that was running before Reset may be counted then.
func (e *Engine) Reset(key string) {
	for {
		if err := e.toKnown(key, guard.Reset, nil); !errors.Is(err, errUnknown) {
			return // the turn has cleared the sketch's memory of the key, too
		}
		known, still := true, e.system.Still // else the key could be born meanwhile, with the sketch's memory of it
		if guard.Planted("a reset in the midst of a birth") {
			still = func(f func()) { f() }
		}
		still(func() {
			if _, known = e.system.Find(key); !known {
				e.behavior.Pardon(key)
			}
		})
		if !known {
			return
		}
	}
}

// ResetAll makes every key as new. Before ResetAll returns, every key that was known when ResetAll
// was called, and every key that had been forgotten by then, has been reset as [Engine.Reset] does,
// at an instant of its own, and only once. A key that becomes known meanwhile begins as a new key. Keys
// can be used, born and forgotten all the time.
func (e *Engine) ResetAll() {
	for _, key := range e.behavior.Census(e.system) {
		e.Reset(key)
	}
}

var errUnknown = errors.New("engine: unknown key")

// known returns the cell of a key that is known; otherwise the error is errUnknown.
func (e *Engine) known(key string) (*guard.Cell, error) {
	if c, ok := e.system.Find(key); ok {
		return c, nil
	}
	return nil, errUnknown
}

// toKnown has the actor of key carry out a command, if there is such a key.
func (e *Engine) toKnown(key string, what guard.Kind, s *guard.Snapshot) error {
	known := func(*guard.Cell) (*guard.Cell, error) { return e.known(key) }
	c, err := e.known(key)
	if err != nil {
		return err
	}
	r := e.behavior.Request()
	r.Snapshot = s
	m := guard.Message{Kind: what, Request: r}
	_ = e.catchUp(c, &m) // else the key is as it was before
	return e.command(c, &m, known)
}
