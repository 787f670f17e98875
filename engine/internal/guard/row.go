package guard

import "github.com/limitpal/limitpal-go/limiter"

// Origin names the key through which a call comes to a wider key of a chain.
type Origin struct {
	System *System
	Key    string
}

// row is the waiters of a queue that came through one narrower key, first come, first served. Calls
// that came through none share a row. A waiter that leaves frees its slot at once, so that every waiter
// behind it moves up.
type row struct {
	from    Origin     // zero for calls that came through no other key
	slots   []*Request // nil where a waiter has left; Request.position is the index
	first   int        // no waiter is in a slot before first
	waiters int
	tokens  int64    // that the waiters ask for together
	bounded int      // waiters with a stay of their own, or that came after a change
	effects *effects // of the waiters; nil for one limit, and with windows
}

// newRow returns an empty row.
func newRow(from Origin, limits limiter.Limits) *row {
	w := &row{from: from}
	w.follow(limits)
	return w
}

// follow makes the effects of the waiters anew, for other limits.
func (w *row) follow(limits limiter.Limits) {
	w.effects = nil
	if len(limits) > 1 && !limits.Windowed() {
		w.effects = &effects{limits: limits}
	}
}

// push puts r at the end.
func (w *row) push(r *Request) {
	r.row, r.position = w, len(w.slots)
	w.slots = append(w.slots, r)
	w.count(r, 1)
}

// count takes note that r has come (more is 1) or has left (more is -1).
func (w *row) count(r *Request, more int) {
	w.waiters += more
	if more < 0 && Planted("a waiter that has left and stands in the way") {
		return
	}
	w.tokens += int64(more) * r.demand.Tokens
	if r.bounded {
		w.bounded += more
	}
	if w.effects != nil {
		w.effects.changed(r.position)
	}
}

// remove takes r out of any slot.
func (w *row) remove(r *Request) {
	w.slots[r.position] = nil
	r.row = nil
	w.count(r, -1)
	if len(w.slots) > 2*w.waiters+16 {
		w.closeUp()
	}
}

// firstOut returns the waiter whose time is up first. If no waiter is bounded, that is the one that
// came first.
func (w *row) firstOut() *Request {
	out := w.head()
	if w.bounded == 0 {
		return out
	}
	for _, r := range w.slots {
		if r != nil && r.until < out.until {
			out = r
		}
	}
	return out
}

// closeUp closes the gaps, so that a row in which waiters come and leave does not grow for ever.
func (w *row) closeUp() {
	n := 0
	for _, r := range w.slots {
		if r != nil {
			w.slots[n] = r
			r.position = n
			n++
		}
	}
	clear(w.slots[n:])
	w.slots, w.first = w.slots[:n], 0
	if w.effects != nil {
		w.effects.moved()
	}
}

// head returns the first waiter, or nil.
func (w *row) head() *Request {
	for ; w.first < len(w.slots); w.first++ {
		if r := w.slots[w.first]; r != nil {
			return r
		}
	}
	w.slots, w.first = w.slots[:0], 0
	return nil
}
