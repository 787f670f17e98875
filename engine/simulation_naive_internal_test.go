package engine

import (
	"math"
	"math/big"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// naiveLimit is a bucket by its definition: count tokens every per, at most capacity of them.
type naiveLimit struct {
	capacity, interval int64
	count, per         int64
	paced              bool
}

// naiveBucket is the state of one limit of one key. It is kept twice: full is the instant at which
// the bucket is full again if a token takes a whole number of nanoseconds, for exact answers; and
// the level, for the bound.
//
// The bound holds for every window: the tokens taken in it are at most capacity + rate × its
// length. With n tokens taken at t, level is the largest of tokens × per - length × count over all
// windows that end now (Lindley's recursion: a window either goes on or begins here), so that one
// comparison checks them all, in integers and without the rounding of the interval.
type naiveBucket struct {
	full  int64
	level int64
	part  *big.Rat // above -1, to be added to level: what a change has rounded up; nil is 0
	from  int64    // the instant until which gains are off the level
	at    int64    // when the last tokens were taken
}

// burst is the time in which an empty bucket fills.
func (l *naiveLimit) burst() int64 { return l.capacity * l.interval }

// time is how long the bucket takes to gain n tokens.
func (l *naiveLimit) time(n int64) int64 {
	if n > math.MaxInt64/l.interval {
		return math.MaxInt64
	}
	return n * l.interval
}

// ready is the instant from which n tokens are there.
func (l *naiveLimit) ready(full, n int64, turn bool) int64 {
	if l.paced && turn || full == math.MaxInt64 {
		return full
	}
	return full - l.capacity*l.interval + n*l.interval
}

// take takes n tokens at now, or as of a reading that is older than the last that were taken, and
// returns by how much the bound is exceeded. A call with an older reading takes effect after the
// one before it, within its own time: the window counts no time then.
func (b *naiveBucket) take(l *naiveLimit, now, n int64) (excess int64) {
	b.full = max(b.full, now) + n*l.interval
	b.at = max(b.at, now)
	b.gain(l, now)
	b.level += n * l.per
	return b.level - l.capacity*l.per
}

// gain takes what the bucket gains until now off the level.
func (b *naiveBucket) gain(l *naiveLimit, now int64) {
	switch length := max(0, now-b.from); {
	case b.level == 0: // nothing since the beginning, or a reset
	case length > b.level/l.count:
		b.level = 0
	default:
		b.level -= length * l.count
	}
	if b.level == 0 {
		b.part = nil
	}
	b.from = max(b.from, now)
}

// naiveRules is a breaker.Policy with its defaults.
type naiveRules struct {
	threshold, successes, probes int
	recovery, lease, forget      int64
}

// fill fills the defaults in as they are documented.
func (r *naiveRules) fill() {
	if r.threshold == 0 {
		r.threshold = 5
	}
	if r.successes == 0 {
		r.successes = 1
	}
	if r.probes == 0 {
		r.probes = 1
	}
	if r.recovery == 0 {
		r.recovery = int64(5 * time.Second)
	}
	if r.lease == 0 {
		r.lease = int64(30 * time.Second)
	}
	if r.forget == 0 {
		ten := int64(math.MaxInt64)
		if r.recovery < math.MaxInt64/10 {
			ten = 10 * r.recovery
		}
		r.forget = max(int64(time.Minute), min(ten, 1<<61/10*10))
	}
}

// abandoned is how long after the last outcome a breaker that is not closed is forgotten: after
// ForgetAfter, but not before it has been half-open for ten times its recovery.
func (r *naiveRules) abandoned() int64 {
	if r.recovery > (math.MaxInt64-1)/11 {
		return math.MaxInt64 - 1
	}
	return max(r.forget, 11*r.recovery)
}

// naiveCircuit is the breaker of one key, told of every admission and outcome in the order in which
// they take effect. Its periods are numbered by the world, and know nothing of the generations of
// the engine.
type naiveCircuit struct {
	state  breaker.State
	period uint64
	row    int               // closed: failures in a row
	good   int               // half-open: probes that succeeded
	last   int64             // the last outcome that counted
	until  int64             // open, and half-open since: when the first probe was due; forced: when that ends
	forced bool              // open or closed by hand
	begun  [mostProbes]int64 // when the probes that are out began, in order
	out    int               // how many
}

// naiveProbe names a probe that is out, as the naive circuit knows it.
type naiveProbe struct {
	period uint64
	lease  int64 // 0: none
}

// holds reports whether p is out at now, so that a call in its function passes.
func (w *world) holds(b *naiveCircuit, now int64, p naiveProbe) bool {
	if p.lease == 0 || w.is(b, now) != breaker.HalfOpen || b.period != p.period {
		return false
	}
	for _, begun := range b.begun[:b.out] {
		if begun+w.circuit.lease == p.lease {
			return true
		}
	}
	return false
}

// is brings the circuit to now and returns its state.
func (w *world) is(b *naiveCircuit, now int64) breaker.State {
	r := &w.circuit
	if b.forced && now < b.until {
		return b.state
	}
	if b.forced {
		w.renew(b)
	}
	if b.out > 0 && now-b.begun[0] >= r.lease {
		w.trip(b, b.begun[0]+r.lease)
	}
	switch {
	case b.state == breaker.Closed:
		if now-b.last >= r.forget {
			b.row = 0
		}
	case b.out == 0 && now-b.last >= r.abandoned():
		w.renew(b)
	}
	return b.state
}

func (w *world) period() uint64 {
	w.periods++
	return w.periods
}

func (w *world) renew(b *naiveCircuit) { *b = naiveCircuit{period: w.period()} }

func (w *world) trip(b *naiveCircuit, at int64) {
	*b = naiveCircuit{state: breaker.Open, period: w.period(), last: at, until: at + w.circuit.recovery}
}

// probeReady is from when the circuit lets a call through; now if it does now.
func (w *world) probeReady(b *naiveCircuit, now int64) int64 {
	switch w.is(b, now) {
	case breaker.Open:
		return max(now, b.until)
	case breaker.HalfOpen:
		if b.out == w.circuit.probes || b.out+b.good == w.circuit.successes {
			return b.begun[0] + w.circuit.lease + w.circuit.recovery
		}
	}
	return now
}

// admit lets a call through at now and returns the end of its lease, 0 if it is no probe.
func (w *world) admit(b *naiveCircuit, now int64) (lease int64) {
	switch w.is(b, now) {
	case breaker.Closed:
		return 0
	case breaker.Open:
		b.state, b.period, b.good = breaker.HalfOpen, w.period(), 0
	}
	if b.out >= w.circuit.probes {
		w.fail("a probe more than the limit of %d", w.circuit.probes)
	}
	if b.out+b.good >= w.circuit.successes {
		w.fail("a probe more than is still needed: %d are out, %d of %d have succeeded", b.out, b.good, w.circuit.successes)
	}
	b.begun[b.out] = now
	b.out++
	return now + w.circuit.lease
}

// outcome records how a call of this period ended.
func (w *world) outcome(b *naiveCircuit, now, lease int64, o Outcome) {
	if b.state == breaker.Open || b.forced {
		return
	}
	if b.state == breaker.Closed {
		switch o {
		case Success:
			b.row = 0
		case Failure:
			b.row, b.last = b.row+1, now
			if b.row >= w.circuit.threshold {
				w.trip(b, now)
			}
		}
		return
	}
	i := 0
	for ; i < b.out && b.begun[i]+w.circuit.lease != lease; i++ {
	}
	if i == b.out {
		return // no probe of this period: it was let through before the breaker opened, or its lease has ended
	}
	copy(b.begun[i:], b.begun[i+1:b.out])
	b.out--
	switch o {
	case Failure:
		w.trip(b, now)
	case Success:
		b.good, b.last = b.good+1, now
		if b.good >= w.circuit.successes {
			w.renew(b)
		}
	}
}
