package engine

import (
	"math"
	"slices"

	"github.com/limitpal/limitpal-go/breaker"
)

// naiveCircuit is the breaker of one key, told of every admission and outcome in the order in which
// they take effect. Its periods are numbered by the world, and know nothing of the generations of
// the engine.
type naiveCircuit struct {
	state  breaker.State
	period uint64
	row    int               // closed: failures in a row, if they open the breaker
	good   int               // half-open: probes that succeeded
	bad    int               // half-open: probes that failed
	trips  int               // that make the next open time grow
	last   int64             // closed: the last failure or slow call
	step   int64             // closed: when one of trips is next taken off
	until  int64             // open, and half-open since: when the first probe was due; forced: when that ends
	forced bool              // open or closed by hand
	due    int64             // likewise; or a recovery after the last outcome of a probe that counted
	ends   [mostProbes]int64 // when the leases of the probes that are out end, in order
	out    int               // how many
	window naiveWindow       // closed

	rules *naiveRules // by which the gate goes
}

// become makes another circuit of b, by the same rules.
func (b *naiveCircuit) become(c naiveCircuit) {
	c.rules = b.rules
	*b = c
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
	return slices.Contains(b.ends[:b.out], p.lease)
}

// is brings the circuit to now and returns its state.
func (w *world) is(b *naiveCircuit, now int64) breaker.State {
	r := b.rules
	if b.forced && now < b.until {
		return b.state
	}
	if b.forced {
		w.renew(b)
	}
	for b.out > 0 && now >= b.ends[0] {
		end := b.ends[0]
		b.back(0)
		w.failed(b, end, 0, false)
	}
	switch {
	case b.state == breaker.Closed:
		b.window.leave(r, now)
		if now-b.last >= r.forget {
			b.row = 0
			b.window.forget(r, math.MaxInt64)
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

func (w *world) renew(b *naiveCircuit) { b.become(naiveCircuit{period: w.period()}) }

// trip opens b at the instant at for so long.
func (w *world) trip(b *naiveCircuit, at, length int64) {
	until := at + min(length, math.MaxInt64-1-at)
	trips := min(b.grown(at)+1, b.rules.doublings)
	b.become(naiveCircuit{state: breaker.Open, period: w.period(), trips: trips, until: until, due: until})
}

// grown is how many trips make the open time of b grow at now: one less for each recovery spent closed.
func (b *naiveCircuit) grown(now int64) int {
	if b.trips == 0 || b.state != breaker.Closed || now < b.step {
		return b.trips
	}
	return b.trips - int(min(int64(b.trips), 1+(now-b.step)/b.rules.recovery))
}

// full reports whether no probe more is let through while so many are out.
func (b *naiveCircuit) full(out int) bool {
	return out >= min(b.rules.probes, max(1, b.rules.successes-b.good))
}

// probeReady is from when the circuit lets a call through; now if it does now.
func (w *world) probeReady(b *naiveCircuit, now int64) int64 {
	switch w.is(b, now) {
	case breaker.Open:
		return max(now, b.until)
	case breaker.HalfOpen:
		if !b.full(b.out) {
			return now
		}
		ended := 0
		for at := b.ends[0]; ; at = b.ends[ended] {
			for ; ended < b.out && b.ends[ended] == at; ended++ {
			}
			switch {
			case b.bad+ended > b.rules.tolerated:
				return at + b.rules.openTime(b.trips, at)
			case !b.full(b.out - ended):
				return at
			}
		}
	}
	return now
}

// admit lets a call through at now and returns the end of its lease, 0 if it is no probe.
func (w *world) admit(b *naiveCircuit, now int64) (lease int64) {
	switch w.is(b, now) {
	case breaker.Closed:
		b.window.open(b.rules, now)
		return 0
	case breaker.Open:
		b.state, b.period = breaker.HalfOpen, w.period()
	}
	if b.full(b.out) {
		w.fail("a probe more than is allowed or needed: %d are out, %d of %d have succeeded", b.out, b.good, b.rules.successes)
	}
	lease = now + b.rules.lease
	i := b.out
	for ; i > 0 && b.ends[i-1] > lease; i-- { // by other rules leases were longer
		b.ends[i] = b.ends[i-1]
	}
	b.ends[i] = lease
	b.out++
	return lease
}

// outcome records how a call of this period ended. With a failure, the upstream may ask to be left alone.
func (w *world) outcome(b *naiveCircuit, now, lease int64, o Outcome, asked int64, slow bool) {
	if b.state == breaker.Open || b.state == breaker.Closed && lease != 0 || b.forced {
		return
	}
	if b.state == breaker.HalfOpen {
		i := slices.Index(b.ends[:b.out], lease)
		if i < 0 {
			return // no probe of this period: it was let through before the breaker opened, or its lease has ended
		}
		b.back(i)
	}
	r := b.rules
	slow = slow && r.slow > 0
	switch {
	case o == Failure:
		w.failed(b, now, min(asked, r.mayAsk), slow)
	case o == Success && slow && b.state == breaker.HalfOpen:
		w.failed(b, now, 0, true)
	case o == Success && slow:
		b.row, b.last = 0, now
		if b.window.mark(r, now, false, true) {
			w.trip(b, now, r.openTime(b.grown(now), now))
		}
	case o == Success && b.state == breaker.Closed:
		b.row = 0
		b.window.succeed(r, now)
	case o == Success:
		b.good, b.due = b.good+1, now+r.recovery
		if b.good >= r.successes {
			b.become(naiveCircuit{period: w.period(), trips: b.trips, step: now + r.recovery})
		}
	}
}

// back takes probe i out of those that are out.
func (b *naiveCircuit) back(i int) {
	copy(b.ends[i:], b.ends[i+1:b.out])
	b.out--
}

// failed counts a failure at the instant at.
func (w *world) failed(b *naiveCircuit, at, asked int64, slow bool) {
	r := b.rules
	var opens bool
	if b.state == breaker.Closed {
		b.last = at
		opens = b.window.mark(r, at, true, slow)
		if r.threshold > 0 {
			b.row++
			opens = opens || b.row >= r.threshold
		}
	} else {
		b.bad, b.due = b.bad+1, at+r.recovery
		opens = b.bad > r.tolerated
	}
	switch {
	case opens:
		w.trip(b, at, max(asked, r.openTime(b.grown(at), at)))
	case asked > 0:
		w.trip(b, at, asked)
	}
}
