package engine

import (
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// expectation is the answer that a caller should get.
type expectation struct {
	err     error
	at      int64
	lease   int64
	placed  bool
	under   bool
	rough   bool
	period  uint64
	version uint64 // of the account when it was decided
}

// expectAt works out what the turn ought to do at now.
func (w *world) expectAt(now int64) {
	t := w.turning
	st, a := t.site, t.site.account
	stale := a.stale
	if stale { // the turn is behind the change
		now = max(now, w.rules.at)
	}
	t.now, t.begun = now, true
	w.expectAdopt(st)
	if t.fuse == atTransitions {
		t.before = *a
		t.queue, t.moved, t.debits = append(t.queue[:0], st.queue...), st.moved, w.debits
		t.line = append(t.line[:0], st.line.queue...)
	}
	if t.message == nil || st.waits() > 0 || a.circuit.forced {
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
			w.expectGiveBack(st, t.who, !stale && st.state.Undoes(m.Request.Receipt))
		case guard.Look:
			w.expectLook(st, m)
		case guard.Inspect:
			w.expectSnapshot(t.who, a, now)
			w.expect(t.who, expectation{})
		case guard.Reset:
			w.forgive(a, now)
			st.moved = now
			w.expect(t.who, expectation{})
		case guard.Charge:
			w.expectCharge(st, m)
		case guard.Force:
			w.expectForce(a, m.Request.Forcing)
		}
	}
	w.expectServed(st, a)
}

// expectGiveBack is the end of a debit: the tokens come back if nobody has taken any since, and the
// limits have not changed.
func (w *world) expectGiveBack(st *site, who *caller, undoes bool) {
	if undoes {
		w.returned(who)
		st.moved = w.turning.now // held tokens were not there for those who wait
		w.expect(who, expectation{})
		return
	}
	if !who.mayStaySpent() {
		w.fail("the tokens of caller %d stay spent, and nobody has taken any since", who.id)
	}
	who.spent = true
	w.expect(who, expectation{err: guard.ErrSpent})
}

// expectReport counts an outcome.
func (w *world) expectReport(st *site, m *guard.Message) {
	a, now := st.account, w.turning.now
	period, known := w.periodOf[m.Permit.Generation]
	if !known && (m.Permit.Generation != 0 || w.switched == 0) { // 0: let through when there was no breaker
		w.fail("a report of generation %d, which never was", m.Permit.Generation)
	}
	if m.FromPredecessor && !w.finals[period] && st.birthPeriod == a.circuit.period {
		w.fail("a report of period %d counts for a successor, and no cell was retired in that period", period)
	}
	w.is(&a.circuit, now)
	if period == a.circuit.period || m.FromPredecessor && st.birthPeriod == a.circuit.period {
		w.outcome(&a.circuit, now, m.Permit.Lease, m.Outcome, w.wished(m), m.Slow)
	}
	a.version++
	if m.Answers != nil {
		w.expect(w.turning.who, expectation{})
	}
}

func (w *world) expect(who *caller, e expectation) {
	w.turning.answers |= 1 << who.id
	w.turning.expected[who.id] = e
}

// expectAsk is the decision on an ask: breaker first, then limiter, debit last.
func (w *world) expectAsk(st *site, m *guard.Message) {
	a, who, d, now := st.account, w.turning.who, &m.Demand, w.turning.now
	for i := range w.limits {
		if a.buckets[i].at > now && !w.dark {
			w.fail("a turn decides at %d, and a token has been taken %d ns later", now, a.buckets[i].at-now)
		}
	}
	if !m.Stays && m.Request.Left() {
		return
	}
	version := a.version
	if st.waits() > 0 {
		version = 0 // what it is told holds if those before it are served in time
	}
	under, at, waits, err := w.judge(st, m)
	if err == nil && waits {
		if d.Stay < 0 || w.maxWait < 0 || at-now > w.maxWait || at >= m.Until {
			err = limiter.ErrLimited
		} else {
			err = w.hasRoom(st, who, d)
		}
	}
	switch {
	case err == limiter.ErrExceedsCapacity:
		w.expect(who, expectation{err: err})
	case err != nil:
		e := expectation{err: err, at: w.passes(st, now, at, d.Tokens, bool(d.Mode), d.Breaker), version: version}
		if err == ErrQueueFull {
			e.version = 0
		}
		w.expect(who, e)
	case waits && !w.shadow:
		a.version++
		who.checkFree()
		who.checkPlaceless(false)
		st.enqueue(w.came(m))
	default:
		w.expectAdmission(st, m, under, max(now, at)) // in shadow nobody waits, and the tokens are those of later
	}
}

