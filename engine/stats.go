package engine

import (
	"errors"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// Stats are figures of an engine; see [Engine.Stats]. Figures that are no present number count from New
// on, and never fall.
//
// A decision is about one attempt of a call, or about one Allow, Acquire or Admit. Each decision counts
// once: as Admitted, Limited, Open, InFlightFull, QueueFull, KeyLimit, GaveUp or ShadowRefused. A decision does not count if the engine
// had been closed, or if its context had ended before. Each attempt that was admitted counts once more when it ends: as a
// Success, a Failure or Ignored. Allow and Acquire have no end.
//
// In a [Chain] an admission counts in every engine, and only if all keys let the call pass. A refusal counts
// in the engine that refused. With Config.PerCall there is one decision about a call, and one end.
type Stats struct {
	Keys         int // keys known now
	Actors       int // goroutines that run for keys now
	Waiting      int // callers that wait in queues now
	InFlight     int // calls in flight now, with or without Config.Concurrency; also of a Ticket that is never done and has no place
	OpenKeys     int // keys whose breaker is open now; also if the time is up and no call has come since
	HalfOpenKeys int // keys whose breaker lets probes through now
	ForcedKeys   int // keys whose breaker Engine.Force has opened or closed; those that it opened are OpenKeys, too

	Admitted     uint64 // decisions to let pass
	Limited      uint64 // refusals by the limiter, or false from Allow
	Open         uint64 // refusals by an open breaker, or by a breaker whose probes are out
	InFlightFull uint64 // refusals because no place was free, and none came in time: Config.Concurrency
	QueueFull    uint64 // refusals because Config.MaxQueue callers waited
	KeyLimit     uint64 // refusals because all keys were held that Config.MaxKeys allows
	GaveUp       uint64 // decisions that came to nothing, because the context ended before the call began
	// ShadowRefused counts the decisions that would have been refusals but for Config.Shadow. Such a decision
	// counts as nothing else.
	ShadowRefused uint64

	Successes uint64 // attempts that ended well
	Failures  uint64 // attempts that failed, by Config.Classify; also without a breaker
	Ignored   uint64 // other attempts; also a Ticket that is collected without Done and had a place
	TimedOut  uint64 // of the failures, those of attempts that Config.Timeout or AttemptTimeout ended
	Slow      uint64 // successes and failures that took breaker.Policy.SlowAfter or longer, if the breaker has a SlowRate

	Retries   uint64 // attempts after the first of a call
	KeptSpent uint64 // tokens of calls that were not made and that could not be given back, because others had taken tokens since

	Evicted    uint64 // keys forgotten whose state equalled that of a new key
	Spilled    uint64 // other keys forgotten, at MaxKeys; the sketch keeps their debts
	SketchHits uint64 // keys that began with less than a new key has, because of the sketch
	Restarts   uint64 // actors restarted after a panic in one of their turns: a fault of this library
	// SketchLoad is the share of the sketch's cells that hold an instant to come, from 0 to 1,
	// estimated from 4,096 cells. With several limits it is the largest share of a limit. A key that
	// was never spilled begins with less than a new key has with a probability of about SketchLoad to
	// the fourth power: 1 in 10,000 at 0.1, 1 in 16 at 0.5, 2 in 3 at 0.9. A SketchLoad that stays
	// above 0.5 means that MaxKeys is too small for the keys in use, or that a client makes keys up.
	SketchLoad float64
}

// Stats returns the engine's figures. It asks no actor. While calls run, the figures are of slightly
// different moments.
func (e *Engine) Stats() Stats {
	s := e.system.Stats()
	hits, load := e.behavior.Sketched(e.system.Now())
	c := e.counters
	sum := c.Sum()
	ended := sum.Successes.Load() + sum.Failures.Load() + sum.Ignored.Load()
	inFlight := int64(sum.Admitted.Load()-ended) + c.Held.Load() //nolint:gosec // the difference is small, and may be below 0
	return Stats{
		Keys: s.Keys, Actors: s.Actors, Waiting: int(sum.Waiting.Load()), InFlight: int(max(0, inFlight)), //nolint:gosec // few
		OpenKeys: int(c.OpenKeys.Load()), HalfOpenKeys: int(c.HalfOpenKeys.Load()), ForcedKeys: int(e.forced.Load()),
		Admitted: sum.Admitted.Load() + sum.Taken.Load(), Limited: sum.Limited.Load(), Open: sum.Open.Load(),
		InFlightFull: c.InFlightFull.Load(), QueueFull: c.QueueFull.Load(), KeyLimit: c.KeyLimit.Load(), GaveUp: c.GaveUp.Load(), ShadowRefused: c.ShadowRefused.Load(),
		Successes: sum.Successes.Load(), Failures: sum.Failures.Load(), Ignored: sum.Ignored.Load(), Slow: c.Slow.Load(), TimedOut: c.TimedOut.Load(),
		Retries: c.Retries.Load(), KeptSpent: c.KeptSpent.Load(),
		Evicted: s.Evicted, Spilled: s.Spilled, SketchHits: hits, Restarts: s.Restarts, SketchLoad: load,
	}
}

// Transitions are the changes of breakers' states; see [Engine.Transitions].
type Transitions struct {
	Tripped   uint64 // to open
	Probing   uint64 // to half-open
	Recovered uint64 // to closed, for any reason, and ends of forced states
}

// Transitions returns how often breakers of e have changed their state since New: the number of events of each
// of the three kinds. It asks no actor.
func (e *Engine) Transitions() Transitions {
	c := e.counters
	return Transitions{Tripped: c.Tripped.Load(), Probing: c.Probing.Load(), Recovered: c.Recovered.Load()}
}

// admitted counts a decision to let pass.
func (e *Engine) admitted(a *admission) {
	if !a.shadowed {
		e.counters.Stripe().Admitted.Add(1)
	}
}

// took counts a decision to let tokens be taken, without a call.
func (e *Engine) took(a *admission) {
	if !a.shadowed {
		e.counters.Stripe().Taken.Add(1)
	}
}

// refused counts a decision against an attempt, and returns err, the reason.
func (e *Engine) refused(err error) error {
	r, ok := err.(*Rejection) //nolint:errorlint // made by a decision, not wrapped
	if _, misuse := errors.AsType[*ConfigError](err); misuse {
		return err
	}
	if !ok {
		e.counters.GaveUp.Add(1)
		return err
	}
	switch c := r.eng.counters; r.Stage {
	case LimiterStage:
		r.eng.countRefusal(r.Key, &c.Stripe().Limited)
	case BreakerStage:
		r.eng.countRefusal(r.Key, &c.Stripe().Open)
	case InFlightStage:
		r.eng.countRefusal(r.Key, &c.InFlightFull)
	case QueueStage:
		r.eng.countRefusal(r.Key, &c.QueueFull)
	case KeysStage:
		c.KeyLimit.Add(1)
	}
	return err
}

// countRefusal counts the refusal of a key that may have no cell: there is no room for it, or no limit could let
// the call pass.
func (e *Engine) countRefusal(key string, counter *atomic.Uint64) {
	if n := counter.Add(1); guard.Sampled(n) {
		if c, known := e.system.Find(key); known {
			e.counters.Refused.Count(c, n)
		}
	}
}

// KeyCount is a key and how often calls for it were refused; see [Engine.MostRefused].
type KeyCount struct {
	Key     string
	Refused uint64 // refusals
}

// MostRefused returns the n keys that were refused most since New, most refused first: by the limiter, by the
// breaker, because no place was free or the queue was full or, with Config.Shadow, would have been. Refusals with ErrKeyLimit do not
// count. The counts are exact while there are few refusals and keys. Later they are estimates: of the ten
// keys that are refused most, nearly all are among the first twelve. The memory is at most 32 kB, also with
// millions of keys. For the keys of the last minute, subtract the counts of a minute ago.
func (e *Engine) MostRefused(n int) []KeyCount {
	var most []KeyCount
	for _, c := range e.counters.Refused.Most(n) {
		most = append(most, KeyCount(c))
	}
	return most
}

// endedAs counts the end of an attempt that was admitted as a.
func (e *Engine) endedAs(a *admission, o Outcome) {
	if a.shadowed {
		return
	}
	switch s := e.counters.Stripe(); o {
	case Success:
		s.Successes.Add(1)
	case Ignore:
		s.Ignored.Add(1)
	default:
		s.Failures.Add(1)
	}
}
