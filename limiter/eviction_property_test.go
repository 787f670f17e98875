package limiter_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// TestForgettingABucketThatIsFullIsUnobservable forgets one of two keys with the same history whenever its buckets are full, at random,
// and requires that nothing which can be asked of them tells one from the other. This is what lets the engine drop such a key and make
// it anew. It is so for one limit and for several, of both kinds.
func TestForgettingABucketThatIsFullIsUnobservable(t *testing.T) {
	forgotten, refused := 0, 0
	seeds(t, 4000, func(r *rand.Rand) error {
		specs := make([]spec, 1+r.IntN(3))
		members := make([]limiter.Limiter, len(specs))
		for i := range specs {
			specs[i] = randomSpec(r)
			specs[i].capacity = min(specs[i].capacity, 1+r.Int64N(50))
			specs[i].per = min(specs[i].per, 1<<45)
			members[i] = specs[i].limiter()
		}
		now := r.Int64N(1 << 50)
		kept, anew := newKey(t, limiter.All(members...), now), newKey(t, limiter.All(members...), now)
		for range 40 {
			now += pauseOf(r, kept, specs, now)
			if kept.limits.FullAt(kept.fullAts) <= now && r.IntN(4) > 0 {
				anew.limits.Reset(anew.fullAts, now)
				forgotten++
			}
			n, mode := 1+r.Int64N(3), limiter.Mode(r.IntN(2) == 0)
			if !kept.limits.Holds(n) {
				continue
			}
			if err := alike(kept, anew, now, n, mode); err != nil {
				return fmt.Errorf("%+v at %d: %w", specs, now, err)
			}
			if !kept.try(now, n, mode) {
				refused++
			}
			anew.try(now, n, mode)
		}
		return nil
	})
	if *seed == 0 && *cases == 0 {
		require.Greater(t, forgotten, 4000, "hardly a bucket was ever full")
		require.Greater(t, refused, 4000, "hardly a bucket was ever empty")
	}
}

// pauseOf is a time to let pass: none, a part of what is still missing in some bucket, all of it, or more.
func pauseOf(r *rand.Rand, k *key, specs []spec, now int64) int64 {
	missing := max(0, k.limits.FullAt(k.fullAts)-now)
	switch r.IntN(6) {
	case 0, 1:
		return 0
	case 2:
		return r.Int64N(missing + 1)
	case 3:
		return r.Int64N(specs[r.IntN(len(specs))].interval()) + 1
	case 4:
		return missing + r.Int64N(3)
	default:
		return missing + r.Int64N(1<<40)
	}
}

// alike asks both keys everything that the engine asks of a key, and says where they differ.
func alike(a, b *key, now, n int64, mode limiter.Mode) error {
	if x, y := a.ready(now, n, mode), b.ready(now, n, mode); x != y {
		return fmt.Errorf("%d tokens (%t) ready at %d and %d", n, mode, x, y)
	}
	if x, y := a.limits.HasRoom(a.fullAts, now, 1, n), b.limits.HasRoom(b.fullAts, now, 1, n); x != y {
		return fmt.Errorf("room for %d tokens: %t and %t", n, x, y)
	}
	for i := range a.limits {
		if x, y := a.status(i, now), b.status(i, now); x != y {
			return fmt.Errorf("limit %d is %+v and %+v", i, x, y)
		}
	}
	var x, y [3]int64 // what two callers that wait will find
	copy(x[:], a.fullAts)
	copy(y[:], b.fullAts)
	for range 2 {
		if p, q := a.limits.Follow(x[:len(a.fullAts)], now, n), b.limits.Follow(y[:len(b.fullAts)], now, n); p != q {
			return fmt.Errorf("%d tokens granted in turn at %d and %d", n, p, q)
		}
	}
	return nil
}
