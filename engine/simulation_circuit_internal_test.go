package engine

import (
	"math"
	"math/big"
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// naiveRules is a breaker.Policy with its defaults.
type naiveRules struct {
	threshold, successes, probes int
	recovery, lease, forget      int64
	tolerated                    int
	longest, mayAsk              int64 // the longest open time, and the longest that an upstream may ask for
	jitter                       float64
	seed                         uint64
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
	r.longest = max(r.longest, r.recovery)
}

// abandoned is how long after a probe could come a breaker that is not closed is forgotten: when
// ForgetAfter, of which one recovery is over, has passed, but not before it has been half-open for ten times
// its recovery.
func (r *naiveRules) abandoned() int64 {
	if r.recovery > (math.MaxInt64-1)/10 {
		return math.MaxInt64 - 1
	}
	return max(r.forget-r.recovery, 10*r.recovery)
}

// openTime is how long a breaker is open that opens at the instant at, after so many trips before.
func (r *naiveRules) openTime(trips int, at int64) int64 {
	d := r.recovery
	for range trips {
		d = min(2*d, r.longest)
	}
	share := big.NewInt(int64(r.jitter * (1 << 32)))
	most := min(share.Mul(share, big.NewInt(d)).Rsh(share, 32).Int64(), d-1)
	off := new(big.Int).SetUint64(rand.NewPCG(r.seed, uint64(at)).Uint64())
	return d - off.Mul(off, big.NewInt(most+1)).Rsh(off, 64).Int64()
}

// naiveCircuit is the breaker of one key, told of every admission and outcome in the order in which
// they take effect. Its periods are numbered by the world, and know nothing of the generations of
// the engine.
type naiveCircuit struct {
	state  breaker.State
	period uint64
	row    int               // closed: failures in a row
	good   int               // half-open: probes that succeeded
	bad    int               // half-open: probes that failed
	trips  int               // that make the next open time grow
	last   int64             // closed: the last failure
	since  int64             // closed: when a probe closed it
	until  int64             // open, and half-open since: when the first probe was due; forced: when that ends
	forced bool              // open or closed by hand
	due    int64             // likewise; or a recovery after the last outcome of a probe that counted
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
	for b.out > 0 && now-b.begun[0] >= r.lease {
		end := b.begun[0] + r.lease
		b.back(0)
		w.failed(b, end, 0)
	}
	switch {
	case b.state == breaker.Closed:
		if now-b.last >= r.forget {
			b.row = 0
		}
	case b.out == 0 && now-b.due >= r.abandoned():
		w.renew(b)
	}
	return b.state
}

func (w *world) period() uint64 {
	w.periods++
	return w.periods
}

func (w *world) renew(b *naiveCircuit) { *b = naiveCircuit{period: w.period()} }

// trip opens b at the instant at for so long.
func (w *world) trip(b *naiveCircuit, at, length int64) {
	until := at + min(length, math.MaxInt64-1-at)
	trips := w.grown(b, at)
	if next := w.circuit.recovery; next < w.circuit.longest {
		for range trips {
			next = min(2*next, w.circuit.longest)
		}
		if next < w.circuit.longest {
			trips++
		}
	}
	*b = naiveCircuit{state: breaker.Open, period: w.period(), trips: trips, until: until, due: until}
}

// grown is how many trips make the open time of b grow at now: one less for each recovery spent closed.
func (w *world) grown(b *naiveCircuit, now int64) int {
	if b.trips == 0 || b.state != breaker.Closed {
		return b.trips
	}
	return b.trips - int(min(int64(b.trips), (now-b.since)/w.circuit.recovery))
}

// probeReady is from when the circuit lets a call through; now if it does now.
func (w *world) probeReady(b *naiveCircuit, now int64) int64 {
	switch w.is(b, now) {
	case breaker.Open:
		return max(now, b.until)
	case breaker.HalfOpen:
		if b.out == w.circuit.probes || b.out+b.good == w.circuit.successes {
			end, bad := b.begun[0]+w.circuit.lease, b.bad
			for _, begun := range b.begun[:b.out] {
				if begun == b.begun[0] {
					bad++
				}
			}
			if bad > w.circuit.tolerated {
				return end + w.circuit.openTime(b.trips, end)
			}
			return end
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
		b.state, b.period = breaker.HalfOpen, w.period()
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

// outcome records how a call of this period ended. With a failure, the upstream may ask to be left alone.
func (w *world) outcome(b *naiveCircuit, now, lease int64, o Outcome, asked int64) {
	if b.state == breaker.Open || b.state == breaker.Closed && lease != 0 || b.forced {
		return
	}
	if b.state == breaker.HalfOpen {
		i := 0
		for ; i < b.out && b.begun[i]+w.circuit.lease != lease; i++ {
		}
		if i == b.out {
			return // no probe of this period: it was let through before the breaker opened, or its lease has ended
		}
		b.back(i)
	}
	switch {
	case o == Failure:
		w.failed(b, now, min(asked, w.circuit.mayAsk))
	case o == Success && b.state == breaker.Closed:
		b.row = 0
	case o == Success:
		b.good, b.due = b.good+1, now+w.circuit.recovery
		if b.good >= w.circuit.successes {
			*b = naiveCircuit{period: w.period(), trips: b.trips, since: now}
		}
	}
}

// back takes probe i out of those that are out.
func (b *naiveCircuit) back(i int) {
	copy(b.begun[i:], b.begun[i+1:b.out])
	b.out--
}

// failed counts a failure at the instant at.
func (w *world) failed(b *naiveCircuit, at, asked int64) {
	var opens bool
	if b.state == breaker.Closed {
		b.row, b.last = b.row+1, at
		opens = b.row >= w.circuit.threshold
	} else {
		b.bad, b.due = b.bad+1, at+w.circuit.recovery
		opens = b.bad > w.circuit.tolerated
	}
	switch {
	case opens:
		w.trip(b, at, max(asked, w.circuit.openTime(w.grown(b, at), at)))
	case asked > 0:
		w.trip(b, at, asked)
	}
}
