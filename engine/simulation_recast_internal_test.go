package engine

import "github.com/limitpal/limitpal-go/breaker"

// drawOtherBreaker draws another breaker, or switches it off or on.
func (w *world) drawOtherBreaker(s *setup) {
	was := s.cfg.Breaker
	if was != nil && w.oneIn(6) {
		s.cfg.Breaker, s.circuit = nil, naiveRulesOf(&breaker.Policy{})
		return
	}
	if w.drawBreaker(s); was == nil || w.oneIn(3) {
		return
	}
	other, p := s.cfg.Breaker, *was
	switch w.below(8) {
	case 0:
		p.FailureThreshold = other.FailureThreshold
	case 1:
		p.HalfOpenSuccesses, p.HalfOpenProbes, p.HalfOpenFailures = other.HalfOpenSuccesses, other.HalfOpenProbes, other.HalfOpenFailures
	case 2, 3:
		p.ProbeTimeout = other.ProbeTimeout
	case 4:
		p.ForgetAfter = other.ForgetAfter
	case 5:
		p.RecoveryTimeout, p.MaxRecovery, p.RecoveryJitter, p.Seed = other.RecoveryTimeout, other.MaxRecovery, other.RecoveryJitter, other.Seed
	default:
		p.FailureRate, p.SlowRate, p.SlowAfter = 0, 0, 0
		p.Window, p.WindowCalls, p.MinCalls = 0, 0, 0
		if w.oneIn(2) {
			w.drawRates(&p)
		}
	}
	s.cfg.Breaker, s.circuit = &p, naiveRulesOf(&p)
}

// noteBreaker takes note of what is another in the breaker of the rules that begin.
func (w *world) noteBreaker(next *rules) {
	w.recast = w.recast || *next.circuit != *w.rules.circuit || next.breaks != w.rules.breaks
	if next.breaks != w.rules.breaks {
		w.switched = next.number
	}
	w.recovers = max(w.recovers, next.circuit.longest+next.circuit.lease)
}

// switchedSince reports whether the breaker has been switched off or on since the rules r were in force.
func (w *world) switchedSince(r *rules) bool { return r != nil && w.switched > r.number }

// renews reports whether the breaker of a begins anew when the key follows the rules in force.
func (w *world) renews(a *account) bool { return a.stale && w.switchedSince(a.old.rules) }

// follow has a breaker go on by the next rules, as of the instant of the change.
func (w *world) follow(b *naiveCircuit, was, is *rules) {
	w.is(b, is.at)
	r := is.circuit
	switch {
	case b.forced && was.breaks != is.breaks:
		b.period = w.period()
	case was.breaks != is.breaks:
		w.renew(b)
	case b.state == breaker.Closed:
		left := b.grown(is.at)
		b.step += int64(b.trips-left) * b.rules.recovery // a step that is under way keeps its instant
		b.trips = min(left, r.doublings)
		if r.threshold == 0 {
			b.row = 0
		}
		b.window.follow(b.rules, r, is.at)
	default:
		b.trips = min(b.trips, r.doublings)
	}
	b.rules = r
}

// forgotten is follow for a key that is not known: only an open breaker is remembered.
func (b *naiveCircuit) forgotten(was, is *rules, w *world) {
	if was.breaks != is.breaks {
		w.renew(b)
	}
	b.rules = is.circuit // growth is bounded when the key comes back
}
