package engine

import (
	"fmt"
	"math"

	"github.com/limitpal/limitpal-go/breaker"
)

// keyNames are the keys.
var keyNames = func() (names [mostNames]string) {
	for i := range names {
		names[i] = fmt.Sprint("key-", i)
	}
	return names
}()

// account is what a name has had, whatever became of its cells: the naive models that every answer is compared with.
type account struct {
	site    *site // the cell that stands for it; nil when it is not known
	buckets [mostLimits]naiveBucket
	circuit naiveCircuit
	version uint64
	asNewAt int64 // the event at which it was as new for certain: reset, or retired
}

// mostWatches is how many callers may be in the midst of a step.
const mostWatches = 3

// watch is a caller at a gate that may be refused: the refusal is right if at some moment since it came the tokens were not there.
type watch struct {
	account *account
	n       int64
	turn    bool
	short   bool
}

// ready is the instant from which n tokens are there if nobody waits; now if they are there now.
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

// take takes n tokens at now, and checks the bound over all windows.
func (w *world) take(a *account, now, n int64, turn bool) {
	if at := w.bucketReady(a, now, n, turn); at > now {
		w.fail("%d tokens were granted %d ns too early", n, at-now)
	}
	a.version++
	for i := range w.limits {
		if excess := a.buckets[i].take(&w.limits[i], now, n); excess > 0 {
			w.fail("%d/%d tokens above capacity + rate × time in some window", excess, w.limits[i].per)
		}
	}
	for _, o := range w.watched {
		if o.account == a && w.bucketReady(a, now, o.n, o.turn) > now {
			o.short = true
		}
	}
}

// waiting is the queue of a, those included that have left and of whom the actor has not heard.
func (a *account) waiting() []waiter {
	if a.site == nil || a.site.player == nil {
		return nil
	}
	return a.site.player.queue
}

// forgive makes a as new, at now.
func (w *world) forgive(a *account, now int64) {
	a.version++
	a.asNewAt = w.events
	for i := range a.buckets {
		a.buckets[i] = naiveBucket{full: now, at: now}
	}
	w.renew(&a.circuit)
}

// asNew reports whether a is as one that was never used.
func (w *world) asNew(a *account, now int64) bool {
	for i := range w.limits {
		if a.buckets[i].full > now {
			return false
		}
	}
	return w.is(&a.circuit, now) == breaker.Closed && a.circuit.row == 0 && len(a.waiting()) == 0
}

// spilled is what a loses when its cell goes before it is as new: failures of a closed breaker, and a half-open one is as if the last
// success had opened it.
func (w *world) spilled(a *account) {
	c := &a.circuit
	if c.out > 0 || len(a.waiting()) > 0 {
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

// born is a new cell for a.
func (w *world) born(a *account, now int64) {
	w.is(&a.circuit, now)
	a.site.birthPeriod = a.circuit.period
}

// checkWord compares the bucket of a cell with the naive one. At a bucket that is full the word says only that it is.
func (w *world) checkWord(s *site, now int64) {
	if len(w.limits) == 0 {
		return
	}
	word := s.gate.word.Load()
	if word < 0 {
		var words []int64
		switch {
		case s.player != nil:
			words = s.player.state.words
		case s.rested:
			words = s.rest.words
		}
		for i := range w.limits {
			w.compareWord(words[i], s.account.buckets[i].full, now)
		}
		return
	}
	w.compareWord(word, s.account.buckets[0].full, now)
}

func (w *world) compareWord(word, full, now int64) {
	if max(word, now) != max(full, now) && full != math.MaxInt64 {
		w.fail("the bucket is full %d ns later than what was taken from it says", word-full)
	}
}
