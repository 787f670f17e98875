package limiter_test

import (
	"errors"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// FuzzBucket plays a schedule against the oracles. Every three bytes of ops are a call: how much time passes, how many
// tokens, in which mode.
func FuzzBucket(f *testing.F) {
	f.Add(uint32(3), int64(1), second, false, []byte{0, 1, 0, 0, 3, 0, 5, 1, 0, 6, 1, 0, 7, 2, 0})
	f.Add(uint32(5), int64(3), second, true, []byte{0, 1, 1, 0, 4, 0, 6, 1, 1, 5, 1, 0, 255, 5, 0, 1, 1, 1})
	f.Add(uint32(1), int64(1), int64(1)<<61, false, []byte{0, 1, 0, 5, 1, 0, 6, 1, 0})
	f.Add(uint32(1<<30), int64(7), int64(1)<<33, true, []byte{0, 255, 0, 0, 255, 1, 254, 255, 0})
	f.Add(uint32(1), int64(1), int64(1), false, []byte{0, 1, 0, 0, 1, 0, 1, 1, 0})
	f.Fuzz(func(t *testing.T, capacity uint32, n, per int64, paced bool, ops []byte) {
		s := spec{capacity: int64(capacity), n: n, per: per, paced: paced}
		if s.limiter().Validate() != nil {
			return // FuzzCompile sees to these
		}
		tr := newTrial(t, 0, s)
		ops = ops[:min(len(ops), 90)] // thirty calls, so that there are many schedules in a second
		for ; len(ops) >= 3; ops = ops[3:] {
			tr.now += pause(tr, ops[0])
			if tr.now > 1<<61 {
				break
			}
			count := int64(ops[1])
			if count > 127 {
				count = max(1, s.capacity-255+count+1) // the capacity, one more, and what is near
			}
			if count == 0 {
				continue
			}
			require.NoError(t, tr.call(count, limiter.Mode(ops[2]%2 == 1)))
		}
		require.NoError(t, tr.judge())
	})
}

// pause is the time that a byte stands for: around the next admission, a part of an interval, or some of them.
func pause(tr *trial, b byte) int64 {
	s := tr.specs[0]
	switch {
	case b < 4:
		return int64(b)
	case b < 8: // 5 is 1 ns early, 6 in time
		return max(0, tr.ready(tr.now, 1, limiter.Place)-tr.now+int64(b)-6)
	case b < 12:
		return max(0, tr.ready(tr.now, 1, limiter.Turn)-tr.now+int64(b)-10)
	case b < 128:
		return s.interval() / 128 * int64(b)
	default:
		return s.capacity * s.interval() / 128 * int64(b-127)
	}
}

// FuzzCompile compiles anything at all, in several shapes. Never a panic: either errors that name their fields, and that
// for the right reason, or limits that keep their promises.
func FuzzCompile(f *testing.F) {
	f.Add(uint8(0), int64(10), int64(100), int64(time.Minute), 0.5)
	f.Add(uint8(1), int64(0), int64(0), int64(0), math.NaN())
	f.Add(uint8(2), int64(-1), int64(-1), int64(-1), math.Inf(1))
	f.Add(uint8(3), int64(math.MaxInt64), int64(1), int64(math.MaxInt64), 1e9)
	f.Add(uint8(4), int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64), 5e-324)
	f.Add(uint8(5), int64(1), int64(1), int64(1<<61), 1e9/float64(1<<61))
	f.Add(uint8(6), int64(1<<31), int64(1), int64(1<<30), math.Copysign(0, -1))
	f.Add(uint8(7), int64(1<<61), int64(1<<40), int64(1<<40), 1e-6)
	f.Fuzz(func(t *testing.T, shape uint8, capacity, n, d int64, hertz float64) {
		size := int(capacity)
		capacity = int64(size)
		exact := limiter.TokenBucket{Capacity: size, RefillRate: limiter.Per(n, time.Duration(d))}
		float := limiter.LeakyBucket{Capacity: size, LeakRate: limiter.PerSecond(hertz)}
		require.Equal(t, validPer(capacity, n, d), exact.Validate() == nil, "%+v: %v", exact, exact.Validate())

		members := []limiter.Limiter{exact, float, limiter.All(exact, float), limiter.All(float), nil, limiter.All()}
		var chosen []limiter.Limiter
		valid := shape > 0
		for i, l := range members {
			if shape&(1<<i) != 0 {
				chosen = append(chosen, l)
				valid = valid && l != nil && l.Validate() == nil
			}
		}
		all := limiter.All(chosen...)
		limits, err := limiter.Compile(all)
		if err != nil {
			require.Nil(t, limits)
			requireFields(t, err)
			require.EqualError(t, all.Validate(), err.Error())
		}
		require.Equal(t, valid && len(chosen) > 0, err == nil)
		if exact.Validate() == nil {
			requirePromises(t, exact, capacity, new(big.Rat).SetFrac64(d, n))
		}
		if float.Validate() == nil {
			requirePromises(t, float, capacity, nil)
		}
	})
}

// validPer reports whether a bucket of Per(n, d) may be: by the documentation, in integers that cannot overflow.
func validPer(capacity, n, d int64) bool {
	if capacity < 1 || n < 1 || d < 1 || n > d {
		return false
	}
	interval := new(big.Int).Add(big.NewInt(d), big.NewInt(n-1))
	interval.Quo(interval, big.NewInt(n))
	return interval.Mul(interval, big.NewInt(capacity)).Cmp(new(big.Int).Lsh(big.NewInt(1), 61)) <= 0
}

func requireFields(t *testing.T, err error) {
	t.Helper()
	for _, fault := range faults(t, err) {
		require.NotEmpty(t, fault.Field)
		require.NotEmpty(t, fault.Reason)
		require.Contains(t, fault.Error(), fault.Field)
	}
	_, ok := errors.AsType[*limiter.ConfigError](err)
	require.True(t, ok)
}

// requirePromises checks what is promised of any valid bucket; ideal is the exact time between two tokens if it is known.
func requirePromises(t *testing.T, l limiter.Limiter, capacity int64, ideal *big.Rat) {
	t.Helper()
	k := newKey(t, l, 0)
	require.True(t, k.limits.Holds(capacity))
	require.False(t, k.limits.Holds(capacity+1))
	require.True(t, k.allow(0, 1))
	interval := k.words[0]
	require.Positive(t, interval)
	if ideal != nil {
		require.Equal(t, ceil(ideal), interval)
	}
	if capacity > 1 {
		require.True(t, k.allow(0, capacity-1))
	}
	require.LessOrEqual(t, k.words[0], int64(1)<<61)
	require.Equal(t, interval, k.ready(0, 1, limiter.Place))
	require.False(t, k.allow(interval-1, 1))
	require.True(t, k.allow(interval, 1))
	require.Equal(t, 0.0, k.status(0, interval).Available)
}
