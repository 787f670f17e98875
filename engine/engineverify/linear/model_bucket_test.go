package linear_test

import "math"

// limit is a bucket with a level in ticks: a token weighs as many as it takes to come. The level of a token bucket rises to the
// brim, that of a leaky one falls to the ground.
type limit struct {
	capacity, interval int
	leaky              bool
}

func (l limit) brim() int { return l.capacity * l.interval }

// fresh are the levels of a new key.
func (r *rules) fresh() (levels [2]int) {
	for i, l := range r.limits {
		if !l.leaky {
			levels[i] = l.brim()
		}
	}
	return levels
}

// flow is what d ticks do to the levels.
func (r *rules) flow(s *state, d int) {
	for i, l := range r.limits {
		if l.leaky {
			s.levels[i] = max(0, s.levels[i]-d)
		} else {
			s.levels[i] = min(l.brim(), s.levels[i]+d)
		}
	}
}

// has reports whether every limit has n tokens, for a call that takes its turn, or a place as Allow does.
func (r *rules) has(levels [2]int, n int, turn bool) bool {
	for i, l := range r.limits {
		switch {
		case !l.leaky && levels[i] < n*l.interval,
			l.leaky && turn && levels[i] > 0,
			l.leaky && !turn && levels[i]+n*l.interval > l.brim():
			return false
		}
	}
	return true
}

// take takes n tokens.
func (r *rules) take(levels *[2]int, n int) {
	for i, l := range r.limits {
		if l.leaky {
			levels[i] += n * l.interval
		} else {
			levels[i] -= n * l.interval
		}
	}
}

// allow is a call that takes a place at once or goes.
func (r *rules) allow(s *state, o *operation) bool {
	may := s.waiting == 0 && r.has(s.levels, int(o.tokens), false)
	if may {
		r.take(&s.levels, int(o.tokens))
	}
	return may == (o.result == granted)
}

// shows compares the tokens that Inspect showed with the levels.
func (r *rules) shows(s *state, available [2]float64) bool {
	for i, l := range r.limits {
		want := float64(s.levels[i]) / float64(l.interval)
		if l.leaky {
			want = max(0, float64(l.brim()-s.levels[i])/float64(l.interval)-float64(s.wanted()))
		}
		if math.Abs(available[i]-want) > 1e-9 {
			return false
		}
	}
	return true
}
