package engine

import (
	"errors"
	"math/bits"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/retry"
)

// The most that a scene has of each.
const (
	mostCallers = 24
	mostCells   = 32
	mostNames   = 48
	mostProbes  = 4
	mostLimits  = 2
	mostEngines = 3
)

// scene is what all engines of a scene share.
type scene struct {
	callers int
	tick    int64 // ns; about how long things take
	pace    int64 // ns; a step takes less than that
	steady  bool  // the clock has Nanos, and never runs back; else its steps are clamped
	handles bool  // callers keep the cell that they found
	nights  int64 // ns; the longest time in which a caller does nothing
	patient bool  // some callers have contexts that never end
	failing int   // percent of the calls
	panics  int   // one turn in so many
	comings int   // others come in the midst of one step in so many
	resets  bool  // somebody resets all keys, now and then
	changes bool  // somebody changes configurations, now and then
	forces  bool  // somebody forces keys, now and then
}

// setup is a random configuration of an engine, boundary values included, and what the naive models have
// to know of it. They do not ask the compiled forms that the engine uses.
type setup struct {
	cfg     Config
	limits  []naiveLimit
	circuit *naiveRules

	names        int
	maxKeys      int
	idle, linger int64
	maxWait      int64 // noWait: -1
	maxQueue     int
	attempts     int // at most, of a call
	shadow       bool
	places       int  // calls in flight; 0: any number
	strict       bool // the breaker also counts the failures that are the caller's own
}

var (
	errSimulated = errors.New("simulated failure")
	errTheirs    = errors.New("simulated failure that is the caller's own")
	errPermanent = retry.Permanent(errSimulated)
	errAdvised   = retry.After(errSimulated, time.Millisecond)
)

// below draws from [0, n).
func (u *universe) below(n int) int {
	hi, _ := bits.Mul64(u.rng.Uint64(), uint64(n))
	return int(hi)
}

// within is an instant of the next d.
func (u *universe) within(d time.Duration) int64 {
	hi, _ := bits.Mul64(u.rng.Uint64(), uint64(d))
	return int64(hi)
}

// oneIn is true once in n times.
func (u *universe) oneIn(n int) bool { return u.below(n) == 0 }

// spread draws from [lo, hi] so that every order of magnitude is as likely, and the ends are drawn
// too.
func (u *universe) spread(lo, hi int64) int64 {
	first, last := bits.Len64(uint64(lo)), bits.Len64(uint64(hi))
	n := first + u.below(last-first+2)
	if n > last {
		return []int64{lo, hi}[u.below(2)]
	}
	half := int64(1) << max(n-1, 0)
	return min(max(half+int64(u.below(int(half))), lo), hi)
}

// drawScene draws what all engines share.
func (u *universe) drawScene() {
	s := &u.scene
	s.tick = u.spread(int64(time.Microsecond), int64(10*time.Second))
	s.pace = []int64{0, 100, 10_000}[u.below(3)]
	s.steady, s.handles = !u.oneIn(3), u.oneIn(2)
	s.callers = 2 + u.below(mostCallers-3) // and the operator
	s.panics = []int{32, 512, 512, 512}[u.below(4)]
	s.comings = []int{2, 12, 12, 12}[u.below(4)]
	s.failing = []int{2, 30, 60, 95}[u.below(4)]
	s.resets, s.changes, s.forces = u.oneIn(16), u.oneIn(3), u.oneIn(3)
	s.nights = u.spread(s.tick, int64(4*time.Hour))
	s.patient = true
}

