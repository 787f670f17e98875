package rates

import (
	"math"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// Model is a breaker that goes through all results of its period for each answer. Without Rules the
// breaker is that of this module.
type Model struct {
	Setting
	Rules

	state   breaker.State
	period  int           // the number of changes of the state so far
	begun   time.Duration // when the period began
	until   time.Duration // open: the end of the open time; half-open: the end of the probe's lease
	newest  int           // closed: the newest slice that an admission or a result has begun
	results []counted     // closed
}

// counted is a result in the window.
type counted struct {
	slice int
	fails bool
}

// Permit is the leave to make a call.
type Permit struct {
	period, slice int
}

// NewModel returns the breaker of t.
func NewModel(t Trace, rules Rules) *Model {
	return &Model{Setting: t.Setting, Rules: rules, begun: t.Calls[0].At}
}

// slice returns the number of the slice in which now is.
func (m *Model) slice(now time.Duration) int {
	if m.has(OwnSlices) {
		now -= m.begun
	}
	return int(now / Slice)
}

// become begins a period.
func (m *Model) become(s breaker.State, now, until time.Duration) {
	m.state, m.begun, m.until, m.results, m.newest = s, now, until, nil, 0
	m.period++
}

func (m *Model) trip(at time.Duration) { m.become(breaker.Open, at, at+OpenTime) }

// advance opens a half-open breaker whose probe has not come back in time.
func (m *Model) advance(now time.Duration) {
	if m.state == breaker.HalfOpen && !m.has(NoLease) && m.until <= now {
		m.trip(m.until)
	}
}

// Begin reports whether a call passes now.
func (m *Model) Begin(now time.Duration) (Permit, bool) {
	m.advance(now)
	switch m.state {
	case breaker.Closed:
		if len(m.results) > 0 {
			m.newest = max(m.newest, m.slice(now))
		}
		return Permit{m.period, m.slice(now)}, true
	case breaker.Open:
		if now < m.until || now == m.until && m.has(OpenInclusive) {
			return Permit{}, false
		}
		m.become(breaker.HalfOpen, now, now+ProbeTime)
		return Permit{period: m.period}, true
	default:
		return Permit{}, false // one probe is out
	}
}

// End takes the result of a call that passed.
func (m *Model) End(p Permit, fails bool, now time.Duration) {
	m.advance(now)
	switch {
	case p.period != m.period && !m.has(LateResults) || m.state == breaker.Open:
	case m.state == breaker.HalfOpen && fails:
		m.trip(now)
	case m.state == breaker.HalfOpen:
		m.become(breaker.Closed, now, 0)
	default:
		m.count(p, fails, now)
		if (fails || m.has(TripsOnSuccess)) && m.tooMany(now) {
			m.trip(now)
		}
	}
}

// count puts a result into its slice.
func (m *Model) count(p Permit, fails bool, now time.Duration) {
	slice := m.slice(now)
	if fails || len(m.results) == 0 || m.has(SliceOfEnd) {
		m.newest = max(m.newest, slice)
	} else {
		slice = m.newest
	}
	if m.has(SliceOfAdmission) {
		slice = p.slice
	}
	m.results = append(m.results, counted{slice, fails})
}

// tooMany reports whether the results in the window open the breaker.
func (m *Model) tooMany(now time.Duration) bool {
	calls, failures := 0, 0
	for i, r := range m.results {
		if m.Kind == OfTime && r.slice <= max(m.newest, m.slice(now))-parts || m.Kind == OfCalls && i < len(m.results)-m.Of {
			continue
		}
		calls++
		if r.fails {
			failures++
		} else if m.Kind == InARow {
			failures = 0
		}
	}
	switch m.Kind {
	case OfTime:
		rate := float64(failures) / float64(max(1, calls))
		if m.has(RoundedRate) {
			rate = math.Round(rate*100) / 100
		}
		return calls >= m.MinCalls && rate >= m.Rate
	case OfCalls:
		return failures >= m.Failures && (calls == m.Of || m.has(NoMinimum))
	default:
		return failures >= m.Failures
	}
}

// Decide returns the decision of the model about each call of t.
func Decide(t Trace, rules Rules) []bool {
	m := NewModel(t, rules)
	permits, passed := make([]Permit, len(t.Calls)), make([]bool, len(t.Calls))
	for _, e := range t.events() {
		if !e.ends {
			permits[e.call], passed[e.call] = m.Begin(e.at)
		} else if passed[e.call] {
			m.End(permits[e.call], t.Calls[e.call].Fails, e.at)
		}
	}
	return passed
}
