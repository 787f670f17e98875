package breaker_test

import (
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// rates is the part of the model that judges by rates: it goes through all reports of a period for each answer.
type rates struct {
	failure, slow float64
	minCalls      int
	calls         int   // the window of calls; 0: of time
	width         int64 // of a slice
	forget        int64
}

func ratesOf(p breaker.Policy) rates {
	r := rates{failure: p.FailureRate, slow: p.SlowRate, minCalls: p.MinCalls, calls: p.WindowCalls, forget: int64(p.ForgetAfter)}
	if r.width = int64(p.Window) / 10; p.Window == 0 {
		r.width = int64(time.Second)
	}
	if r.minCalls == 0 {
		r.minCalls = 20
		if r.calls > 0 {
			r.minCalls = min(20, r.calls)
		}
	}
	return r
}

func (r rates) on() bool { return r.failure > 0 || r.slow > 0 }

// report takes note of a report. A failure, a slow call and the first outcome are in the slice of their own instant; a success is in the
// newest slice that an admission or one of those has begun.
func (r rates) report(p *period, rep report) {
	first := true
	for _, other := range p.reports {
		first = first && other.outcome == breaker.Ignore
	}
	if rep.outcome == breaker.Failure || rep.slow || first && rep.outcome != breaker.Ignore {
		p.begun = append(p.begun, rep.at)
	}
	for _, at := range p.begun {
		rep.slice = max(rep.slice, at/r.width)
	}
	p.reports = append(p.reports, rep)
}

// marks are the failures and slow calls of p that are not forgotten at now, by their index among the reports.
func (r rates) marks(p *period, now int64) (marked []int) {
	next := now
	for i := len(p.reports) - 1; i >= 0; i-- {
		rep := p.reports[i]
		if rep.outcome == breaker.Ignore || rep.outcome == breaker.Success && !rep.slow {
			continue
		}
		if next-rep.at >= r.forget {
			break
		}
		marked, next = append(marked, i), rep.at
	}
	return marked
}

// inWindow says whether report i of p is in the window at now.
func (r rates) inWindow(p *period, i int, now int64) bool {
	if r.calls == 0 {
		newest := now / r.width
		for _, at := range p.begun {
			newest = max(newest, at/r.width)
		}
		return p.reports[i].slice > newest-10
	}
	since := 0
	for _, rep := range p.reports[i:] {
		if rep.outcome != breaker.Ignore {
			since++
		}
	}
	return since <= r.calls
}

// counts are the calls in the window of the period that it is at now.
func (m *model) counts(now int64) (n breaker.Counts) {
	p := m.present(now)
	if p.state != breaker.Closed || !m.rates.on() {
		return n
	}
	return m.rates.count(p, now)
}

func (r rates) count(p *period, now int64) (n breaker.Counts) {
	marked := map[int]bool{}
	for _, i := range r.marks(p, now) {
		marked[i] = true
	}
	for i, rep := range p.reports {
		ends := rep.outcome == breaker.Failure || rep.slow
		switch {
		case rep.outcome == breaker.Ignore || !r.inWindow(p, i, now):
			continue
		case ends && !marked[i] && r.calls == 0:
			continue // forgotten; in a window of calls it stays a call
		}
		n.Calls++
		if marked[i] && rep.outcome == breaker.Failure {
			n.Failures++
		}
		if marked[i] && rep.slow {
			n.Slow++
		}
	}
	return n
}

// trips says whether the last report of p opens the breaker.
func (r rates) trips(_ *model, p *period, now int64) bool {
	n, last := r.count(p, now), p.reports[len(p.reports)-1]
	if !r.on() || n.Calls < r.minCalls {
		return false
	}
	return last.outcome == breaker.Failure && r.failure > 0 && float64(n.Failures)/float64(n.Calls) >= r.failure ||
		last.slow && r.slow > 0 && float64(n.Slow)/float64(n.Calls) >= r.slow
}

// until is when the last failure or slow call leaves the window of p if nothing else comes; 0 if there is none.
func (r rates) until(_ *model, p *period, now int64) (until int64) {
	if !r.on() {
		return 0
	}
	for _, i := range r.marks(p, now) {
		if !r.inWindow(p, i, now) {
			continue
		}
		at := p.reports[i].at + r.forget
		if r.calls == 0 {
			at = min(at, (p.reports[i].slice+10)*r.width)
		}
		until = max(until, at)
	}
	return until
}

// randomRates adds rates to a random policy.
func randomRates(r *rand.Rand) breaker.Policy {
	p := randomPolicy(r)
	p.FailureThreshold = []int{0, 0, 4 + r.IntN(9)}[r.IntN(3)]
	p.ForgetAfter = time.Duration(1 + r.IntN(400))
	p.FailureRate = []float64{0, 0.1, 0.3, 0.5, 0.75, 1, r.Float64()}[r.IntN(7)]
	if p.FailureRate == 0 || r.IntN(2) == 0 {
		p.SlowRate, p.SlowAfter = []float64{0.1, 0.3, 0.5, 0.8, 1}[r.IntN(5)], 1
	}
	p.MinCalls = 1 + r.IntN(8)
	if r.IntN(2) == 0 {
		p.WindowCalls = p.MinCalls + r.IntN(10)
	} else {
		p.Window = time.Duration(10 * (1 + r.IntN(12)))
	}
	return p
}