// draw makes a random configuration of an engine.
func (w *world) draw() (s setup) {
	s.names = 1 + w.below(mostNames)
	if w.oneIn(3) {
		s.names = 1 + w.below(3)
	}
	s.cfg.Dispatch = Dispatch(w.below(4) / 3)
	s.strict = w.number > 0 && w.oneIn(3)
	s.cfg.Classify = func(err error) Outcome {
		if err == errTheirs && !w.strict {
			return Ignore
		}
		return Failure
	}
	w.drawSystem(&s)
	w.drawLimiter(&s)
	if named := len(w.worlds) > 1 && w.oneIn(4); !w.oneIn(5) || s.cfg.Limiter == nil && !named { // else it only names a key
		w.drawBreaker(&s)
	} else {
		s.circuit = naiveRulesOf(&breaker.Policy{})
	}
	if w.oneIn(3) {
		w.drawPlaces(&s)
	}
	s.shadow = w.oneIn(8) && len(s.limits) < 2
	s.cfg.Shadow = s.shadow
	if w.oneIn(2) {
		s.cfg.Retry = w.drawRetry()
		s.attempts = orThree(s.cfg.Retry.MaxAttempts)
	}
	s.cfg.PerCall = w.oneIn(6)
	for _, l := range s.limits {
		w.patient = w.patient && l.interval < int64(time.Minute)
	}
	return s
}

// drawSystem draws what concerns keys and queues.
func (w *world) drawSystem(s *setup) {
	s.maxKeys = 1 + w.below(mostCells/len(w.worlds))
	if w.oneIn(8) {
		s.maxKeys = 1
	}
	s.idle = w.spread(w.tick, max(w.tick, int64(longestIdle))) // a sweep comes eight times in it
	if w.oneIn(2) {
		s.idle = w.spread(w.tick, w.tick*1000)
	}
	s.linger = max(1, s.idle/8)
	s.cfg.MaxKeys, s.cfg.IdleAfter = s.maxKeys, time.Duration(s.idle)
	w.drawQueue(s)
}

// drawQueue draws the bounds of a queue.
func (w *world) drawQueue(s *setup) {
	s.cfg.MaxWait, s.maxWait = 0, guard.LongestWait
	switch w.below(4) {
	case 0:
		s.cfg.MaxWait, s.maxWait = NoWait, -1
	case 1:
		s.maxWait = w.spread(1, 100*w.tick)
		s.cfg.MaxWait = time.Duration(s.maxWait)
	}
	s.cfg.MaxQueue, s.maxQueue = 0, 1024
	if w.oneIn(2) {
		s.maxQueue = 1 + w.below(6)
		s.cfg.MaxQueue = s.maxQueue
	}
}

// drawLimiter draws no limiter, one, or two.
func (w *world) drawLimiter(s *setup) {
	n := []int{0, 1, 1, 1, 1, 1, 1, 2}[w.below(8)]
	limits := make([]naiveLimit, n)
	for i := range limits {
		limits[i] = w.drawLimit()
	}
	s.use(limits)
}

// drawLimit draws a bucket.
func (w *world) drawLimit() naiveLimit {
	count := int64(1)
	if !w.oneIn(3) {
		count = w.spread(1, 1000)
	}
	per := w.spread(max(1, w.tick/8), 8*w.tick)*count + int64(w.below(int(count)))
	capacity := w.spread(1, 100)
	switch w.below(24) {
	case 0: // the fastest
		count, per = 1e9, 1e9
	case 1: // the slowest
		count, per = 1, (1<<61)/capacity
	}
	l := naiveLimit{capacity: capacity, interval: (per + count - 1) / count, count: count, per: per, paced: w.oneIn(4)}
	if l.interval == 1 {
		l.count, l.per = 1, 1 // the same, in numbers whose products fit
	}
	return l
}

// orThree is attempts with the default of retry.Policy.MaxAttempts.
func orThree(attempts int) int {
	if attempts == 0 {
		return 3
	}
	return attempts
}

// drawRetry draws when to try again. The seed makes the jitter repeat.
func (w *world) drawRetry() *retry.Policy {
	p := &retry.Policy{
		MaxAttempts: w.below(5), BaseDelay: time.Duration(w.spread(1, 4*w.tick)), Backoff: 1 + float64(w.below(3)),
		Jitter: retry.Jitter(w.below(4)), Seed: w.rng.Uint64() | 1,
	}
	if w.oneIn(2) {
		p.MaxDelay = p.BaseDelay * time.Duration(1+w.below(8))
	}
	if w.oneIn(3) {
		p.MaxElapsed = time.Duration(w.spread(1, 64*w.tick))
	}
	return p
}
