package guard

import (
	"slices"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/limiter"
)

// queue is the callers that wait for one key. The queue belongs to the key's actor. The
// rows of the queue are served in turn, one waiter each, so that a narrower key with many waiters does
// not shut out the others; within a row the first to come is served first.
//
// The line is for callers that lack a place and nothing else: a caller goes there when its turn in the queue has come, or
// at once if the tokens are there. Only callers that take no place pass the line. A caller in the line has taken no tokens.
// When a place is free, the head of the line takes place and tokens together, before other waiters get tokens.
type queue struct {
	rows    []*row          // those with waiters, in the order of their turns: the first is served next
	known   map[Origin]*row // of rows, those that came through another key
	plain   *row            // of the calls that came through no other key, also while it is not in rows
	last    *row            // the row that was served last or, before the first grant, the one that began the queue
	shared  bool            // whether a waiter may wait longer than was foreseen: there have been several rows since the queue began, or see push
	uneven  bool            // whether the longest stay may have changed since the queue began
	waiters int
	asking  int     // waiters that ask the breaker too
	tokens  int64   // that the waiters ask for together
	moved   int64   // the last instant at which the next waiter left without a grant
	scratch []int64 // for tail: an instant and the full-ats, twice
	line    *queue  // the waiters that lack only a place; nil before the first

	counters *Counters
}

// newQueue returns an empty queue.
func (b *Behavior) newQueue(p *Policy) *queue {
	if q, ok := p.queues.Get().(*queue); ok {
		q.moved, q.last, q.shared, q.uneven = 0, nil, false, false
		if q.line != nil && !Planted("a line that goes on where it ended") {
			q.line.last = nil
		}
		return q
	}
	return &queue{plain: newRow(Origin{}, p.Limits), scratch: make([]int64, 2*(len(p.Limits)+1)), counters: b.Counters}
}

// rowOf returns the row of the waiters that came through from, nil if there is none yet.
func (q *queue) rowOf(from *Origin) *row {
	if from == nil {
		return q.plain
	}
	return q.known[*from]
}

// came fills in the request of m, which comes at now.
func (q *queue) came(p *Policy, m *Message, now int64) *Request {
	r := m.Request
	r.demand, r.under, r.stays, r.since = m.Demand, m.Permit, m.Stays, now
	r.until, r.bounded = Later(Later(now, m.Demand.longest(p)), 1), m.Demand.Stay > 0 || q.uneven
	r.queued, r.lined = true, false
	return r
}

// push puts r at the end of its row.
func (q *queue) push(p *Policy, r *Request) {
	w := q.rowOf(r.demand.From)
	if w == nil {
		w = newRow(*r.demand.From, p.Limits)
		if q.known == nil {
			q.known = make(map[Origin]*row)
		}
		q.known[w.from] = w
	}
	if w.waiters == 0 {
		q.enter(w)
	}
	if p.windows && (len(p.Limits) > 1 || r.demand.Tokens > 1) { // the rest of a window may be too little for it
		q.shared = true
	}
	w.push(r)
	q.count(r, 1)
}

// enter gives a row its turn: the next one, if otherwise the row that was served last would be served
// again, and else the last one of the round.
func (q *queue) enter(w *row) {
	switch {
	case len(q.rows) == 0:
		q.rows = append(q.rows, w)
		if q.last == nil {
			q.last = w
		}
		return
	case q.rows[0] == q.last && !Planted("a row that waits for its turn in vain"):
		q.rows = slices.Insert(q.rows, 0, w)
	default:
		q.rows = append(q.rows, w)
	}
	q.shared = true
}

// count takes note that r has come (more is 1) or has left (more is -1).
func (q *queue) count(r *Request, more int) {
	q.waiters += more
	q.counters.Stripe().Waiting.Add(int64(more))
	if more < 0 && Planted("a waiter that has left and stands in the way") {
		return
	}
	q.tokens += int64(more) * r.demand.Tokens
	if r.demand.Breaker {
		q.asking += more
	}
}

// leave takes r out, which leaves at now without a grant.
func (q *queue) leave(r *Request, now int64) {
	if r.lined {
		q.line.remove(r)
		q.moved = now // if it was before all others
		return
	}
	if r == q.next() && !Planted("a wait counted for a waiter behind") {
		q.moved = now
	}
	q.remove(r)
}

// remove takes r out of its row, and the row out of the queue if nobody is left in it.
func (q *queue) remove(r *Request) {
	w := r.row
	w.remove(r)
	r.queued = false
	q.count(r, -1)
	if w.waiters == 0 {
		i := slices.Index(q.rows, w)
		q.rows = slices.Delete(q.rows, i, i+1)
		if w != q.plain {
			delete(q.known, w.from)
		}
	}
}

// next returns the waiter that is served next, or nil.
func (q *queue) next() *Request {
	if len(q.rows) == 0 {
		return nil
	}
	return q.rows[0].head()
}

// granted ends the turn of the first row, whose next waiter r has got its tokens.
func (q *queue) granted(r *Request) {
	if r.lined {
		q = q.line
	}
	q.last = r.row
	q.remove(r)
	if len(q.rows) > 1 && q.rows[0] == q.last && !Planted("a row that is served twice in a round") {
		copy(q.rows, q.rows[1:])
		q.rows[len(q.rows)-1] = q.last
	}
}

// all returns the waiters, row by row.
func (q *queue) all() []*Request {
	var all []*Request
	if q.line != nil {
		all = q.line.all()
	}
	for _, w := range q.rows {
		for _, r := range w.slots {
			if r != nil {
				all = append(all, r)
			}
		}
	}
	return all
}

// tail returns the full-ats behind the waiters: as they will be when every waiter has been granted
// its tokens at the first instant from now on, row by row; with windows perhaps earlier. The slice is valid until the
// next call.
func (q *queue) tail(limits limiter.Limits, fullAts []int64, now int64) []int64 {
	from, to := q.scratch[:len(limits)+1], q.scratch[len(limits)+1:]
	if len(limits) <= 1 || limits.Windowed() {
		limits.Behind(to[1:], fullAts, q.tokens)
		return to[1:]
	}
	from[0] = now
	copy(from[1:], fullAts)
	for _, w := range q.rows {
		w.effects.of(w.slots).Apply(to, from)
		from, to = to, from
	}
	return from[1:]
}

// ahead returns the tokens that are taken before those of a call that comes through from now, if nobody
// leaves and nobody else comes: all of them with one row, and else no more than are sure.
func (q *queue) ahead(from *Origin) int64 {
	w := q.rowOf(from)
	before, at := 0, len(q.rows) // waiters of its row, and the place of the row in the round
	if w != nil && w.waiters > 0 {
		before, at = w.waiters, slices.Index(q.rows, w)
	} else if q.rows[0] == q.last {
		at = 0
	}
	var tokens int64
	for i, other := range q.rows {
		turns := before
		if i < at {
			turns++
		}
		if other == w || other.waiters <= turns {
			tokens += other.tokens
		} else {
			tokens += int64(turns) // each asks for a token at least
		}
	}
	return tokens
}

// cancelWait takes a waiter out of the queue.
func (b *Behavior) cancelWait(now int64, g *Gate, s *State, m *Message) actors.Next {
	if m.Request.queued { // else the message found the request left
		s.queue.leave(m.Request, now)
	}
	next := b.next(now, g, s, m)
	b.Release(m.Request)
	return next
}
