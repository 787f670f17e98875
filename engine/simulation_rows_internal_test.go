package engine

import (
	"slices"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// waiter is a caller in the queue, or in the line.
type waiter struct {
	req     *guard.Request
	who     *caller
	n       int64
	since   int64
	until   int64 // the instant from which a grant is too late, if the queue has had several rows
	breaker bool
	split   bool // the permit is asked for later
	under   naiveProbe
	from    int // the row
}

// What is no number of a row.
const (
	plainRow = -1 // the row of the calls that came through no narrower key
	noRow    = -2
)

// rows is the order in which the rows of a queue take turns.
type rows struct {
	order  []int // those with waiters; the first is served next
	last   int   // the row that was served last or, before, the one that began the queue
	begun  bool
	shared bool // there have been several since the queue began
}

// naiveQueue is callers that wait, in the order of arrival, and whose turn it is.
type naiveQueue struct {
	queue []waiter
	rows  rows
}

// enqueue puts q at the end of its row. A row that gets its first waiter is the last of the round, unless
// the row that was served last would then be served again.
func (v *naiveQueue) enqueue(q waiter) {
	v.queue = append(v.queue, q)
	r := &v.rows
	switch {
	case slices.Contains(r.order, q.from):
		return
	case len(r.order) == 0:
		if !r.begun {
			r.last, r.begun = q.from, true
		}
		r.order = append(r.order, q.from)
		return
	case r.order[0] == r.last:
		r.order = slices.Insert(r.order, 0, q.from)
	default:
		r.order = append(r.order, q.from)
	}
	r.shared = true
}

// dequeue takes the waiter i out, that leaves now with or without tokens.
func (v *naiveQueue) dequeue(i int) {
	from := v.queue[i].from
	v.queue = append(v.queue[:i], v.queue[i+1:]...)
	if v.inRow(from) == 0 {
		at := slices.Index(v.rows.order, from)
		v.rows.order = slices.Delete(v.rows.order, at, at+1)
		if from == v.rows.last && from != plainRow {
			v.rows.last = noRow // if it comes back, it is another row
		}
	}
}

// served is dequeue for the next waiter, who has got its tokens: the row has had its turn.
func (v *naiveQueue) served(i int) {
	r := &v.rows
	r.last = v.queue[i].from
	v.dequeue(i)
	if len(r.order) > 1 && r.order[0] == r.last {
		copy(r.order, r.order[1:])
		r.order[len(r.order)-1] = r.last
	}
}

// inRow is how many wait in a row.
func (v *naiveQueue) inRow(from int) (n int) {
	for i := range v.queue {
		if v.queue[i].from == from {
			n++
		}
	}
	return n
}

// next is the index of the waiter that is served next.
func (v *naiveQueue) next() int {
	if len(v.rows.order) < 2 {
		return 0
	}
	return slices.IndexFunc(v.queue, func(q waiter) bool { return q.from == v.rows.order[0] })
}

// rowByRow is the waiters in the order of the rows.
func (v *naiveQueue) rowByRow() []waiter {
	if len(v.rows.order) < 2 {
		return v.queue
	}
	var all []waiter
	for _, from := range v.rows.order {
		for _, q := range v.queue {
			if q.from == from {
				all = append(all, q)
			}
		}
	}
	return all
}

// exact reports whether a call in the row from knows when it has its tokens, if nobody leaves.
func (v *naiveQueue) exact(from int) bool {
	return len(v.queue) == 0 || len(v.rows.order) == 1 && v.rows.order[0] == from
}

// ahead is the tokens that are sure to go before those of a call in the row from. While a row has waiters,
// every other row is served at most once before it.
func (v *naiveQueue) ahead(from int) (tokens int64) {
	before, place := v.inRow(from), slices.Index(v.rows.order, from)
	if place < 0 {
		place = len(v.rows.order)
		if v.rows.order[0] == v.rows.last {
			place = 0
		}
	}
	for i, row := range v.rows.order {
		turns := before
		if i < place {
			turns++
		}
		n, all := int64(v.inRow(row)), int64(0)
		for j := range v.queue {
			if v.queue[j].from == row {
				all += v.queue[j].n
			}
		}
		if row == from || n <= int64(turns) {
			tokens += all
		} else {
			tokens += int64(turns)
		}
	}
	return tokens
}

// index is that of the waiter with the request r, or -1.
func (v *naiveQueue) index(r *guard.Request) int {
	return slices.IndexFunc(v.queue, func(q waiter) bool { return q.req == r })
}

// late is the index of a waiter that has waited for as long as it may, or -1.
func (v *naiveQueue) late(now int64) int {
	if !v.rows.shared {
		return -1
	}
	for _, from := range v.rows.order {
		first := -1
		for i := range v.queue {
			if q := &v.queue[i]; q.from == from && (first < 0 || q.until < v.queue[first].until) {
				first = i
			}
		}
		if v.queue[first].until <= now {
			return first
		}
	}
	return -1
}

// clear has nobody wait any more.
func (v *naiveQueue) clear() { v.queue, v.rows = v.queue[:0], rows{order: v.rows.order[:0]} }
