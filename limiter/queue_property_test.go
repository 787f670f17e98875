package limiter_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/limitpal/limitpal-go/limiter"
)

// queue is a key with callers that wait for their turn, first come first served, as the engine keeps one.
type queue struct {
	*trial
	waiters []waiter
	waiting int64 // their tokens
}

type waiter struct{ n, promised int64 }

// advance lets d pass and serves everybody whose turn comes, each at its instant.
func (q *queue) advance(d int64) error {
	until := q.now + d
	for len(q.waiters) > 0 {
		head := q.waiters[0]
		at := q.ready(q.now, head.n, limiter.Queued)
		if at > until {
			break
		}
		if at != head.promised {
			return fmt.Errorf("%+v: granted at %d, Follow had said %d", q.specs, at, head.promised)
		}
		q.now = at
		before := len(q.admitted)
		if err := q.call(head.n, limiter.Queued); err != nil {
			return err
		}
		if len(q.admitted) == before {
			return fmt.Errorf("%+v: refused at %d, its own Ready", q.specs, at)
		}
		q.waiters, q.waiting = q.waiters[1:], q.waiting-head.n
	}
	q.now = until
	return nil
}

// arrive is a call for n that waits if it must.
func (q *queue) arrive(n int64) error {
	if len(q.waiters) == 0 && q.ready(q.now, n, limiter.Queued) <= q.now {
		return q.call(n, limiter.Queued)
	}
	if !q.limits.HasRoom(q.fullAts, q.now, q.waiting, n) {
		return nil
	}
	tail, at := slices.Clone(q.fullAts), q.now
	for _, w := range q.waiters {
		at = q.limits.Follow(tail, at, w.n)
	}
	behind := make([]int64, len(tail))
	q.limits.Behind(behind, q.fullAts, q.waiting)
	if len(q.specs) == 1 && len(q.waiters) > 0 && !slices.Equal(behind, tail) {
		return fmt.Errorf("%+v: Behind has %d, Follow %d", q.specs, behind, tail)
	}
	if s := q.limits.Status(0, q.fullAts, tail, q.now, q.waiting); n == 1 && len(q.specs) == 1 {
		if want := q.limits.Ready(tail, q.now, 1, limiter.Queued) - q.now; int64(s.Wait) != want {
			return fmt.Errorf("%+v: Status has a wait of %d, it will be %d", q.specs, s.Wait, want)
		}
	}
	q.waiters, q.waiting = append(q.waiters, waiter{n, q.limits.Follow(tail, at, n)}), q.waiting+n
	return q.places()
}

// places checks that nobody waits without a place: what waits and what leaks fit in every leaky bucket.
func (q *queue) places() error {
	for i, s := range q.specs {
		status := q.limits.Status(i, q.fullAts, q.fullAts, q.now, q.waiting)
		if s.paced && int64(status.Queued) > s.capacity {
			return fmt.Errorf("%+v: %d places taken of limit %d", q.specs, status.Queued, i)
		}
		if status.Available < 0 || status.Available > float64(s.capacity) {
			return fmt.Errorf("%+v: %v available of limit %d", q.specs, status.Available, i)
		}
	}
	return nil
}

func TestQueuedCallsAreGrantedWhenFollowSaid(t *testing.T) {
	seeds(t, 120, func(r *rand.Rand) error {
		specs := make([]spec, 1+r.IntN(2)*r.IntN(3))
		for i := range specs {
			specs[i] = randomSpec(r)
			specs[i].per = min(specs[i].per, 1<<40)
			specs[i].capacity = min(specs[i].capacity, 20)
		}
		q := &queue{trial: newTrial(t, r.Int64N(1<<50), specs...)}
		for range 40 {
			n := 1 + r.Int64N(min(3, slices.MinFunc(specs, func(a, b spec) int { return int(a.capacity - b.capacity) }).capacity))
			var err error
			switch r.IntN(4) {
			case 0:
				err = q.advance(q.step(r))
			case 1: // Allow: never while anyone waits
				if len(q.waiters) == 0 {
					err = q.call(n, limiter.Immediate)
				}
			default:
				err = q.arrive(n)
			}
			if err != nil {
				return err
			}
		}
		return q.judge()
	})
}
