package engine_test

import (
	"cmp"
	"math"
	"slices"
)

// course is a bucket over time, that changes at the beginning of each stretch.
type course []stretch

// stretch is a bucket from an instant on, until the next stretch of its course.
type stretch struct {
	bucket
	from   int64
	gained int64 // shares, from the beginning of the course until from
}

// gains returns the shares that the bucket gains in a nanosecond, if a token is so many shares.
func (b bucket) gains(token int64) int64 { return token / max(1, int64(b.interval)) }

// change returns c with b from now on.
func (c course) change(now, token int64, b bucket) course {
	return append(c, stretch{b, now, c.gained(now, token)})
}

// of returns the index of the stretch at the instant at.
func (c course) of(at int64) int {
	i, found := slices.BinarySearchFunc(c, at, func(s stretch, at int64) int { return cmp.Compare(s.from, at) })
	if !found {
		i--
	}
	return max(0, i)
}

// gained returns the shares that the bucket has gained by the instant at: each rate for as long as it
// held.
func (c course) gained(at, token int64) int64 {
	s := c[c.of(at)]
	return s.gained + s.gains(token)*(at-s.from)
}

// capacity returns the capacity at an instant, or the larger one in the instant of a change.
func (c course) capacity(at int64) int64 {
	i := c.of(at)
	if i > 0 && c[i].from == at {
		return max(c[i-1].capacity, c[i].capacity)
	}
	return c[i].capacity
}

// beginning begins a window, with the tokens that were taken from there on by a call that began then.
type beginning struct {
	began, ended, n int64
	capacity        int64
}

// starts returns the beginnings, in order, of the windows that matter: those of the calls, and the last instant
// of each stretch.
func (c course) starts(all []admission) []beginning {
	list := make([]beginning, 0, len(all)+len(c))
	for _, a := range all {
		list = append(list, beginning{a.began, a.ended, a.n, c.capacity(a.began)})
	}
	for i := 1; i < len(c); i++ {
		list = append(list, beginning{c[i].from, c[i].from, 0, c[i-1].capacity})
	}
	slices.SortStableFunc(list, func(x, y beginning) int { return cmp.Compare(x.began, y.began) })
	return list
}

// excess returns the shares by which the worst of all windows has more than the course allows, negative if
// no window has more: the capacity at its start, and each rate for as long as it held. A window counts only
// the calls that lie wholly inside the window, at any instant of taking, so that no order is blamed that
// did not happen.
//
// The windows that matter end with a call. excess goes through the ends in order. For each start that has
// ended by then, the tree holds the start's gain less its capacity, plus the worth of the calls that began
// from there on.
func (c course) excess(token int64, all []admission) int64 {
	worst := int64(math.MinInt64)
	list := c.starts(all)
	byEnd := make([]int, len(list))
	for i := range byEnd {
		byEnd[i] = i
	}
	slices.SortStableFunc(byEnd, func(x, y int) int {
		return cmp.Or(cmp.Compare(list[x].ended, list[y].ended), cmp.Compare(list[x].n, list[y].n))
	})
	leaves := 1
	for leaves < len(list) {
		leaves *= 2
	}
	type node struct {
		worth int64 // of the calls below
		best  int64 // of the starts below
	}
	tree := make([]node, 2*leaves)
	for i := range tree {
		tree[i].best = math.MinInt64 / 2
	}
	for _, i := range byEnd {
		s := list[i]
		worth := s.n * token
		tree[leaves+i] = node{worth, c.gained(s.began, token) - s.capacity*token + worth}
		for at := (leaves + i) / 2; at > 0; at /= 2 {
			left, right := tree[2*at], tree[2*at+1]
			tree[at] = node{left.worth + right.worth, max(right.best, left.best+right.worth)}
		}
		if s.n > 0 {
			worst = max(worst, tree[1].best-c.gained(s.ended, token))
		}
	}
	return worst
}

// naive looks at every window there is.
func (c course) naive(token int64, all []admission) int64 {
	worst := int64(math.MinInt64)
	for _, from := range c.starts(all) {
		for _, to := range all {
			var n int64
			for _, a := range all {
				if from.began <= a.began && a.ended <= to.ended {
					n += a.n
				}
			}
			if to.ended >= from.ended {
				worst = max(worst, (n-from.capacity)*token-(c.gained(to.ended, token)-c.gained(from.began, token)))
			}
		}
	}
	return worst
}
