package engine

import (
	"fmt"
	"math"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// keyNames are the keys.
var keyNames = func() (names [mostNames]string) {
	for i := range names {
		names[i] = fmt.Sprint("key-", i)
	}
	return names
}()

// account is what a name has had, whatever became of its cells: the naive models that every answer
// is compared with.
type account struct {
	number uint8 // of the name
	site   *site // the cell that stands for it; nil when it is not known
	books
	old     books // if stale: by the rules that the gate goes by
	stale   bool  // the gate goes by rules that have changed
	spilt   bool  // since the buckets began, a cell was spilled
	owes    bool  // since the buckets began, tokens were charged
	circuit naiveCircuit
	version uint64
	epoch   int   // of the buckets: a reset and a birth begin another
	lost    bool  // a report may have been lost, in a turn that panicked
	wentAt  int64 // the latest reading when its cell went
	cleanAt int64 // the event at which it was clean for certain: reset, or retired
	failing bool  // its actor refused a reset, having panicked too often
}

// behind is the instant from which n tokens are there behind all that wait.
func (w *world) behind(a *account, queue []waiter, now, n int64) int64 {
	if len(w.limits) == 1 {
		var tokens int64
		for i := range queue {
			tokens += queue[i].n
		}
		// A bucket that callers wait for has no idle moment until the last of them has been served.
		l := &w.limits[0]
		return max(now, l.ready(guard.Later(a.buckets[0].full, l.time(tokens)), n, true))
	}
	full := [mostLimits]int64{a.buckets[0].full, a.buckets[1].full}
	at := now
	for i := 0; i <= len(queue); i++ {
		tokens := n
		if i < len(queue) {
			tokens = queue[i].n
		}
		for j := range w.limits {
			at = max(at, w.limits[j].ready(full[j], tokens, true))
		}
		for j := range w.limits {
			full[j] = guard.Later(max(full[j], at), w.limits[j].time(tokens))
		}
	}
	return at
}

// takeTokens takes n tokens at now, and checks the bound over all windows.
func (w *world) takeTokens(a *account, now, n int64, turn bool) {
	b := a.atGate()
	if at := b.ready(now, n, turn); at > now {
		w.fail("%d tokens were granted %d ns too early", n, at-now)
	}
	w.watchFree(a)
	a.version++
	for i := range b.rules.limits {
		if excess := b.take(i, now, n); excess > 0 {
			w.fail("%d/%d tokens above capacity + rate × time in some window", excess, b.rules.limits[i].per)
		}
	}
	if a.stale {
		a.catchUp()
	}
	w.watchAllAt(a, now)
}

// waiting is the queue of a, those included that have left and of whom the actor has not heard.
func (a *account) waiting() []waiter {
	if a.site == nil {
		return nil
	}
	return a.site.queue
}

// waits is how many wait for tokens or for a place, likewise.
func (a *account) waits() int {
	if a.site == nil {
		return 0
	}
	return a.site.waits()
}

// forgive makes a as new, at now.
func (w *world) forgive(a *account, now int64) {
	a.version++
	a.epoch++
	a.cleanAt, a.failing, a.spilt, a.owes, a.rests = w.events, false, false, false, nil
	for i := range a.buckets {
		a.buckets[i] = naiveBucket{full: now, at: now, from: now}
	}
	w.renew(&a.circuit)
}

// isClean reports whether a equals an account that was never used.
func (w *world) isClean(a *account, now int64) bool {
	for i := range w.limits {
		if a.buckets[i].full > now {
			return false
		}
	}
	return w.is(&a.circuit, now) == breaker.Closed && a.circuit.row == 0 && !a.circuit.forced && a.circuit.grown(now) == 0 && !a.circuit.window.marked(a.circuit.rules, now) && a.waits() == 0
}

// spilled is what a loses when its cell goes before it is as new: failures of a closed breaker and the growth
// of its open time; and a half-open one is as if the last outcome that counted had opened it.
func (w *world) spilled(a *account, st *site) {
	a.spilt = true
	c := &a.circuit
	if c.out > 0 || c.forced || st.waits() > 0 {
		w.fail("a cell with a probe out, with a forced breaker or with callers in the queue was spilled")
	}
	switch c.state {
	case breaker.Closed:
		c.row, c.trips = 0, 0
		c.window.drop()
	case breaker.HalfOpen:
		a.version++
		c.become(naiveCircuit{state: breaker.Open, period: w.period(), trips: c.trips, until: c.due, due: c.due})
	}
}

// checkFullAt compares the buckets of a cell with the naive ones. If a bucket is full, full-at says
// only that.
func (w *world) checkFullAt(st *site, s *guard.State, now int64) {
	b := st.account.atGate()
	if len(b.rules.limits) == 0 {
		return
	}
	if fullAt := st.gate.FullAt(); fullAt >= 0 {
		w.compareFullAt(fullAt, b.buckets[0].full, now)
		return
	}
	for i := range b.rules.limits {
		w.compareFullAt(s.FullAts()[i], b.buckets[i].full, now)
	}
}

// checkBorn compares the buckets of a new cell with the naive ones. A reader that was stopped may
// be the first to use a key that was born later than the reading: then a full bucket is full as of
// the birth. A key that was spilled before the last change of the limits may also be empty as of
// the change: all that is remembered is that there was a debt.
func (w *world) checkBorn(st *site, s *guard.State, clean bool) {
	for i := range w.limits {
		b, fullAt := &st.account.buckets[i], st.gate.FullAt()
		if !clean {
			fullAt = s.FullAts()[i]
		}
		least := max(b.full, w.fresh.buckets[i].full)
		empty := guard.Later(w.changedAt, w.limits[i].burst())
		if stricter := fullAt > least && fullAt <= empty; !stricter || !st.account.spilt || w.changedAt == 0 {
			w.compareFullAt(fullAt, least, w.latest)
		}
		if fullAt > max(b.full, w.latest) {
			st.account.version++ // what was promised before is void
		}
		b.full = max(b.full, fullAt)
	}
}

func (w *world) compareFullAt(fullAt, full, now int64) {
	if max(fullAt, now) != max(full, now) && full != math.MaxInt64 {
		w.fail("the bucket is full %d ns later than what was taken from it says", fullAt-full)
	}
}

// accountOf is the account of a key.
func (w *world) accountOf(key string) *account {
	n := 0
	for _, d := range key[len("key-"):] {
		n = 10*n + int(d-'0')
	}
	a := &w.keys[n]
	a.number = uint8(n)
	return a
}
