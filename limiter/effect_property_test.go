package limiter_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// walk is what an Effect is to equal: one caller after the other.
func walk(l limiter.Limits, from, tokens []int64) []int64 {
	to := slices.Clone(from)
	for _, n := range tokens {
		to[0] = l.Follow(to[1:], to[0], n)
	}
	return to
}

// randomLimits are one to four, with the most that all of them hold.
func randomLimits(t *testing.T, r *rand.Rand) (l limiter.Limits, most int64) {
	var all []limiter.Limiter
	most = math.MaxInt64
	for range 1 + r.IntN(4) {
		s := randomSpec(r)
		all, most = append(all, s.limiter()), min(most, s.capacity)
	}
	l, err := limiter.Compile(limiter.All(all...))
	require.NoError(t, err)
	return l, most
}

// joined is the effect of callers, put together in any way.
func joined(l limiter.Limits, r *rand.Rand, tokens []int64) limiter.Effect {
	e := l.NoEffect()
	if len(tokens) < 2 || r.IntN(4) == 0 {
		for _, n := range tokens {
			e.Follow(l, n)
		}
		return e
	}
	i := r.IntN(len(tokens) + 1)
	e.Join(l, joined(l, r, tokens[:i]), joined(l, r, tokens[i:]))
	return e
}

// TestAnEffectIsThatOfOneCallerAfterTheOther, whatever the limits, the full-ats and the instant from
// which the callers wait, and however they are put together.
func TestAnEffectIsThatOfOneCallerAfterTheOther(t *testing.T) {
	never := 0
	seeds(t, 3000, func(r *rand.Rand) error {
		l, most := randomLimits(t, r)
		tokens := make([]int64, r.IntN(30))
		for i := range tokens {
			tokens[i] = 1 + r.Int64N(min(most, []int64{3, 1 << 40}[r.IntN(2)]))
		}
		e := joined(l, r, tokens)
		for range 10 {
			from, to := make([]int64, len(l)+1), make([]int64, len(l)+1)
			scale := []int64{1 << 10, 1 << 40, 1 << 62, math.MaxInt64}[r.IntN(4)]
			for i := range from {
				from[i] = r.Int64N(scale)
				if r.IntN(100) == 0 {
					from[i] = limiter.Never
				}
			}
			e.Apply(to, from)
			want := walk(l, from, tokens)
			if slices.Contains(want, limiter.Never) {
				never++
				if !slices.Contains(to, limiter.Never) || l.Ready(to[1:], to[0], 1, limiter.Queued) != limiter.Never {
					return fmt.Errorf("%+v: %v behind %v gives %v, should be %v", l, tokens, from, to, want)
				}
			} else if !slices.Equal(to, want) {
				return fmt.Errorf("%+v: %v behind %v gives %v, should be %v", l, tokens, from, to, want)
			}
		}
		return nil
	})
	if *seed == 0 && *cases == 0 {
		require.Greater(t, never, 300, "hardly did a sum not fit")
	}
}

// TestAnEffectIsMadeAnew: what it was before is gone.
func TestAnEffectIsMadeAnew(t *testing.T) {
	seeds(t, 100, func(r *rand.Rand) error {
		l, _ := randomLimits(t, r)
		e, first, second := l.NoEffect(), l.NoEffect(), l.NoEffect()
		e.Follow(l, 1)
		e.Join(l, first, second)
		if !slices.Equal(e, l.NoEffect()) {
			return fmt.Errorf("%+v: nobody and nobody is %v", l, e)
		}
		e.Follow(l, 1)
		e.Clear(l)
		if !slices.Equal(e, l.NoEffect()) {
			return fmt.Errorf("%+v: cleared, it is %v", l, e)
		}
		return nil
	})
}
