package retry_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/retry"
)

// fair draws from U[lo,hi] as the source of a seeded call should, in numbers
// without end: of the 2^64 that the generator may give, every value gets as many,
// and what is left over is drawn again.
func fair(pcg *rand.PCG, lo, hi time.Duration) (d time.Duration, again int) {
	all := new(big.Int).Lsh(big.NewInt(1), 64)
	n := big.NewInt(int64(hi - lo))
	n.Add(n, big.NewInt(1))
	unfair := new(big.Int).Mod(all, n)
	for ; ; again++ {
		x := new(big.Int).SetUint64(pcg.Uint64())
		value, rest := x.QuoRem(x.Mul(x, n), all, new(big.Int))
		if rest.Cmp(unfair) >= 0 {
			return lo + time.Duration(value.Int64()), again
		}
	}
}

// third is a range of which a third of the draws is left over: 2^64 is twice its
// length and nearly as much again.
const third = 6148914691236517206

func TestDrawsAreFair(t *testing.T) {
	again := 0
	for call := range uint64(300) {
		for _, tc := range []struct {
			policy retry.Policy
			lo, hi time.Duration
		}{
			{retry.Policy{BaseDelay: third, Jitter: retry.FullJitter}, 0, third},
			{retry.Policy{BaseDelay: 100 * ms, Jitter: retry.FullJitter}, 0, 100 * ms},
			{retry.Policy{BaseDelay: 101, Jitter: retry.EqualJitter}, 50, 101},
			{retry.Policy{BaseDelay: 100 * ms, Jitter: retry.DecorrelatedJitter}, 100 * ms, 300 * ms},
			{retry.Policy{BaseDelay: math.MaxInt64 / 3, MaxDelay: math.MaxInt64, Jitter: retry.DecorrelatedJitter}, math.MaxInt64 / 3, math.MaxInt64 / 3 * 3},
		} {
			tc.policy.Seed = 7
			want, n := fair(rand.NewPCG(7, call), tc.lo, tc.hi)
			again += n
			s := tc.policy.Schedule(call)
			got, _, ok := s.Next(errBoom, 0, noDeadline)
			require.True(t, ok)
			require.Equal(t, want, got, "call %d of %+v", call, tc.policy)
		}
	}
	require.Greater(t, again, 100, "hardly a draw was left over")
}

// The seeds are worked out so that their first number is the last that is left
// over, and the first that is not.
func TestTheEdgeOfAFairDraw(t *testing.T) {
	for _, tc := range []struct {
		seed  uint64
		again bool
	}{
		{0x781b363b0d7d8993, true},
		{0xb6b0a507964c5904, false},
	} {
		const call = 0x262bd488c4298ee2
		want, again := fair(rand.NewPCG(tc.seed, call), 0, third)
		require.Equal(t, tc.again, again > 0)
		s := retry.Policy{BaseDelay: third, Seed: tc.seed}.Schedule(call)
		got, _, _ := s.Next(errBoom, 0, noDeadline)
		require.Equal(t, want, got)
	}
}
