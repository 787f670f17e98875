package linear_test

import (
	"slices"

	"github.com/anishathalye/porcupine"
)

// search returns the specification of one history and its operations, as porcupine wants them.
func (r *rules) search(seen []*operation) (porcupine.Model, []porcupine.Operation) {
	r.holds = slices.ContainsFunc(seen, func(o *operation) bool { return o.kind == release })
	r.forces = slices.ContainsFunc(seen, func(o *operation) bool { return o.kind == force })
	var operations []porcupine.Operation
	for _, o := range r.foresee(seen) {
		operations = append(operations, porcupine.Operation{ClientId: int(o.client), Input: o, Call: o.call, Return: o.until})
	}
	if r.others != nil {
		changed := *r
		changed.limits, changed.others = r.others, r.limits
		r.changed = &changed
	}
	return r.model(), operations
}

// model is the specification as porcupine wants it.
func (r *rules) model() porcupine.Model {
	begin := &state{levels: r.fresh(), newborn: r.fresh()}
	if !r.evicts && !r.spills && !r.holds && !r.forces && !r.rated() {
		return porcupine.Model{
			Init:  func() any { return begin },
			Equal: equal,
			Hash:  hash,
			Step: func(s, in, _ any) (bool, any) {
				after := r.next(s.(*state), in.(*operation), doubt{})
				return after != nil, after
			},
		}
	}
	several := porcupine.NondeterministicModel{
		Init:  func() []any { return []any{begin} },
		Equal: equal,
		Hash:  hash,
		Step: func(s, in, _ any) (after []any) {
			o, present := in.(*operation), s.(*state)
			if present.claimed(o) {
				return nil // at once, since that is nearly always so
			}
			r.steps(&after, present, o)
			if back, ok := r.forgotten(present); ok {
				r.steps(&after, &back, o)
			}
			if back, ok := r.rested(present); ok {
				r.steps(&after, &back, o)
			}
			return after
		},
	}
	return several.ToModel()
}

// equal is == of two states. The search has pointers to them, since copies of a state would take
// longer than most steps.
func equal(one, other any) bool { return *one.(*state) == *other.(*state) }

// hash tells apart, for most, the states that the same operations lead to.
func hash(of any) uint64 {
	s := of.(*state)
	sum := uint64(s.now)
	add := func(n int) { sum = (sum ^ uint64(n)) * 0x100000001b3 }
	add(s.levels[0])
	add(s.levels[1])
	if s.changed {
		add(1)
	}
	add(s.circuit.probeAt<<16 ^ s.circuit.last)
	add(s.circuit.trips<<16 ^ s.circuit.since<<4 ^ s.circuit.bad)
	if s.forced.on {
		add(s.forced.until<<1 ^ int(s.forced.to))
	}
	if w := &s.circuit.window; w.counts {
		w.hash(add)
	}
	add(s.circuit.failures<<8 ^ s.circuit.successes<<4 ^ int(s.circuit.state))
	for i := range s.tickets {
		t := &s.tickets[i]
		if t.serial == 0 {
			break
		}
		bits := int(t.serial)
		for _, is := range [...]bool{t.current, t.sent, t.slow, t.gated, t.orphan} {
			bits <<= 1
			if is {
				bits++
			}
		}
		add(bits)
	}
	for _, w := range s.line[:s.waiting] {
		bits := int(w.serial)
		if w.waited {
			bits |= 1 << 16
		}
		add(bits)
	}
	for i := range s.holds {
		if h := &s.holds[i]; h.serial != 0 {
			add(int(h.serial))
			add(h.without[0])
		}
	}
	add(int(s.tried)<<24 ^ int(s.looked)<<16)
	if s.turn.on {
		add(s.turn.now)
	}
	add(s.spent<<16 ^ int(s.must.kind)<<8 ^ int(s.must.of))
	return sum
}

// hash adds what tells windows apart, for most of them.
func (w *window) hash(add func(n int)) {
	add(w.newest<<8 ^ w.sure)
	for _, one := range w.slices {
		add(int(one.fine)<<24 ^ int(one.marked)<<16 ^ int(one.failed)<<8 ^ int(one.slow))
	}
	bits := int(w.n)
	for _, c := range w.calls[:w.n] {
		bits <<= 2
		if c.failed {
			bits++
		}
		if c.slow {
			bits += 2
		}
	}
	add(bits)
	for _, o := range w.opened {
		add(o.slice<<24 ^ int(o.ret))
	}
}
