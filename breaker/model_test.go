package breaker_test

import (
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// model is the breaker done naively: it keeps every period and everything that ever happened in it, and works out each
// answer from those lists alone. Whether a failure is forgotten, how many are in a row, who is in flight: nothing of that
// is stored.
type model struct {
	threshold, successes, probes int
	recovery, lease, forget      int64
	periods                      []*period
}

// period is the time from one transition to the next.
type period struct {
	state   breaker.State
	begin   int64
	probes  []*visit // half-open: all that were ever let through
	reports []report
}

type visit struct {
	period *period
	at     int64
	back   bool
}

type report struct {
	at      int64
	outcome breaker.Outcome
}

func newModel(p breaker.Policy) *model {
	return &model{
		threshold: p.FailureThreshold, successes: p.HalfOpenSuccesses, probes: p.HalfOpenProbes,
		recovery: int64(p.RecoveryTimeout), lease: int64(p.ProbeTimeout), forget: int64(p.ForgetAfter),
		periods: []*period{{}},
	}
}

func (m *model) begin(s breaker.State, at int64) {
	m.periods = append(m.periods, &period{state: s, begin: at})
}

// present is the period that it is at now.
func (m *model) present(now int64) *period {
	p := m.periods[len(m.periods)-1]
	if p.state == breaker.HalfOpen {
		if end := m.firstEnd(p); end >= 0 && end <= now {
			m.begin(breaker.Open, end)
			return m.present(now)
		}
	}
	if p.state != breaker.Closed && len(m.inFlight(p)) == 0 && now >= m.forgotten(p) {
		m.begin(breaker.Closed, now)
		return m.present(now)
	}
	return p
}

// inFlight are the probes of p that are not back.
func (m *model) inFlight(p *period) (out []*visit) {
	for _, v := range p.probes {
		if !v.back {
			out = append(out, v)
		}
	}
	return out
}

// firstEnd is when the oldest probe in flight must be back, or -1.
func (m *model) firstEnd(p *period) int64 {
	if out := m.inFlight(p); len(out) > 0 {
		return out[0].at + m.lease
	}
	return -1
}

// forgotten is when a period that is not closed counts no more: ForgetAfter after the last that counted, and not before the recovery and
// ten more of them have passed since then.
func (m *model) forgotten(p *period) int64 {
	last := m.opened(p)
	for _, r := range p.reports {
		if r.outcome == breaker.Success {
			last = r.at
		}
	}
	return last + max(m.recovery+10*m.recovery, m.forget)
}

// opened is when the open period that p is, or that came before p, began.
func (m *model) opened(p *period) int64 {
	for i := len(m.periods) - 1; ; i-- {
		if m.periods[i].state == breaker.Open && m.periods[i].begin <= p.begin {
			return m.periods[i].begin
		}
	}
}

// failures are the failures in a row of a closed period, none of them longer than forget before the next, or before now.
func (m *model) failures(p *period, now int64) (n int) {
	next := now
	for i := len(p.reports) - 1; i >= 0; i-- {
		r := p.reports[i]
		if r.outcome == breaker.Ignore {
			continue
		}
		if r.outcome == breaker.Success || next-r.at >= m.forget {
			break
		}
		n, next = n+1, r.at
	}
	return n
}

// ready is from when a call passes if nothing happens; now if it passes now.
func (m *model) ready(now int64) int64 {
	p := m.present(now)
	switch {
	case p.state == breaker.Open:
		return max(now, p.begin+m.recovery)
	case p.state == breaker.HalfOpen && (len(m.inFlight(p)) >= m.probes || len(m.inFlight(p))+m.good(p) >= m.successes):
		return m.firstEnd(p) + m.recovery
	default:
		return now
	}
}

// good are the probes of p that succeeded.
func (m *model) good(p *period) (n int) {
	for _, r := range p.reports {
		if r.outcome == breaker.Success {
			n++
		}
	}
	return n
}

// admit lets a call through.
func (m *model) admit(now int64) *visit {
	if m.present(now).state == breaker.Open {
		m.begin(breaker.HalfOpen, now)
	}
	v := &visit{period: m.present(now), at: now}
	if v.period.state == breaker.HalfOpen {
		v.period.probes = append(v.period.probes, v)
	}
	return v
}

func (m *model) report(now int64, v *visit, o breaker.Outcome) {
	p := m.present(now)
	if v.period != p {
		return
	}
	v.back = true
	p.reports = append(p.reports, report{now, o})
	switch p.state {
	case breaker.Closed:
		if o == breaker.Failure && m.failures(p, now) >= m.threshold {
			m.begin(breaker.Open, now)
		}
	case breaker.HalfOpen:
		if o == breaker.Failure {
			m.begin(breaker.Open, now)
		} else if m.good(p) >= m.successes {
			m.begin(breaker.Closed, now)
		}
	}
}

// look is what Circuit.Look should answer.
func (m *model) look(now int64) look {
	p := m.present(now)
	wait := time.Duration(m.ready(now) - now)
	switch {
	case p.state == breaker.Closed:
		return look{breaker.Closed, m.failures(p, now), 0}
	case p.state == breaker.Open && wait > 0:
		return look{breaker.Open, 0, wait}
	default:
		return look{breaker.HalfOpen, 0, wait}
	}
}

// randomPolicy has small numbers, so that random schedules come across every edge.
func randomPolicy(r *rand.Rand) breaker.Policy {
	return breaker.Policy{
		FailureThreshold:  1 + r.IntN(3),
		RecoveryTimeout:   time.Duration(1 + r.IntN(10)),
		HalfOpenSuccesses: 1 + r.IntN(3),
		HalfOpenProbes:    1 + r.IntN(3),
		ProbeTimeout:      time.Duration(1 + r.IntN(10)),
		ForgetAfter:       time.Duration(1 + r.IntN(20)*(1+r.IntN(10))), // longer than eleven recoveries, or not
	}
}
