package engine

import (
	"math"
	"math/big"
	"math/bits"
	"slices"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// rules are the limits and the breaker of an engine from one change to the next.
type rules struct {
	limits   []naiveLimit
	circuit  *naiveRules
	breaks   bool // whether there is a breaker
	shadow   bool
	places   int // calls that may be in flight; 0: any number
	compiled limiter.Limits
	number   int   // of the scene's changes of the engine; the first rules are number 0
	at       int64 // the instant of the change
	next     *rules
}

// rulesOf makes the rules that s has from the instant at on.
func (w *world) rulesOf(s *setup, number int, at int64) *rules {
	r := &rules{limits: s.limits, circuit: s.circuit, breaks: s.cfg.Breaker != nil, shadow: s.shadow, places: s.places, number: number, at: at}
	if s.cfg.Limiter != nil {
		compiled, err := limiter.Compile(s.cfg.Limiter)
		if err != nil {
			w.fail("a valid limiter is refused: %v", err)
		}
		r.compiled = compiled
	}
	return r
}

// books are the buckets of an account, by some rules.
type books struct {
	rules   *rules
	buckets [mostLimits]naiveBucket
	rests   []limiter.Rest // of the last change
}

// ready is the instant from which n tokens are there; now if they are there now.
func (b *books) ready(now, n int64, turn bool) int64 {
	at := now
	if n == 0 {
		return at
	}
	for i := range b.rules.limits {
		at = max(at, b.rules.limits[i].ready(b.buckets[i].full, n, turn))
	}
	return at
}

// take takes n tokens at now from the bucket of limit i, and returns by how much the bound is
// exceeded. A call that has loaded the rules before they changed may take tokens by them afterwards.
// Then the rate of these rules holds until the reading of the call, and the tokens are a debt as of
// the change.
func (b *books) take(i int, now, n int64) (excess int64) {
	bucket, limit := &b.buckets[i], &b.rules.limits[i]
	if b.rules.next == nil {
		return bucket.take(limit, now, n)
	}
	late := *bucket
	excess = late.take(limit, now, n)
	bucket.take(limit, min(now, b.rules.next.at), n)
	bucket.full, bucket.at = late.full, late.at
	return excess
}

// follow has the books go on by the next rules, as of the instant of the change. Convert has tests
// of its own, and says when a bucket is full, for exact answers. The bound does without Convert.
func (b *books) follow() {
	was, is := b.rules, b.rules.next
	b.rules = is
	var fullAts [mostLimits]int64
	for i := range fullAts {
		fullAts[i] = b.buckets[i].full
	}
	converted := fullAts[:max(1, len(was.limits))]
	if !slices.Equal(was.compiled, is.compiled) {
		converted, b.rests = was.compiled.Convert(is.compiled, converted, b.rests, is.at)
	}
	for i := range b.buckets {
		switch {
		case i >= len(is.limits):
			b.buckets[i] = naiveBucket{}
		case i >= len(was.limits):
			b.buckets[i] = naiveBucket{full: converted[i], from: is.at}
		default:
			at := is.at
			if was.compiled[i] == is.compiled[i] { // the bucket goes on as it was
				at = b.buckets[i].from
			}
			b.buckets[i].full = converted[i]
			b.buckets[i].change(&was.limits[i], &is.limits[i], at)
		}
	}
}

// change has the level of a bucket go on by another limit, as of the instant at. The level counts
// from the capacity of a window that begins now: so a higher capacity lifts the level, and a lower
// one lets it sink. The rate was that of the limit before until at.
func (b *naiveBucket) change(was, is *naiveLimit, at int64) {
	if b.from > at && b.level > 0 { // tokens were taken as of a later reading: they are a debt at the change
		hi, lo := bits.Mul64(uint64(b.from-at-1), uint64(was.per)) // an earlier change may have rounded the instant up
		gained, _ := bits.Div64(hi, lo, uint64(was.interval))
		b.level += int64(gained)
		b.from = at
	}
	b.gain(was, at)
	if *was == *is {
		return
	}
	level := new(big.Rat).SetInt64(b.level)
	if b.part != nil {
		level.Add(level, b.part)
	}
	level.Quo(level, new(big.Rat).SetInt64(was.per))
	level.Add(level, new(big.Rat).SetInt64(is.capacity-was.capacity))
	level.Mul(level, new(big.Rat).SetInt64(is.per))
	b.level, b.part = 0, nil
	if level.Sign() <= 0 {
		return
	}
	up := new(big.Int).Add(level.Num(), level.Denom())
	up.Sub(up, big.NewInt(1)).Quo(up, level.Denom())
	if !up.IsInt64() || up.Int64() > math.MaxInt64/2 { // a debt for centuries, in which nothing is granted
		b.level = math.MaxInt64 / 2
		return
	}
	b.level = up.Int64()
	if !level.IsInt() {
		b.part = level.Sub(level, new(big.Rat).SetInt(up))
	}
}

// restsAt forgets rests that are over, as an actor does at the end of a turn.
func (b *books) restsAt(now int64) {
	if b.rests != nil && !slices.ContainsFunc(b.rests, func(r limiter.Rest) bool { return now < r.Until }) {
		b.rests = nil
	}
}

// atGate is the books of a by the rules that its gate goes by.
func (a *account) atGate() *books {
	if a.stale {
		return &a.old
	}
	return &a.books
}

// changes begins other rules for a. A key that is known keeps what it has. A key that has been
// forgotten is born with what world.fresh has or, where its bucket owed something, with nothing.
func (a *account) changes(w *world) {
	a.version++
	if a.site != nil {
		if !a.stale {
			a.old, a.stale = a.books, true
		}
		a.books.follow()
		return
	}
	was, is := a.rules, a.rules.next
	before := a.buckets
	a.circuit.forgotten(was, is, w)
	a.books.follow()
	a.rests = nil
	for i := range is.limits {
		b := &a.buckets[i]
		switch {
		case slices.Equal(was.compiled, is.compiled):
		case a.wentAt > is.at: // between the reading and the change: what it took after the reading may be lost
			*b, a.spilt = naiveBucket{}, true
		case i < len(was.limits) && before[i].full > is.at:
			b.full = guard.Later(is.at, is.limits[i].burst())
		default:
			b.full = 0
		}
		// Of what was charged or taken in shadow, a key that comes back empty owes one burst.
		if l := &is.limits[i]; (a.owes || w.dark) && b.level > l.capacity*l.per {
			b.level, b.part = l.capacity*l.per, nil
		}
	}
}

// catchUp has the books of a key that is known follow all changes once more, because a call has
// moved the old ones.
func (a *account) catchUp() {
	for a.books = a.old; a.rules.next != nil; {
		a.books.follow()
	}
}
