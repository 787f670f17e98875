package limiter_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/limitpal/limitpal-go/limiter"
)

// anyInstant draws from all of them, the last ones as often as others.
func anyInstant(r *rand.Rand) int64 {
	switch r.IntN(4) {
	case 0:
		return math.MaxInt64 - r.Int64N(1<<r.IntN(62))
	case 1:
		return limiter.Never
	default:
		return r.Int64N(1 << (1 + r.IntN(62)))
	}
}

// TestNoInstantIsTooLate: with full-ats and clocks at any instant, as when a clock jumps, every answer
// is that of integers without end; an answer that does not fit is the last one that does.
func TestNoInstantIsTooLate(t *testing.T) {
	num := big.NewInt
	add := func(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }
	sub := func(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }
	clip := func(n *big.Int) int64 {
		if n.Cmp(num(limiter.Never)) > 0 {
			return limiter.Never
		}
		return n.Int64()
	}
	largest := func(a, b *big.Int) *big.Int {
		if a.Cmp(b) < 0 {
			return b
		}
		return a
	}
	seeds(t, 20_000, func(r *rand.Rand) error {
		s := randomSpec(r)
		k := newKey(t, s.limiter(), 0)
		fullAt, now, waiting, n := anyInstant(r), anyInstant(r), r.Int64N(1<<(1+r.IntN(62))), 1+r.Int64N(s.capacity)
		k.fullAts[0] = fullAt
		interval := num(s.interval())
		burst := new(big.Int).Mul(num(s.capacity), interval)

		ready := add(sub(num(fullAt), burst), interval)
		if fullAt == limiter.Never || s.paced {
			ready = num(fullAt)
		}
		used := largest(sub(num(fullAt), num(now)), num(0))
		places := new(big.Int).Div(sub(burst, used), interval) // rounds down
		queued := num(waiting)
		if s.paced {
			queued.Add(queued, new(big.Int).Div(sub(add(used, interval), num(1)), interval))
		}
		status := k.limits.Status(0, k.fullAts, k.fullAts, now, waiting)
		for _, answer := range []struct {
			name      string
			got, want int64
		}{
			{"Ready", k.limits.Ready(k.fullAts, now, 1, limiter.Queued), clip(largest(ready, num(now)))},
			{"the wait", int64(status.Wait), clip(largest(sub(ready, num(now)), num(0)))},
			{"the queue", int64(status.Queued), clip(queued)},
		} {
			if answer.got != answer.want {
				return fmt.Errorf("%+v, fullAt %d at %d, %d waiting: %s is %d, should be %d", s, fullAt, now, waiting, answer.name, answer.got, answer.want)
			}
		}
		if status.Available < 0 || status.Available > float64(s.capacity) {
			return fmt.Errorf("%+v, fullAt %d at %d, %d waiting: %v available", s, fullAt, now, waiting, status.Available)
		}
		room := !s.paced || num(n).Cmp(sub(places, num(waiting))) <= 0
		if got := k.limits.HasRoom(k.fullAts, now, waiting, n); got != room {
			return fmt.Errorf("%+v, fullAt %d at %d, %d waiting: room for %d is %v", s, fullAt, now, waiting, n, got)
		}
		k.limits.Debit(k.fullAts, now, n)
		if want := clip(add(largest(num(fullAt), num(now)), new(big.Int).Mul(num(n), interval))); k.fullAts[0] != want {
			return fmt.Errorf("%+v, fullAt %d at %d: after %d it is %d, should be %d", s, fullAt, now, n, k.fullAts[0], want)
		}
		return nil
	})
}

// TestLatestIsReadyTheOtherWayRound: a full-at is at most Latest exactly if its Ready has come, for
// full-ats anywhere and one to each side of the latest.
func TestLatestIsReadyTheOtherWayRound(t *testing.T) {
	seeds(t, 20_000, func(r *rand.Rand) error {
		s := randomSpec(r)
		limit := &newKey(t, s.limiter(), 0).limits[0]
		now, n, mode := min(anyInstant(r), limiter.Never-1), 1+r.Int64N(s.capacity), limiter.Mode(r.IntN(2) == 0)
		latest := limit.Latest(now, n, mode)
		for _, fullAt := range []int64{anyInstant(r), latest - 1, latest, latest + 1, limiter.Never} {
			if ready := limit.Ready(fullAt, n, mode) <= now; ready != (fullAt <= latest) {
				return fmt.Errorf("%+v at %d, %d tokens, mode %v: the latest full-at is %d; %d is ready: %t", s, now, n, mode, latest, fullAt, ready)
			}
		}
		return nil
	})
}
