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
	number  uint8 // of the name
	site    *site // the cell that stands for it; nil when it is not known
	buckets [mostLimits]naiveBucket
	circuit naiveCircuit
	version uint64
	epoch   int   // of the buckets: a reset and a birth begin another
	lost    bool  // a report may have been lost, in a turn that panicked
	cleanAt int64 // the event at which it was clean for certain: reset, or retired
	failing bool  // its actor refused a reset, having panicked too often
}

// bucketReady is the instant from which n tokens are there if nobody waits; now if they are there
// now.
func (w *world) bucketReady(a *account, now, n int64, turn bool) int64 {
	at := now
	for i := range w.limits {
		at = max(at, w.limits[i].ready(a.buckets[i].full, n, turn))
	}
	return at
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
		return max(now, l.ready(a.buckets[0].full+tokens*l.interval, n, true))
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
			full[j] = max(full[j], at) + tokens*w.limits[j].interval
		}
	}
	return at
}

// takeTokens takes n tokens at now, and checks the bound over all windows.
func (w *world) takeTokens(a *account, now, n int64, turn bool) {
	if at := w.bucketReady(a, now, n, turn); at > now {
		w.fail("%d tokens were granted %d ns too early", n, at-now)
	}
	w.watchFree(a)
	a.version++
	for i := range w.limits {
		if excess := a.buckets[i].take(&w.limits[i], now, n); excess > 0 {
			w.fail("%d/%d tokens above capacity + rate × time in some window", excess, w.limits[i].per)
		}
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

// forgive makes a as new, at now.
func (w *world) forgive(a *account, now int64) {
	a.version++
	a.epoch++
	a.cleanAt, a.failing = w.events, false
	for i := range a.buckets {
		a.buckets[i] = naiveBucket{full: now, at: now}
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
	return w.is(&a.circuit, now) == breaker.Closed && a.circuit.row == 0 && len(a.waiting()) == 0
}

// spilled is what a loses when its cell goes before it is as new: failures of a closed breaker, and
// a half-open one is as if the last success had opened it.
func (w *world) spilled(a *account, st *site) {
	c := &a.circuit
	if c.out > 0 || len(st.queue) > 0 {
		w.fail("a cell with a probe out or with callers in the queue was spilled")
	}
	switch c.state {
	case breaker.Closed:
		c.row = 0
	case breaker.HalfOpen:
		a.version++
		w.trip(c, c.last)
	}
}

// checkFullAt compares the buckets of a cell with the naive ones. If a bucket is full, full-at says
// only that.
func (w *world) checkFullAt(st *site, s *guard.State, now int64) {
	if len(w.limits) == 0 {
		return
	}
	if fullAt := st.gate.FullAt(); fullAt >= 0 {
		w.compareFullAt(fullAt, st.account.buckets[0].full, now)
		return
	}
	for i := range w.limits {
		w.compareFullAt(s.FullAts()[i], st.account.buckets[i].full, now)
	}
}

// checkBorn compares the buckets of a new cell with the naive ones. A reader that was stopped may
// be the first to use a key that was born later than the reading: then a full bucket is full as of
// the birth.
func (w *world) checkBorn(st *site, s *guard.State, clean bool) {
	for i := range w.limits {
		b, fullAt := &st.account.buckets[i], st.gate.FullAt()
		if !clean {
			fullAt = s.FullAts()[i]
		}
		w.compareFullAt(fullAt, b.full, w.latest)
		if b.full < fullAt && fullAt <= w.latest {
			b.full = fullAt
		}
	}
}

func (w *world) compareFullAt(fullAt, full, now int64) {
	if len(w.limits) > 0 && max(fullAt, now) != max(full, now) && full != math.MaxInt64 {
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
