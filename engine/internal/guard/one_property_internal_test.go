package guard

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestTakeOneDoesAsTake: for random limits, full-ats and readings, TakeOne and Take take the same token, or none, and
// have the same receipt.
func TestTakeOneDoesAsTake(t *testing.T) {
	cases(t, func(seed uint64, r *rand.Rand) error {
		set := settings{Breaker: []*breaker.Policy{{}, {FailureRate: 0.5}}[r.IntN(2)]}
		rate := limiter.PerSecond([]float64{0.001, 1, 1e6, 1e9}[r.IntN(4)])
		switch capacity := 1 + r.IntN(3); r.IntN(4) {
		case 0:
			set.Limiter = limiter.LeakyBucket{Capacity: capacity, LeakRate: rate}
		case 1, 2:
			set.Limiter = limiter.TokenBucket{Capacity: capacity, RefillRate: rate}
		}
		b := behaviorOf(t, set)
		now := 1 + r.Int64N([]int64{10, 1e6, 1 << 62}[r.IntN(3)])
		var one, other Gate
		for _, g := range []*Gate{&one, &other} {
			b.Init(1, "k", g, new(State))
		}
		latest := now + one.Policy().slack
		fullAt := []int64{owned, retired, 1, now, max(1, now-r.Int64N(1e6)), now + r.Int64N(1e6), latest, latest + 1}[r.IntN(8)]
		other.generation.Store(one.generation.Load())
		one.fullAt.Store(fullAt)
		other.fullAt.Store(fullAt)
		n := one.Posted()
		p := n.Policy()
		from, generation, taking := one.TakeOne(n, now)
		receipt, ok := other.Take(p, 1, p.Latest(1, limiter.Queued, now), now)
		switch {
		case ok != (taking != NotTaken) || ok && p.Rated() != (taking == TakenInWindow):
			return fmt.Errorf("seed %d: TakeOne says %v, and Take %v", seed, taking, ok)
		case one.FullAt() != other.FullAt():
			return fmt.Errorf("seed %d: full-at %d behind TakeOne, and %d behind Take", seed, one.FullAt(), other.FullAt())
		case ok && n.Receipt(from, now, 1, generation) != receipt:
			return fmt.Errorf("seed %d: receipts %+v and %+v", seed, n.Receipt(from, now, 1, generation), receipt)
		}
		return nil
	})
}

// TestSeveralLimitsAreNotForTakeOne.
func TestSeveralLimitsAreNotForTakeOne(t *testing.T) {
	bucket := limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)}
	b := behaviorOf(t, settings{Limiter: limiter.All(bucket, bucket)})
	var g Gate
	b.Init(1, "k", &g, new(State))
	g.fullAt.Store(1) // as it never is
	_, _, taking := g.TakeOne(g.Posted(), 2)
	require.Equal(t, NotTaken, taking)
}
