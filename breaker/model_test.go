package breaker_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// model is the breaker done naively: it keeps every period and everything that ever happened in it, and works out each
// answer from those lists alone. Whether a failure is forgotten, how many are in a row, who is in flight: nothing of that
// is stored.
type model struct {
	threshold, successes, probes int
	tolerated                    int
	recovery, lease, forget      int64
	longest, mayAsk              int64
	jitter                       float64
	seed                         uint64
	rates                        rates
	periods                      []*period
}

// period is the time from one transition to the next.
type period struct {
	state   breaker.State
	begin   int64
	asked   int64    // open: how long the upstream asked for; 0 if it did not
	early   bool     // open: only because the upstream asked
	probes  []*visit // half-open: all that were ever let through
	reports []report
	begun   []int64 // the instants of the admissions and failures
}

type visit struct {
	period *period
	at     int64
	back   bool
}

type report struct {
	at      int64
	outcome breaker.Outcome
	slow    bool
	slice   int64 // of a window of time
}

func newModel(p breaker.Policy) *model {
	return &model{
		threshold: p.FailureThreshold, successes: p.HalfOpenSuccesses, probes: p.HalfOpenProbes,
		recovery: int64(p.RecoveryTimeout), lease: int64(p.ProbeTimeout), forget: int64(p.ForgetAfter),
		tolerated: p.HalfOpenFailures, longest: int64(max(p.MaxRecovery, p.RecoveryTimeout)), mayAsk: int64(p.MaxRecovery),
		jitter: p.RecoveryJitter, seed: p.Seed, rates: ratesOf(p),
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
			m.inFlight(p)[0].back = true
			m.fail(p, end, 0, false)
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

// forgotten is when a period that is not closed counts no more: ForgetAfter, of which a recovery has passed, or ten recoveries after
// the first probe could come or, if a probe has counted since, a recovery after that.
func (m *model) forgotten(p *period) int64 {
	probe := m.opened(len(m.periods) - 1)
	for _, r := range p.reports {
		if r.outcome != breaker.Ignore {
			probe = r.at + m.recovery
		}
	}
	return probe + max(10*m.recovery, m.forget-m.recovery)
}

// opened is when the first probe may come of the open period that period i is, or that came before it.
func (m *model) opened(i int) int64 {
	for m.periods[i].state != breaker.Open {
		i--
	}
	return m.periods[i].begin + m.length(i)
}

// length is how long period i is open.
func (m *model) length(i int) int64 {
	p := m.periods[i]
	if p.early {
		return p.asked
	}
	return max(p.asked, m.due(i, p.begin))
}

// due is how long period i would be open if the failures alone opened it at the instant at.
func (m *model) due(i int, at int64) int64 {
	d := m.recovery
	for range m.growth(i) {
		d = min(2*d, m.longest)
	}
	share := big.NewInt(int64(m.jitter * (1 << 32)))
	most := share.Mul(share, big.NewInt(d)).Rsh(share, 32).Int64()
	off := new(big.Int).SetUint64(rand.NewPCG(m.seed, uint64(at)).Uint64())
	off.Mul(off, big.NewInt(min(most, d-1)+1)).Rsh(off, 64)
	return d - off.Int64()
}

// growth is how often the open time has doubled when period i begins: once for each trip before, as far as that makes a difference, and
// once less for each recovery spent closed since. A breaker that is forgotten starts over.
func (m *model) growth(i int) (n int) {
	for j, p := range m.periods[:i] {
		switch {
		case p.state == breaker.Open:
			if m.recovery<<n < m.longest {
				n++
			}
		case p.state == breaker.Closed && m.anew(j):
			n = 0
		case p.state == breaker.Closed:
			n -= int(min((m.periods[j+1].begin-p.begin)/m.recovery, int64(n)))
		}
	}
	return n
}

// anew says of a closed period that no probes brought it about.
func (m *model) anew(i int) bool { return i == 0 || m.good(m.periods[i-1]) < m.successes }

// cleanAt is when nothing is left of all that happened, if nothing else comes.
func (m *model) cleanAt(now int64) int64 {
	p, i := m.present(now), len(m.periods)-1
	switch {
	case len(m.inFlight(p)) > 0:
		return math.MaxInt64
	case p.state != breaker.Closed:
		return m.forgotten(p)
	}
	at := now
	if !m.anew(i) {
		at = max(now, p.begin+int64(m.growth(i))*m.recovery)
	}
	if until := m.rates.until(m, p, now); until > now {
		at = max(at, until)
	}
	if m.failures(p, now) > 0 {
		for _, r := range p.reports {
			if r.outcome == breaker.Failure {
				at = max(at, r.at+m.forget)
			}
		}
	}
	return at
}

// failures are the failures in a row of a closed period, none of them longer than forget before the next, or before now.
func (m *model) failures(p *period, now int64) (n int) {
	if m.threshold == 0 {
		return 0
	}
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
		return max(now, m.opened(len(m.periods)-1))
	case p.state == breaker.HalfOpen && (len(m.inFlight(p)) >= m.probes || len(m.inFlight(p))+m.count(p, breaker.Success) >= m.successes):
		end, failures := m.firstEnd(p), m.count(p, breaker.Failure)
		for _, v := range m.inFlight(p) {
			if v.at+m.lease == end {
				failures++
			}
		}
		if failures > m.tolerated {
			return end + m.due(len(m.periods), end)
		}
		return end
	default:
		return now
	}
}

// count is how many reports of p have the outcome.
func (m *model) count(p *period, o breaker.Outcome) (n int) {
	for _, r := range p.reports {
		if r.outcome == o {
			n++
		}
	}
	return n
}

// good are the probes of p that succeeded.
func (m *model) good(p *period) int { return m.count(p, breaker.Success) }

// admit lets a call through.
func (m *model) admit(now int64) *visit {
	if m.present(now).state == breaker.Open {
		m.begin(breaker.HalfOpen, now)
	}
	v := &visit{period: m.present(now), at: now}
	v.period.begun = append(v.period.begun, now)
	if v.period.state == breaker.HalfOpen {
		v.period.probes = append(v.period.probes, v)
	}
	return v
}

// report is the end of a call. With a failure, the upstream may ask for an open time.
func (m *model) report(now int64, v *visit, o breaker.Outcome, asked int64, slow bool) {
	slow = slow && m.rates.slow > 0 && o != breaker.Ignore
	p := m.present(now)
	if v.period != p || v.back {
		return
	}
	v.back = true
	if o == breaker.Failure || o == breaker.Success && slow && p.state == breaker.HalfOpen {
		if o == breaker.Success {
			asked = 0
		}
		m.fail(p, now, min(asked, m.mayAsk), slow)
		return
	}
	m.rates.report(p, report{at: now, outcome: o, slow: slow})
	if o == breaker.Success && slow && m.rates.trips(m, p, now) {
		m.begin(breaker.Open, now)
	}
	if p.state == breaker.HalfOpen && m.good(p) >= m.successes {
		m.begin(breaker.Closed, now)
	}
}

// fail is a failure in p.
func (m *model) fail(p *period, at, asked int64, slow bool) {
	m.rates.report(p, report{at: at, outcome: breaker.Failure, slow: slow})
	trips := p.state == breaker.Closed && (m.threshold > 0 && m.failures(p, at) >= m.threshold || m.rates.trips(m, p, at)) ||
		p.state == breaker.HalfOpen && m.count(p, breaker.Failure) > m.tolerated
	if trips || asked > 0 {
		m.begin(breaker.Open, at)
		opened := m.periods[len(m.periods)-1]
		opened.asked, opened.early = asked, !trips
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
