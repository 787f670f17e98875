package guard

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// visitor is a waiter in a queue of several rows.
type visitor struct {
	request *Request
	row     int // its narrower key; 0: none
	came    int // the number of grants before it came
	foresaw int64
	others  int // how many have come or left since it came
}

// TestRowsAreServedInTurn: while a row has waiters, no other row is served twice before it is served once. Within a row the first
// to come is served first. If nobody comes or leaves meanwhile, a waiter is served at the instant foreseen when it came.
func TestRowsAreServedInTurn(t *testing.T) {
	several, foreseen := 0, 0
	n := cases(t, func(_ uint64, r *rand.Rand) error {
		h := newHall(t)
		for range 60 {
			switch i := r.IntN(6); {
			case i < 3:
				h.come(r.IntN(len(h.origins)))
			case i == 3 && len(h.waiting) > 0:
				h.leave(h.waiting[r.IntN(len(h.waiting))])
			case h.state.queue == nil:
				h.now += r.Int64N(300)
			default:
				if err := h.serve(); err != nil {
					return err
				}
			}
			if h.state.queue != nil && len(h.state.queue.rows) > 1 {
				several++
			}
		}
		foreseen += h.foreseen
		return nil
	})
	if n >= 3000 {
		require.Greater(t, several, 30_000)
		require.Greater(t, foreseen, 1000)
	}
}

// hall is a key whose queue has several rows.
type hall struct {
	*Behavior
	gate     Gate
	state    State
	now      int64
	origins  []*Origin
	waiting  []*visitor
	grants   []int // rows, in the order of their grants
	foreseen int   // grants at the instant that was foreseen
}

func newHall(t *testing.T) *hall {
	h := &hall{
		Behavior: behaviorOf(t, settings{Mailbox: true, Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 100*time.Nanosecond)}}),
		now:      1, origins: []*Origin{nil, {Key: "a"}, {Key: "b"}, {Key: "c"}},
	}
	h.Init(h.now, "k", &h.gate, &h.state)
	return h
}

func (h *hall) turn(m Message) { h.Receive(func() int64 { return h.now }, &h.gate, &h.state, &m) }

// changed takes note that somebody has come or left.
func (h *hall) changed() {
	for _, v := range h.waiting {
		v.others++
	}
}

// come has a caller come through row.
func (h *hall) come(row int) {
	v := &visitor{request: h.Request(), row: row, came: len(h.grants)}
	d := Demand{Tokens: 1, Mode: limiter.Queued, From: h.origins[row]}
	v.foresaw, _, _ = h.judge(h.now, &h.state, &d, false)
	h.turn(Message{Kind: Ask, Request: v.request, Answers: v.request.Answers(), Until: Never, Demand: d})
	if v.request.queued {
		h.changed()
		h.waiting = append(h.waiting, v)
	}
}

// leave has a waiter leave.
func (h *hall) leave(v *visitor) {
	v.request.Leave()
	h.turn(Message{Kind: CancelWait, Request: v.request})
	h.waiting = slices.DeleteFunc(h.waiting, func(w *visitor) bool { return w == v })
	h.changed()
}

// serve has the next waiter served.
func (h *hall) serve() error {
	h.now = max(h.now, h.policy().Limits.Ready(h.state.fullAts, h.now, 1, limiter.Queued))
	h.Wake(h.now, &h.gate, &h.state)
	for i, v := range h.waiting {
		if len(v.request.Answered()) == 0 {
			continue
		}
		if a := <-v.request.Answered(); a.Err != nil {
			return a.Err
		}
		if err := v.isDue(h.waiting[:i], h.grants); err != nil {
			return err
		}
		if v.others == 0 {
			h.foreseen++
			if v.foresaw != h.now {
				return fmt.Errorf("served at %d, foreseen for %d", h.now, v.foresaw)
			}
		}
		h.grants = append(h.grants, v.row)
		h.waiting = slices.Delete(h.waiting, i, i+1)
		return nil
	}
	return nil
}

// isDue reports a waiter of another row that ought to have been served before v, or one of its own. earlier are the waiters that
// came before v; grants are the rows that were served.
func (v *visitor) isDue(earlier []*visitor, grants []int) error {
	for _, w := range earlier {
		if w.row == v.row {
			return fmt.Errorf("row %d: a waiter was served before another that came first", v.row)
		}
		served := 0
		for _, row := range grants[max(v.came, w.came):] {
			switch row {
			case w.row:
				served = 0
			case v.row:
				served++
			}
		}
		if served > 1 {
			return fmt.Errorf("row %d is served for the third time while row %d waits for one", v.row, w.row)
		}
	}
	return nil
}
