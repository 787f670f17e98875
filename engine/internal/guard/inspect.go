package guard

import "github.com/limitpal/limitpal-go/breaker"

// What a simulation compares with its models.

// FullAt returns full-at; a negative number if the gate is not shared.
func (g *Gate) FullAt() int64 { return g.fullAt.Load() }

// At returns the instant as of which the version is in force; 0 if that is not said yet.
func (v *Version) At() int64 { return v.at.Load() }

// Newest returns what [breaker.Tally.Newest] does of the tally where callers count successes; ok is false if there is
// none.
func (g *Gate) Newest() (slice, calls int64, ok bool) {
	n := g.posted.Load()
	if n.tally == nil {
		return 0, 0, false
	}
	slice, calls = n.tally.Newest(n.policy.rules)
	return slice, calls, true
}

// Newest is that of a gate, for the actor.
func (s *State) Newest() (slice, calls int64, ok bool) {
	t := s.circuit.Tally()
	if t == nil {
		return 0, 0, false
	}
	slice, calls = t.Newest(s.policy.rules)
	return slice, calls, true
}

// Window returns the calls in the window at now, and changes nothing.
func (s *State) Window(now int64) breaker.Counts {
	circuit := s.circuit
	return circuit.Window(s.policy.rules, now)
}

// FullAts returns the full-ats of s, one for each limit and at least one.
func (s *State) FullAts() []int64 { return s.fullAts }

// Undoes reports whether the debit of r can be undone.
func (s *State) Undoes(r Receipt) bool {
	_, ok := s.undone(r)
	return ok
}

// Circuit returns the breaker of s.
func (s *State) Circuit() *breaker.Circuit { return &s.circuit }

// Queued reports whether the request is in a queue.
func (r *Request) Queued() bool { return r.queued }

// Inherit takes over the memory of the sketch of old, from which the given keys are wiped. No other key
// may have been spilled. To make that memory anew would be most of the time of a short simulation.
func (b *Behavior) Inherit(old *Behavior, keys []string) {
	from, to := old.sketch, b.sketch
	for _, key := range keys {
		h := from.hash(key)
		from.trips.take(h)
		for _, t := range from.full {
			for row := range sketchRows {
				if cell := h.index(row); t.at(cell) > 0 {
					*t.place(cell) = 0
				}
			}
		}
	}
	to.seed, to.trips = from.seed, from.trips
	copy(to.full, from.full)
}

// Waiters returns the number of callers in the queue of s.
func (s *State) Waiters() int {
	if s.queue == nil {
		return 0
	}
	return s.queue.waiters + s.queue.lined()
}
