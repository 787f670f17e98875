package limiter_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
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
			if err := tr.call(count, limiter.Mode(ops[2]%2 == 1)); err != nil {
				t.Fatal(err)
			}
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
		return max(0, tr.ready(tr.now, 1, limiter.Immediate)-tr.now+int64(b)-6)
	case b < 12:
		return max(0, tr.ready(tr.now, 1, limiter.Queued)-tr.now+int64(b)-10)
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
		if fault := exact.Validate(); validPer(capacity, n, d) != (fault == nil) {
			t.Fatalf("%+v: %v", exact, fault)
		}

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
			if fault := unnamed(t, err); fault != nil || limits != nil || all.Validate().Error() != err.Error() {
				t.Fatalf("%+v: %v, %v, Validate says %v; %v", all, limits, err, all.Validate(), fault)
			}
		}
		if valid = valid && len(chosen) > 0; valid != (err == nil) {
			t.Fatalf("%+v: %v", all, err)
		}
		var broken, brokenToo error
		if exact.Validate() == nil {
			broken = promises(t, exact, capacity, new(big.Rat).SetFrac64(d, n))
		}
		if float.Validate() == nil {
			brokenToo = promises(t, float, capacity, nil)
		}
		if err := errors.Join(broken, brokenToo); err != nil {
			t.Fatal(err)
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

// unnamed says what a refusal does not: each of its parts has to name a field and a reason.
func unnamed(t *testing.T, err error) error {
	for _, fault := range faults(t, err) {
		if fault.Field == "" || fault.Reason == "" || !strings.Contains(fault.Error(), fault.Field) {
			return fmt.Errorf("%+v: no field, or no reason: %w", fault, err)
		}
	}
	if _, ok := errors.AsType[*limiter.ConfigError](err); !ok {
		return fmt.Errorf("not found by errors.As: %w", err)
	}
	return nil
}

// promises says which of the promises made of any valid bucket is broken; ideal is the exact time between two tokens if it is known. It
// asserts nothing by itself: an assertion takes longer than all that is asked here.
func promises(t *testing.T, l limiter.Limiter, capacity int64, ideal *big.Rat) error {
	k := newKey(t, l, 0)
	if !k.limits.Holds(capacity) || k.limits.Holds(capacity+1) {
		return fmt.Errorf("%+v does not hold just its capacity", l)
	}
	if !k.allow(0, 1) {
		return fmt.Errorf("%+v is not full when it is new", l)
	}
	interval := k.fullAts[0]
	if interval <= 0 || ideal != nil && interval != ceil(ideal) {
		return fmt.Errorf("%+v: %d ns for a token, ideally %v", l, interval, ideal)
	}
	if capacity > 1 && !k.allow(0, capacity-1) {
		return fmt.Errorf("%+v does not give all that it holds", l)
	}
	if k.fullAts[0] > 1<<61 {
		return fmt.Errorf("%+v: fullAt %d is out of range", l, k.fullAts[0])
	}
	if at := k.ready(0, 1, limiter.Immediate); at != interval || k.allow(interval-1, 1) || !k.allow(interval, 1) {
		return fmt.Errorf("%+v: empty, it should have a token after %d ns, at %d", l, interval, at)
	}
	if left := k.status(0, interval).Available; left != 0 {
		return fmt.Errorf("%+v: %v available after the last was taken", l, left)
	}
	return nil
}
