package linear_test

import (
	"time"
)

// limit is a bucket with a level. The level of a token bucket rises to the brim, that of a leaky
// one falls to the ground; interval is how many ticks a token takes.
//
// Levels are counted in units of late. A caller that waited is granted as of when its turn came,
// but at most that much before now; so what comes meanwhile is not lost. The level therefore goes
// one unit beyond the brim or the ground, which counts for those who waited and for nobody else.
type limit struct {
	capacity, interval int
	leaky              bool
	per                int // ticks of a window, in which tokens come with its beginning alone; the interval is then 1
}

const (
	late    = 10 * time.Millisecond
	perTick = int(tick / late)
)

func (l limit) cost(n int) int { return n * l.interval * perTick }
func (l limit) brim() int      { return l.cost(l.capacity) }

// fresh are the levels of a new key.
func (r *rules) fresh() (levels [2]int) {
	for i, l := range r.limits {
		if !l.leaky {
			levels[i] = l.brim()
		}
	}
	return levels
}

// flow is what some ticks from a time on do to the levels.
func (r *rules) flow(levels *[2]int, from, ticks int) {
	for i, l := range r.limits {
		switch {
		case l.per > 0:
			if (from+ticks)/l.per > from/l.per {
				levels[i] = l.brim()
			}
		case l.leaky:
			levels[i] = max(-1, levels[i]-ticks*perTick)
		default:
			levels[i] = min(l.brim()+1, levels[i]+ticks*perTick)
		}
	}
}

// within are the levels without what is beyond the brim or the ground.
func (r *rules) within(levels [2]int) [2]int {
	for i, l := range r.limits {
		levels[i] = max(0, min(l.brim(), levels[i]))
	}
	return levels
}

// has reports whether every limit has n tokens, for a call that takes its turn, or a place as Allow
// does; and slack units more.
func (r *rules) has(levels [2]int, n int, turn bool, slack int) bool {
	for i, l := range r.limits {
		switch {
		case !l.leaky && levels[i] < l.cost(n)+slack,
			l.leaky && turn && levels[i] > -slack,
			l.leaky && !turn && levels[i]+l.cost(n) > l.brim():
			return false
		}
	}
	return true
}

// take takes n tokens, for a caller who did not wait.
func (r *rules) take(levels *[2]int, n int) {
	*levels = r.within(*levels)
	r.debit(levels, n)
}

// debit takes n tokens from what there is.
func (r *rules) debit(levels *[2]int, n int) {
	for i, l := range r.limits {
		if l.leaky {
			levels[i] += l.cost(n)
		} else {
			levels[i] -= l.cost(n)
		}
	}
}

// allow is a call that takes a place at once or goes.
func (r *rules) allow(s *state, o *operation) bool {
	may := s.waiting == 0 && r.has(s.levels, int(o.tokens), false, 0)
	if may {
		r.take(&s.levels, int(o.tokens))
		s.bury(len(s.holds))
	}
	return may == (o.result == granted)
}

// shows compares the tokens that Inspect showed with the levels at that time. With gates it may show more: a
// call that is let through at the same moment is reckoned from its reading of the clock, and
// Inspect may come between the reading and the debit.
func (r *rules) shows(s *state, levels [2]int, available [2]float64) bool {
	levels = r.within(levels)
	for i, l := range r.limits {
		want := float64(levels[i]) / float64(l.cost(1))
		if l.leaky {
			want = max(0, float64(l.brim()-levels[i])/float64(l.cost(1))-float64(s.wanted()))
		}
		if fuller := available[i] - want; fuller < -1e-9 || fuller > 1e-9 && (!r.published || available[i] > float64(l.capacity)) {
			return false
		}
	}
	return true
}

// change puts the others into force, or the first limits again. A bucket keeps its tokens, up to the new
// capacity. The capacities and intervals of the settings are such that no level is rounded.
func (r *rules) change(s *state, others bool) {
	if others == s.changed {
		return
	}
	s.changed = others
	s.levels, s.newborn = r.converted(s.levels), r.converted(s.newborn)
}

// converted returns the levels by the other limits.
func (r *rules) converted(levels [2]int) [2]int {
	levels = r.within(levels)
	for i, l := range r.limits {
		is, tokens := r.others[i], levels[i]
		if l.leaky {
			tokens = l.brim() - tokens
		}
		tokens = min(is.brim(), tokens*is.interval/l.interval)
		if levels[i] = tokens; is.leaky {
			levels[i] = is.brim() - tokens
		}
	}
	return levels
}
