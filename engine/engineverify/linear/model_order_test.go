package linear_test

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/limitpal/limitpal-go/engine"
)

// The search need not try every order. Take an order that the model agrees with, and in it an
// operation that changes nothing. Put it earlier, to a place where it had been called and where the
// model agrees with it and it changes nothing either: all others meet the states that they met
// before, and the model agrees with the new order. So it is enough to try the orders in which such
// an operation comes at once. Method settled finds the counts of which this is true, and soon the
// other operations. Method hopeful finds the states from which no order reaches the end.
//
// With evictions, which take place at any time and unseen, only hopeful is asked. A test compares
// the search with one that tries every order (rules.plain).

// marks is a set of operations of a history, by their indices.
type marks [4]uint64

func (d *marks) has(i int) bool { return d[i/64]>>(i%64)&1 > 0 }
func (d *marks) add(i int)      { d[i/64] |= 1 << (i % 64) }

// gap returns the first index that is not in d.
func (d *marks) gap() (i int) {
	for _, word := range d {
		if word != math.MaxUint64 {
			return i + bits.TrailingZeros64(^word)
		}
		i += 64
	}
	return i
}

// foresee returns the operations of a history by their calls: copies, with what the search has to
// know of each beforehand. Operations are shared by keys, and differ by key in this.
func (r *rules) foresee(seen []*operation) []*operation {
	if r.rated() && r.published {
		seen = r.twofold(seen)
	}
	copies := make([]operation, len(seen))
	seen = slices.SortedStableFunc(slices.Values(seen), func(a, b *operation) int { return cmp.Compare(a.call, b.call) })
	var moves, failures []*operation // steps of the clock and Resets, and reports of failures and, perhaps, of slow calls
	for i, o := range seen {
		copies[i] = *o
		o = &copies[i]
		seen[i], o.index = o, i
		switch {
		case o.kind == step && o.d > 0, o.kind == reset:
			moves = append(moves, o)
		case o.kind == report && (o.outcome == engine.Failure || o.outcome == engine.Success && r.rated() && r.breaker.slowRate > 0):
			failures = append(failures, o)
		}
	}
	for _, o := range seen {
		forces := o.kind == force || (o.kind == pass || o.kind == enter) && r.forces && slices.ContainsFunc(seen, func(m *operation) bool {
			return m.kind == force && m.call <= o.ret
		})
		for _, m := range moves {
			if forces && m.kind == step && m.call <= o.ret && m.ret >= o.call {
				o.lasted += m.d
			}
		}
		o.doubts = r.doubts(o)
		switch o.kind {
		case report, count:
			o.clean = !slices.ContainsFunc(failures, func(f *operation) bool {
				return f.serial != o.serial && f.call <= o.ret && f.ret >= o.call
			})
			o.quiet = o.clean && !r.waits && r.others == nil && !slices.ContainsFunc(seen, func(m *operation) bool {
				return m.kind >= inspect && m.kind != step && m.call <= o.ret && m.ret >= o.call
			})
		case enter:
			for _, m := range moves {
				switch {
				case m.call > o.ret:
				case m.kind == step:
					o.supply += int32(m.d)
				case m.ret >= o.call:
					o.supply = math.MaxInt32 / 2
				}
			}
		}
	}
	if r.seen = nil; len(seen) <= 64*len(marks{}) && !r.plain && !r.evicts && !r.spills {
		r.seen = seen
	}
	return seen
}

// soon returns an operation that has been called and may as well come next, or nil.
//
// That is a refusal or an Inspect that the model agrees with and that leaves the state as it is. And
// it is a report that its caller does not wait for, although the report puts the outcome on its way.
// For that has two effects only. The outcome may be counted, but need not be yet. And the outcome
// must have been counted before an operation that begins after the report has returned; no such
// operation comes before the report in any order. If the breaker's period ends between the new place
// of the report and the old one, the outcome counts for nothing, on its way or not. By rates a report
// has more effects: it tells whether the call was slow, and which slices the success may be in.
func (r *rules) soon(s *state) *operation {
	seen, first := r.seen, int64(forever)
	for i := s.done.gap(); i < len(seen) && seen[i].call <= first; i++ {
		o := seen[i]
		if s.done.has(i) {
			continue
		}
		first = min(first, o.until)
		switch o.kind {
		case report:
			if t := s.tickets.of(o.serial); t == nil || r.rated() || t.current && r.tells(s, o, doubt{}) {
				continue
			}
			if after := *s; r.follows(&after, o, doubt{}) {
				return o
			}
		case allow, pass, inspect:
			if o.result == granted {
				continue
			}
			if after := *s; r.follows(&after, o, doubt{}) && after == *s {
				return o
			}
		}
	}
	return nil
}

// settled returns a ticket whose outcome is on its way and changes nothing, now or later, or nil.
// Such is an outcome of an earlier period. And such is a success on a closed breaker that has
// counted no failure, if none can be counted before it: no failure is on its way, and none is
// reported while the success is. A failure that is reported later begins after the report of the
// success has returned, and waits for it. By rates every success counts.
//
// The count of a settled ticket need not be caught up. What it would have to wait for are callers
// that left the queue before its report began. An operation that waits for the count began after
// the report has returned, and waits for these callers as well. So the count may as well be put
// right before the first such operation, where it is caught up.
func (r *rules) settled(s *state) *ticket {
	if r.plain || r.evicts { // with evictions, what is of an earlier period may count
		return nil
	}
	for i := range s.tickets {
		t := &s.tickets[i]
		if t.sent && (!t.current || t.clean && t.outcome == engine.Success && !r.rated() && s.circuit == circuit{} && !s.failing()) {
			return t
		}
	}
	return nil
}

// failing reports whether a failure that counts is on its way.
func (s *state) failing() bool {
	for i := range s.tickets {
		if t := &s.tickets[i]; t.sent && t.current && t.outcome == engine.Failure {
			return true
		}
	}
	return false
}

// hopeful reports whether all that wait for tokens may get them before their calls return. Until
// then, the level of a bucket rises by no more than the steps of the clock that may still come and
// what holds give back; and the callers ahead that are granted take their tokens first. A Reset
// that may come in between gives hope to all.
//
// If the level cannot come to be beyond the brim, it is of no account whether a caller has waited,
// and hopeful forgets that: states that differ in nothing else become equal.
func (r *rules) hopeful(s *state) bool {
	if r.plain || s.waiting == 0 {
		return true
	}
	levels := s.levels
	for _, h := range s.holds {
		if h.serial != 0 && !h.buried {
			for i, l := range r.limits {
				if back := l.cost(int(h.tokens)) + 1; l.leaky { // one unit may have been lost beyond the brim
					levels[i] -= back
				} else {
					levels[i] += back
				}
			}
		}
	}
	for i := range s.line[:s.waiting] {
		w := &s.line[i]
		if !w.takes {
			continue
		}
		most, beyond := levels, false
		for i, l := range r.limits {
			switch ticks := (int(w.supply) - s.stepped) * perTick; {
			case l.leaky:
				most[i] -= ticks
				beyond = beyond || most[i] < 0
			case l.per > 0: // each tick may begin a window
				ticks *= l.capacity
				fallthrough
			default:
				most[i] += ticks
				beyond = beyond || most[i] > l.brim()
			}
		}
		if !r.has(most, int(w.tokens), true, 0) {
			return false
		}
		w.waited = w.waited && beyond
		if !w.held {
			r.debit(&levels, int(w.tokens))
		}
	}
	return true
}
