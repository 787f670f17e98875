package breaker_test

import (
	"fmt"
	"testing"

	"github.com/limitpal/limitpal-go/breaker"
)

// duel is a circuit and the model of it, given the same schedule.
type duel struct {
	*machine
	model    *model
	policy   breaker.Policy
	permits  []breaker.Permit
	visits   []*visit
	periods  map[uint64]*period // by generation
	reported []bool
}

func newDuel(t testing.TB, p breaker.Policy) *duel {
	return &duel{machine: newMachine(t, p), model: newModel(p), policy: p, periods: map[uint64]*period{}}
}

// call asks both for leave.
func (d *duel) call() error {
	want := d.model.ready(d.now)
	if got := max(d.now, d.Ready(d.rules, d.now)); got != want {
		return fmt.Errorf("%+v at %d: ready at %d, the model has %d", d.policy, d.now, got, want)
	}
	if p, ok := d.machine.call(); ok {
		d.permits, d.visits = append(d.permits, p), append(d.visits, d.model.admit(d.now))
		d.reported = append(d.reported, false)
	}
	return d.compare()
}

// end reports the outcome of call i, which was not reported before. With a failure, the upstream may ask to be left alone for so long.
func (d *duel) end(i int, o breaker.Outcome, asked int64) error {
	d.reported[i] = true
	d.machine.end(d.permits[i], o, asked)
	d.model.report(d.now, d.visits[i], o, asked, false)
	return d.compare()
}

// endSlow is end for a call that was slow.
func (d *duel) endSlow(i int, o breaker.Outcome, asked int64) error {
	d.reported[i] = true
	d.machine.slow(d.permits[i], o, asked)
	d.model.report(d.now, d.visits[i], o, asked, true)
	return d.compare()
}

// compare looks at both, and at what holds in every state.
func (d *duel) compare() error {
	want := d.model.look(d.now)
	if got := d.machine.look(); got != want {
		return fmt.Errorf("%+v at %d: looks %+v, the model %+v", d.policy, d.now, got, want)
	}
	if got, want := d.Window(d.rules, d.now), d.model.counts(d.now); got != want {
		return fmt.Errorf("%+v at %d: %+v in the window, the model has %+v", d.policy, d.now, got, want)
	}
	if got, want := max(d.now, d.CleanAt(d.rules)), d.model.cleanAt(d.now); got != want || d.Clean() != (want <= d.now) {
		return fmt.Errorf("%+v at %d: clean at %d, the model at %d", d.policy, d.now, got, want)
	}
	p := d.model.present(d.now)
	if known, ok := d.periods[d.Generation()]; ok && known != p {
		return fmt.Errorf("%+v at %d: generation %d for two periods", d.policy, d.now, d.Generation())
	}
	d.periods[d.Generation()] = p
	if n := len(d.model.inFlight(p)); n > d.policy.HalfOpenProbes {
		return fmt.Errorf("%+v at %d: %d probes in flight", d.policy, d.now, n)
	} else if good := d.model.good(p); p.state == breaker.HalfOpen && n+good > d.policy.HalfOpenSuccesses {
		return fmt.Errorf("%+v at %d: %d probes in flight, and %d have succeeded", d.policy, d.now, n, good)
	}
	later := *d.machine // liveness: whoever reports nothing is waited for no longer than this
	later.now += int64(d.policy.ProbeTimeout + max(d.policy.RecoveryTimeout, d.policy.MaxRecovery))
	if later.Ready(later.rules, later.now) > later.now {
		return fmt.Errorf("%+v at %d: no call passes even at %d", d.policy, d.now, later.now)
	}
	return nil
}
