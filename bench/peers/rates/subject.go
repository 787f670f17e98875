package rates

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// Subject is a breaker. Begin reports whether a call passes now; then End takes its result, once.
type Subject interface {
	Begin() (end func(fails bool), passes bool)
}

// Peer is a library with a breaker.
type Peer struct {
	Name  string
	New   func(Setting) Subject
	Rules map[Kind]Rules // by the kinds that the library has
}

// Peers returns the libraries.
func Peers() []Peer {
	return []Peer{
		{"gobreaker", newGoBreaker, map[Kind]Rules{
			OfTime: Rules(OwnSlices | SliceOfAdmission | OpenInclusive | NoLease),
			InARow: Rules(OpenInclusive | NoLease),
		}},
		{"failsafe-go", newFailsafe, map[Kind]Rules{
			OfTime:  Rules(SliceOfEnd | TripsOnSuccess | RoundedRate | LateResults | NoLease),
			OfCalls: Rules(LateResults | NoMinimum | NoLease),
			InARow:  Rules(LateResults | NoLease),
		}},
	}
}

var errFailed = errors.New("rates: the call failed")

func result(fails bool) error {
	if fails {
		return errFailed
	}
	return nil
}

type goBreaker struct {
	*gobreaker.TwoStepCircuitBreaker[struct{}]
}

// newGoBreaker counts calls that have ended: Counts.Requests also has those that have not.
func newGoBreaker(s Setting) Subject {
	st := gobreaker.Settings{MaxRequests: 1, Timeout: OpenTime}
	if s.Kind == OfTime {
		st.Interval, st.BucketPeriod = parts*Slice, Slice
		st.ReadyToTrip = func(c gobreaker.Counts) bool {
			calls := c.TotalSuccesses + c.TotalFailures
			return calls >= uint32(s.MinCalls) && float64(c.TotalFailures)/float64(calls) >= s.Rate
		}
	} else {
		st.ReadyToTrip = func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(s.Failures) }
	}
	return goBreaker{gobreaker.NewTwoStepCircuitBreaker[struct{}](st)}
}

func (b goBreaker) Begin() (func(bool), bool) {
	done, err := b.Allow()
	return func(fails bool) { done(result(fails)) }, err == nil
}

type failsafeBreaker struct {
	circuitbreaker.CircuitBreaker[struct{}]
}

func newFailsafe(s Setting) Subject {
	b := circuitbreaker.NewBuilder[struct{}]().WithDelay(OpenTime).WithSuccessThreshold(1)
	switch s.Kind {
	case OfTime:
		b.WithFailureRateThreshold(s.Rate, uint(s.MinCalls), parts*Slice)
	case OfCalls:
		b.WithFailureThresholdRatio(uint(s.Failures), uint(s.Of))
	default:
		b.WithFailureThreshold(uint(s.Failures))
	}
	return failsafeBreaker{b.Build()}
}

func (b failsafeBreaker) Begin() (func(bool), bool) {
	return func(fails bool) { b.RecordError(result(fails)) }, b.TryAcquirePermit()
}

// policy returns s as the policy of this module. Nothing is forgotten during a trace, as with the
// peers.
func policy(s Setting) breaker.Policy {
	p := breaker.Policy{RecoveryTimeout: OpenTime, ProbeTimeout: ProbeTime, ForgetAfter: 24 * time.Hour}
	switch s.Kind {
	case OfTime:
		p.FailureRate, p.MinCalls, p.Window = s.Rate, s.MinCalls, parts*Slice
	case OfCalls:
		p.FailureRate, p.MinCalls, p.WindowCalls = float64(s.Failures)/float64(s.Of), s.Of, s.Of
	default:
		p.FailureThreshold = s.Failures
	}
	return p
}

// circuit is the breaker of this module. Its slices are those of failsafe-go: a slice begins where
// the Unix time is a multiple of Slice.
type circuit struct {
	breaker.Circuit
	rules *breaker.Rules
}

// NewCircuit returns a breaker.Circuit of this module.
func NewCircuit(s Setting) Subject {
	generation := uint64(0)
	c := &circuit{rules: policy(s).Rules(func() uint64 { generation++; return generation })}
	c.Renew(c.rules)
	return c
}

func (c *circuit) Begin() (func(bool), bool) {
	now := time.Now().UnixNano()
	if c.Ready(c.rules, now) > now {
		return nil, false
	}
	permit := c.Admit(c.rules, now)
	return func(fails bool) {
		outcome := breaker.Success
		if fails {
			outcome = breaker.Failure
		}
		c.Report(c.rules, time.Now().UnixNano(), permit, outcome)
	}, true
}

// Engine is an engine of this module with one key.
type Engine struct{ *engine.Engine }

// NewEngine returns an engine, whose slices begin at the instant of the call, less a nanosecond.
func NewEngine(s Setting) (Engine, error) {
	p := policy(s)
	e, err := engine.New(engine.Config{Breaker: &p})
	return Engine{e}, err
}

// Begin asks for a ticket.
func (e Engine) Begin() (func(bool), bool) {
	ticket, err := e.Admit(context.Background(), "k")
	return func(fails bool) { ticket.Done(result(fails)) }, err == nil
}
