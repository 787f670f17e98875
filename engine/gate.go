package engine

import (
	"math"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// gate is the published part of a key: the actor's decisions for callers to read, and the bucket while callers may take from it.
//
// An open gate holds the bucket: word is the instant at which it is full again, and callers move it by compare-and-swap. The
// actor shuts the gate, by swapping a sentinel in, to have the bucket to itself: while it decides, while callers queue, and
// while the breaker is not closed. A gate that is shut means that the actor is to be asked.
//
// The word only grows, and every admission lifts it above its own reading of the clock. So an admission may use a reading
// taken just before it loads the word (a stale one is only stricter), while a refusal must be confirmed by a reading taken
// after the load. Both then take effect within the call.
type gate struct {
	word       atomic.Int64
	generation atomic.Uint64 // of the breaker
	// standing is nil while the breaker is closed with no failure counted, so that a success changes nothing; the refusal for all
	// callers to share while it is open; and else unsettled.
	standing atomic.Pointer[Rejection]
}

// unsettled is the standing of a breaker that has failures counted, or lets probes through.
var unsettled = new(Rejection)

// content reports whether the success of a call changes nothing: the gate is open, so that no turn is about to count a failure, and the
// breaker is closed with no failure counted.
func (g *gate) content() bool { return g.word.Load() >= 0 && g.standing.Load() == nil }

// The words of a gate that is not open. Instants are positive.
const (
	shut = math.MinInt64 // the actor has the bucket
	gone = shut + 1      // the cell has been retired
)

// verdict is the answer that a caller reads off a gate.
type verdict uint8

const (
	undecided verdict = iota // ask the actor
	admitted
	limited
)

// spins is how long a caller that lost a compare-and-swap counts before it tries again, without touching the word, so that the
// winner, whose processor has it at hand, may go on: about a microsecond.
const spins = 2000

// pass takes n tokens from the gate, if it is open and they are there, and returns the generation of the breaker for the permit.
// It answers limited only on a reading of the clock taken after the word was loaded; at is then the instant from which they are
// there.
func (e *Engine) pass(g *gate, n int64, mode limiter.Mode) (v verdict, generation uint64, at int64) {
	word := g.word.Load()
	if word < 0 {
		return undecided, 0, 0
	}
	reading := e.system.Now()
	k := e.keeper
	if len(k.limits) == 0 {
		generation = g.generation.Load()
		if reading-word > k.coarse {
			// The word is only the time of the last use. Lost: another caller was here, or the actor has the gate.
			g.word.CompareAndSwap(word, reading)
		}
		return admitted, generation, 0
	}
	limit := &k.limits[0]
	if at = limit.Ready(word, n, mode); at > reading {
		return limited, 0, at
	}
	for {
		// The word again, so that little time passes before it is swapped; the reading is from before, which is only stricter. The
		// generation after it: if the word is still there when it is swapped, the breaker has not moved on since, for every turn that begins a
		// period and opens the gate moves the word; see docs/gates.md.
		if word = g.word.Load(); word < 0 {
			return undecided, 0, 0
		}
		generation = g.generation.Load()
		if at = limit.Ready(word, n, mode); at > reading {
			if reading = e.system.Now(); at > reading {
				return limited, 0, at
			}
		}
		if g.word.CompareAndSwap(word, limit.After(word, reading, n)) {
			return admitted, generation, 0
		}
		for range spins {
		}
	}
}

// seize shuts the gate, so that the actor has the bucket to itself in s.words. It may be shut already.
func (g *gate) seize(s *state) {
	if word := g.word.Swap(shut); word >= 0 {
		s.words[0] = word
	}
}

// publish ends a turn: publish writes the actor's decisions into the gate, and opens the gate if only tokens are left to decide.
// Shutting comes first and opening last, so that a caller never takes a token under a generation that admits none. It reports
// whether the gate then says all there is to know about the key.
func (k *keeper) publish(now int64, g *gate, s *state) (clean bool) {
	open := k.gated && s.line == nil && s.circuit.Admits()
	if k.gated && !open {
		g.seize(s)
	}
	if generation := s.circuit.Generation(); g.generation.Load() != generation {
		g.generation.Store(generation)
	}
	was := g.standing.Load()
	if is := k.standing(now, was, s); is != was {
		g.standing.Store(is)
	}
	if !open {
		return false
	}
	if word := g.word.Load(); word >= 0 {
		s.words[0] = word // it has been open all through the turn, and callers have taken from it
	} else {
		g.word.Store(s.words[0])
	}
	return s.circuit.Clean()
}

// standing returns the breaker's standing to publish; was is the standing before.
func (k *keeper) standing(now int64, was *Rejection, s *state) *Rejection {
	switch until := s.circuit.OpenUntil(); {
	case s.circuit.Clean():
		return nil
	case until == 0:
		return unsettled
	case was != nil && was.until == until && now >= until:
		return was // nobody may use it any more
	default:
		at := max(until, k.readyBehind(now, s, 1, limiter.Turn)) // the first instant at which breaker and limiter pass a call
		if was != nil && was.until == until && was.at == at {
			return was
		}
		return &Rejection{Key: s.key, Err: breaker.ErrOpen, at: at, until: until, now: k.now}
	}
}

// Retire reports whether the bucket behind the gate is full and has not been taken from since unused, and if so shuts the
// gate for good. Without a limiter the word is when the key was last used, give or take keeper.coarse.
func (k *keeper) Retire(unused int64, g *gate) bool {
	word := g.word.Load()
	if word < 0 { // only the actor has moved the bucket, and the actor's last word on it holds
		g.word.Store(gone)
		return true
	}
	return word <= unused && g.word.CompareAndSwap(word, gone)
}

// SpillRank ranks keys for being spilled: closed ones first, and those first that are as new first.
func (k *keeper) SpillRank(g *gate, s *state) int64 {
	const open = 1 << 62
	word := g.word.Load()
	if s == nil {
		return min(word, open-1)
	}
	if s.line != nil || s.circuit.LeaseEnds() != actors.Never {
		return actors.Never
	}
	if at := s.circuit.ProbeAt(k.rules); at > 0 {
		return open + min(at, open-2)
	}
	if word < 0 {
		word = k.limits.FullAt(s.words)
	}
	return min(word, open-1)
}

// Spill writes the key's debt into the sketch, and shuts the gate for good. The refusal of an open
// breaker goes after that, so that a call that still finds it was here before.
func (k *keeper) Spill(key string, g *gate, s *state) {
	k.census.note(key)
	word := g.word.Swap(gone)
	g.standing.Store(nil)
	if s == nil {
		k.newborn[0] = word
		k.sketch.spill(key, k.newborn, 0)
		return
	}
	if word >= 0 {
		s.words[0] = word
	}
	k.sketch.spill(key, s.words, s.circuit.ProbeAt(k.rules))
}

var _ actors.Behavior[gate, state, message] = (*keeper)(nil)