// came is who sent m as a waiter.
func (w *world) came(m *guard.Message) waiter {
	d, who, longest := &m.Demand, w.turning.who, w.maxWait
	if d.Stay > 0 {
		longest = min(longest, d.Stay)
	}
	return waiter{
		req: m.Request, who: who, n: d.Tokens, since: w.turning.now, until: guard.Later(guard.Later(w.turning.now, longest), 1),
		breaker: d.Breaker, split: d.Split, under: asUnder(m, who), from: who.from(),
	}
}

// expectLook is what would become of a demand. Nothing changes.
func (w *world) expectLook(st *site, m *guard.Message) {
	who, d, now := w.turning.who, &m.Demand, w.turning.now
	if after := m.Request.After; after >= 0 {
		w.expect(who, expectation{at: w.passes(st, now, guard.Later(now, after), d.Tokens, bool(d.Mode), d.Breaker)})
		return
	}
	_, at, waits, err := w.judge(st, m)
	switch {
	case err != nil || !waits:
	case d.Stay < 0 || w.maxWait < 0:
		err = limiter.ErrLimited
	default:
		err = w.hasRoom(st, who, d)
	}
	w.expect(who, expectation{err: err, at: at, rough: waits && (!st.exact(who.from()) || len(st.line.queue) > 0)})
}

// judge is from when the tokens of a demand are there, and whether it has to wait, even if they are there:
// nobody passes those who wait. The error is that of a breaker that lets no call pass.
func (w *world) judge(st *site, m *guard.Message) (under bool, at int64, waits bool, err error) {
	a, who, d, now := st.account, w.turning.who, &m.Demand, w.turning.now
	if under = d.Breaker && m.Permit.Lease != 0 && w.holds(&a.circuit, now, who.under); d.Breaker && !under {
		if at := w.probeReady(&a.circuit, now); at > now {
			return under, at, false, a.circuit.whyOpen()
		}
	}
	switch {
	case len(w.limits) == 0 || d.Tokens == 0:
		return under, now, false, nil
	case !w.rules.holds(d.Tokens):
		return under, 0, false, limiter.ErrExceedsCapacity
	case len(st.queue) == 0:
		at = a.ready(now, d.Tokens, bool(d.Mode))
		return under, at, at > now, nil
	default:
		return under, w.soonestIn(st, who.from(), now, d.Tokens), true, nil
	}
}

// hasRoom is why a demand of who may not wait, or nil.
func (w *world) hasRoom(st *site, who *caller, d *guard.Demand) error {
	switch {
	case !w.hasPlaces(st.account, st.queue, d.Tokens):
		return limiter.ErrLimited
	case st.inRow(who.from())+st.line.inRow(who.from()) >= w.maxQueue:
		return ErrQueueFull
	}
	return nil
}

// earliest is the instant from at on from which the breaker lets a call pass that asks it, if nothing
// else comes: the lease of a probe that is out now may have ended by then.
func (w *world) earliest(a *account, at int64, asks bool) int64 {
	if asks {
		b := a.circuit
		return max(at, w.probeReady(&b, at))
	}
	return at
}

// passesBehind is the instant from which the limits let n tokens pass, behind all that wait.
func (w *world) passesBehind(a *account, queue []waiter, now, n int64, turn bool) int64 {
	if len(queue) == 0 {
		return a.ready(now, n, turn)
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
		if l.paced && n > (l.burst()-taken)/l.interval {
			return false
		}
	}
	return true
}

// grant is what a caller gets in a turn.
type grant struct {
	due, n int64 // tokens, as of an instant
	asked  bool  // whether the breaker gives a permit
	under  bool  // or the call is made under a probe
	turn   bool  // whether the tokens come in turn
	placed bool
}

// expectGrant takes the tokens, as of the instant due, the place, and the place of a probe.
func (w *world) expectGrant(a *account, who *caller, g grant) {
	e := expectation{under: g.under, placed: g.placed}
	if a.version++; g.n > 0 {
		w.debitFor(who, a, g.due, g.n, g.turn)
	}
	if g.placed {
		who.enters(a.site)
	}
	if g.asked && !g.under {
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
		if taken := a.buckets[i].at; taken <= w.turning.now { // in shadow they may have been those of later
			at = max(at, taken)
		}
	}
	return a.ready(at, q.n, true)
}
