package engine

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// Snapshot describes a key at one instant; see [Engine.Inspect].
type Snapshot struct {
	Key      string
	Breaker  breaker.State    // Closed without a breaker. An open breaker whose recovery has come is half-open
	Failures int              // counted in a row, while closed
	OpenFor  time.Duration    // until the breaker lets a call through, if nothing else happens; 0 if it does now
	Limits   []limiter.Status // one for each limit, in the order of limiter.All; none without a limiter
	Waiting  int              // callers in the queue
}

// Inspect describes key. Inspect returns false if the key is not known or the engine is closed. Inspect
// does not make a key known and does not count as a use of the key.
//
// Every call that was let through before Inspect was called is in the bucket that Inspect shows. A call
// that is let through meanwhile may be missing, and may still take its token as of an instant just
// before the shown one.
func (e *Engine) Inspect(key string) (Snapshot, bool) {
	if c, ok := e.system.Find(key); ok {
		s := Snapshot{Key: key}
		if e.look(&c.Published, &s) {
			return s, true
		}
	}
	s := Snapshot{Key: key} // another one: the actor fills in a snapshot on the heap
	known := e.toKnown(key, inspect, &s) == nil
	return s, known
}

// look fills in s from the gate, if the gate is open and the breaker is closed with no failure counted. Else look returns false.
func (e *Engine) look(g *gate, s *Snapshot) bool {
	word := g.word.Load()
	if word < 0 || !g.content() || e.ended.Load() {
		return false
	}
	now := e.system.Now()
	if g.word.Load() != word { // else nothing has been taken, and no turn has ended, since the standing was read
		return false
	}
	words := [1]int64{word}
	e.keeper.inspect(now, &state{words: words[:]}, s)
	return true
}

// Reset makes key as new before Reset returns: buckets full and breaker closed. Results of calls that
// are still running are not counted. Callers that wait stay in the queue and are served from the full
// bucket.
//
// A key that is not known stays unknown, and begins as a new key when it comes; only the result of a
// call that was running before Reset may be counted then.
func (e *Engine) Reset(key string) {
	for {
		if err := e.toKnown(key, reset, nil); !errors.Is(err, errUnknown) {
			return // the turn has cleared the sketch's memory of the key, too
		}
		known := true
		e.system.Still(func() { // else the key could be born meanwhile, with the sketch's memory of it
			if _, known = e.system.Find(key); !known {
				e.keeper.sketch.pardon(key)
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
	for _, key := range e.takeCensus() {
		e.Reset(key)
	}
}

// census is a time in which ResetAll collects the keys that are to be reset.
type census struct {
	sync.Mutex // for one census at a time

	// Guarded by the lock of births and spills.
	open    bool
	born    map[string]struct{} // keys born in the time: the collection may have them, and they began after the sketch was cleared
	spilled map[string]struct{} // other keys spilled in the time: the collection may have missed them
}

// takeCensus has the sketch forget every key, and returns each key that was known then. Nothing
// under the lock of births and spills takes longer if there are more keys. A key that is known
// through all of the census is collected. A key that goes in that time has nothing to be reset, or
// is spilled. A key that was not known begins as a new key, and is not to be reset a second time.
func (e *Engine) takeCensus() []string {
	c := &e.keeper.census
	c.Lock()
	defer c.Unlock()
	e.system.Still(func() {
		e.keeper.sketch.clear()
		c.begin()
	})
	keys := slices.Collect(e.Keys())
	e.system.Still(func() { c.open = false })
	return c.end(keys)
}

// begin opens the census.
func (c *census) begin() {
	c.open, c.born, c.spilled = true, map[string]struct{}{}, map[string]struct{}{}
}

// end returns the keys to be reset after the census, in which keys were collected.
func (c *census) end(keys []string) []string {
	keys = slices.DeleteFunc(keys, func(key string) bool {
		_, born := c.born[key]
		_, spilled := c.spilled[key]
		return born || spilled
	})
	keys = slices.AppendSeq(keys, maps.Keys(c.spilled))
	c.born, c.spilled = nil, nil
	return keys
}

// birth takes note that key is born.
func (c *census) birth(key string) {
	if c.open {
		c.born[key] = struct{}{}
	}
}

// note takes note that key is spilled.
func (c *census) note(key string) {
	if !c.open {
		return
	}
	if _, born := c.born[key]; !born {
		c.spilled[key] = struct{}{}
	}
}

var errUnknown = errors.New("engine: unknown key")

// toKnown has the actor of key carry out a command, if there is such a key.
func (e *Engine) toKnown(key string, what kind, s *Snapshot) error {
	for {
		c, ok := e.system.Find(key)
		if !ok {
			return errUnknown
		}
		if err := e.command(c, message{kind: what}, s); !errors.Is(err, actors.ErrRetired) {
			return err
		}
	}
}

// inspect fills in a snapshot.
func (k *keeper) inspect(now int64, s *state, to *Snapshot) {
	tail, tokens := s.words, int64(0)
	if s.line != nil {
		tail, tokens, to.Waiting = s.line.tail(k.limits, s.words, now), s.line.tokens, s.line.waiting
	}
	for i := range k.limits {
		to.Limits = append(to.Limits, k.limits.Status(i, s.words, tail, now, tokens))
	}
	state, failures, openFor := s.circuit.Look(k.rules, now)
	to.Breaker, to.Failures, to.OpenFor = state, failures, time.Duration(openFor)
}
