package engine

import (
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// expectation is the answer that a caller should get.
type expectation struct {
	err     error
	at      int64
	lease   int64
	under   bool
	period  uint64
	version uint64 // of the account when it was decided
}

// expectAt works out what the turn ought to do at now.
func (w *world) expectAt(now int64) {
	t := &w.turning
	st, a := t.site, t.site.account
	t.now, t.begun = now, true
	if t.fuse == atTransitions {
		t.before = *a
		t.line, t.moved = append(t.line[:0], st.queue...), st.moved
	}
	if t.message == nil || len(st.queue) > 0 {
		w.is(&a.circuit, now)
	}
	if m := t.message; m != nil {
		switch m.Kind {
		case guard.Ask:
			w.expectAsk(st, m)
		case guard.CancelWait:
			w.forget(st, m.Request)
		case guard.Report:
			w.expectReport(st, m)
		case guard.GiveBack:
			e := expectation{err: guard.ErrSpent}
			if st.state.Undoes(m.Request.Receipt) {
				w.returned(t.who)
				st.moved = now // held tokens were not there for those who wait
				e.err = nil
			}
			w.expect(t.who, e)
		case guard.Inspect:
			w.expectSnapshot(t.who, a, now)
			w.expect(t.who, expectation{})
		case guard.Reset:
			w.forgive(a, now)
			w.expect(t.who, expectation{})
		}
	}
	w.expectServed(st, a)
}

// expectReport counts an outcome.
func (w *world) expectReport(st *site, m *guard.Message) {
	a, now := st.account, w.turning.now
	period, known := w.periodOf[m.Permit.Generation]
	if !known {
		w.fail("a report of generation %d, which never was", m.Permit.Generation)
	}
	if m.FromPredecessor && !w.finals[period] && st.birthPeriod == a.circuit.period {
		w.fail("a report of period %d counts for a successor, and no cell was retired in that period", period)
	}
	w.is(&a.circuit, now)
	if period == a.circuit.period || m.FromPredecessor && st.birthPeriod == a.circuit.period {
		w.outcome(&a.circuit, now, m.Permit.Lease, m.Outcome)
	}
	a.version++
	if m.Request != nil {
		w.expect(w.turning.who, expectation{})
	}
}

func (w *world) expect(who *caller, e expectation) {
	w.turning.answers |= 1 << who.id
	w.turning.expected[who.id] = e
}

// expectAsk is the decision on an ask: breaker first, then limiter, debit last.
func (w *world) expectAsk(p *site, m *guard.Message) {
	a, who, d, now := p.account, w.turning.who, &m.Demand, w.turning.now
	for i := range w.limits {
		if a.buckets[i].at > now {
			w.fail("a turn decides at %d, and a token has been taken %d ns later", now, a.buckets[i].at-now)
		}
	}
	if !m.Stays && m.Request.Left() {
		return
	}
	under := d.Breaker && m.Permit.Lease != 0 && w.holds(&a.circuit, now, who.under)
	if d.Breaker && !under {
		if at := w.probeReady(&a.circuit, now); at > now {
			version := a.version
			if len(p.queue) > 0 {
				version = 0 // what it is told holds if those before it are served in time
			}
			at = w.earliest(a, now, max(at, w.passesBehind(a, p.queue, now, d.Tokens, bool(d.Mode))), true)
			w.expect(who, expectation{err: breaker.ErrOpen, at: at, version: version})
			return
		}
	}
	turn := bool(d.Mode)
	at, alone := w.bucketReady(a, now, d.Tokens, turn), a.version
	if len(p.queue) > 0 {
		alone = 0 // what it is told holds if those before it are served in time
		at = w.behind(a, p.queue, now, d.Tokens)
	} else if at <= now {
		w.expectGrant(a, who, w.turning.now, d.Tokens, d.Breaker, under, turn)
		return
	}
	switch {
	case d.Stay < 0 || w.maxWait < 0 || at-now > w.maxWait || at >= m.Until || !w.hasPlaces(a, p.queue, d.Tokens):
		w.expect(who, expectation{err: limiter.ErrLimited, at: w.earliest(a, now, at, d.Breaker), version: alone})
	case len(p.queue) >= w.maxQueue:
		w.expect(who, expectation{err: ErrQueueFull, at: w.earliest(a, now, at, d.Breaker)})
	default:
		a.version++
		p.queue = append(p.queue, waiter{req: m.Request, who: who, n: d.Tokens, since: w.turning.now, breaker: d.Breaker, under: asUnder(m, who)})
	}
}

// earliest is the instant from at on from which the breaker lets a call pass that asks it, if nothing
// else comes: the lease of a probe that is out now may have ended by then.
func (w *world) earliest(a *account, now, at int64, asks bool) int64 {
	if asks && at > now {
		b := a.circuit
		return max(at, w.probeReady(&b, at))
	}
	return at
}

// passesBehind is the instant from which the limits let n tokens pass, behind all that wait.
func (w *world) passesBehind(a *account, queue []waiter, now, n int64, turn bool) int64 {
	if len(queue) == 0 {
		return w.bucketReady(a, now, n, turn)
	}
	return w.behind(a, queue, now, n)
}

// hasPlaces reports whether every leaky bucket has places for n more.
func (w *world) hasPlaces(a *account, queue []waiter, n int64) bool {
	for i := range queue {
		n += queue[i].n
	}
	for i := range w.limits {
		l := &w.limits[i]
		taken := max(0, a.buckets[i].full-w.turning.now)
		if l.paced && n > (l.capacity*l.interval-taken)/l.interval {
			return false
		}
	}
	return true
}

// expectGrant takes the tokens, as of the instant due, and the place of a probe.
func (w *world) expectGrant(a *account, who *caller, due, n int64, asked, under, turn bool) {
	e := expectation{under: under}
	w.debitFor(who, a, due, n, turn)
	if asked && !under {
		e.lease = w.admit(&a.circuit, w.turning.now)
		e.period = a.circuit.period
	}
	w.expect(who, e)
}

// asUnder is the probe in whose function who makes its call, if the message says so too.
func asUnder(m *guard.Message, who *caller) naiveProbe {
	if m.Permit.Lease == 0 {
		return naiveProbe{}
	}
	return who.under
}

// reckoned is the instant from which the tokens of q, who is served now, are reckoned: when they
// were there and q waited, but at most ten milliseconds ago, and not before the last that were
// taken, or a reset, or while another was before q in p's queue that has left since.
func (w *world) reckoned(p *site, a *account, q *waiter) int64 {
	at := max(q.since, p.moved, w.turning.now-int64(10*time.Millisecond))
	for i := range w.limits {
		at = max(at, a.buckets[i].at)
	}
	return w.bucketReady(a, at, q.n, true)
}

// expectServed has the queue served, first come, first served.
func (w *world) expectServed(p *site, a *account) {
	now := w.turning.now
	if len(p.queue) == 0 {
		return
	}
	if at := w.probeReady(&a.circuit, now); at > now && a.circuit.state == breaker.Open {
		if p.queue[0].breaker {
			p.moved = now
		}
		var queue, refused []waiter
		for _, q := range p.queue {
			if !q.breaker {
				queue = append(queue, q)
			} else if !q.req.Left() {
				refused = append(refused, q)
			}
		}
		p.queue = append(p.queue[:0], queue...)
		for _, q := range refused {
			w.expect(q.who, expectation{err: breaker.ErrOpen, at: w.earliest(a, now, max(at, w.passesBehind(a, p.queue, now, q.n, true)), true)})
		}
	}
	served := 0
	for ; served < len(p.queue); served++ {
		q := &p.queue[served]
		if w.bucketReady(a, now, q.n, true) > now {
			break
		}
		under := q.breaker && w.holds(&a.circuit, now, q.under)
		if at := now; q.breaker && !under {
			if at = w.probeReady(&a.circuit, now); at > now {
				if !q.req.Left() {
					w.expect(q.who, expectation{err: breaker.ErrOpen, at: w.earliest(a, now, max(at, w.passesBehind(a, p.queue[served+1:], now, q.n, true)), true)})
				}
				p.moved = now
				continue
			}
		}
		if q.req.Left() {
			p.moved = now
			continue
		}
		w.expectGrant(a, q.who, w.reckoned(p, a, q), q.n, q.breaker, under, true)
	}
	p.queue = append(p.queue[:0], p.queue[served:]...)
}

// forget takes a caller that has left out of the queue.
func (w *world) forget(p *site, r *guard.Request) {
	for i := range p.queue {
		if p.queue[i].req == r {
			if i == 0 {
				p.moved = w.turning.now
			}
			p.queue = append(p.queue[:i], p.queue[i+1:]...)
			return
		}
	}
}

// expectSnapshot works out what Inspect ought to show.
func (w *world) expectSnapshot(c *caller, a *account, now int64) {
	to := &c.expected
	*to = guard.Snapshot{Limits: to.Limits[:0], Waiting: len(a.waiting())}
	for i := range w.limits {
		l := &w.limits[i]
		burst, used := l.capacity*l.interval, max(0, a.buckets[i].full-now)
		st := limiter.Status{Available: min(max(0, float64(burst-used)/float64(l.interval)), float64(l.capacity))}
		for _, q := range a.waiting() {
			st.Queued += int(q.n)
		}
		if l.paced {
			st.Available = max(0, st.Available-float64(st.Queued))
			st.Queued += int((used + l.interval - 1) / l.interval)
		}
		to.Limits = append(to.Limits, st)
	}
	at := w.probeReady(&a.circuit, now)
	to.Breaker, to.OpenFor = a.circuit.state, time.Duration(at-now)
	if to.Breaker == breaker.Closed {
		to.Failures = a.circuit.row
	}
	if to.Breaker == breaker.Open && at == now {
		to.Breaker = breaker.HalfOpen
	}
}
