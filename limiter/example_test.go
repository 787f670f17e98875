package limiter_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/limiter"
)

// The pure arithmetic: a bucket is a full-at, time is an argument.
func Example() {
	limits, err := limiter.Compile(limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(10, time.Second)})
	if err != nil {
		panic(err)
	}
	fullAts := make([]int64, len(limits))
	limits.Reset(fullAts, 0)
	for _, ms := range []int64{0, 10, 20, 100, 101} {
		now := ms * int64(time.Millisecond)
		if ready := limits.Ready(fullAts, now, 1, limiter.Immediate); ready > now {
			fmt.Printf("at %3d ms: retry in %v\n", ms, time.Duration(ready-now))
			continue
		}
		limits.Debit(fullAts, now, 1)
		fmt.Printf("at %3d ms: passes, %.1f left\n", ms, limits.Status(0, fullAts, fullAts, now, 0).Available)
	}
	// Output:
	// at   0 ms: passes, 1.0 left
	// at  10 ms: passes, 0.1 left
	// at  20 ms: retry in 80ms
	// at 100 ms: passes, 0.0 left
	// at 101 ms: retry in 99ms
}

// A quota that a provider counts from minute to minute.
func ExampleFixedWindow() {
	limits, err := limiter.Compile(limiter.FixedWindow{Max: 2, Per: time.Minute})
	if err != nil {
		panic(err)
	}
	begin := time.Date(2026, time.November, 29, 13, 7, 40, 0, time.UTC)
	limits, fullAts := limits.Anchor(begin), make([]int64, 1) // an engine does this in New
	limits.Reset(fullAts, 0)
	for _, s := range []int64{0, 10, 15, 20, 21, 22} {
		now := s * int64(time.Second)
		clock := begin.Add(time.Duration(now)).Format(time.TimeOnly)
		if ready := limits.Ready(fullAts, now, 1, limiter.Immediate); ready > now {
			fmt.Printf("%s: retry in %v\n", clock, time.Duration(ready-now))
			continue
		}
		limits.Debit(fullAts, now, 1)
		fmt.Printf("%s: passes\n", clock)
	}
	// Output:
	// 13:07:40: passes
	// 13:07:50: passes
	// 13:07:55: retry in 5s
	// 13:08:00: passes
	// 13:08:01: passes
	// 13:08:02: retry in 58s
}

// door is a limiter without the engine: one state, one goroutine at a time.
type door struct {
	limits  limiter.Limits
	fullAts []int64
	birth   time.Time
}

func newDoor(l limiter.Limiter, birth time.Time) (*door, error) {
	limits, err := limiter.Compile(l)
	if err != nil {
		return nil, err
	}
	return &door{limits: limits, fullAts: make([]int64, len(limits)), birth: birth}, nil
}

func (d *door) allow(now time.Time, n int64) error {
	at := int64(now.Sub(d.birth))
	switch {
	case !d.limits.Holds(n):
		return limiter.ErrExceedsCapacity
	case d.limits.Ready(d.fullAts, at, n, limiter.Immediate) > at:
		return limiter.ErrLimited
	}
	d.limits.Debit(d.fullAts, at, n)
	return nil
}

// Without the engine: a caller that owns the state and asks the time itself.
func ExampleCompile() {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	d, err := newDoor(limiter.TokenBucket{Capacity: 3, RefillRate: limiter.PerSecond(1)}, noon)
	if err != nil {
		panic(err)
	}
	fmt.Println(d.allow(noon, 4))
	fmt.Println(d.allow(noon, 3))
	fmt.Println(d.allow(noon.Add(500*time.Millisecond), 1))
	fmt.Println(d.allow(noon.Add(time.Second), 1))
	// Output:
	// limiter: more than the capacity
	// <nil>
	// limiter: limited
	// <nil>
}

// All or nothing: bursts of three, but no more than four in a minute.
func ExampleAll() {
	d, err := newDoor(limiter.All(
		limiter.TokenBucket{Capacity: 3, RefillRate: limiter.PerSecond(1)},
		limiter.TokenBucket{Capacity: 4, RefillRate: limiter.Per(4, time.Minute)},
	), time.Unix(0, 0))
	if err != nil {
		panic(err)
	}
	for s := int64(0); s <= 4; s += 2 {
		fmt.Println(s, "s:", d.allow(time.Unix(s, 0), 2))
	}
	// Output:
	// 0 s: <nil>
	// 2 s: <nil>
	// 4 s: limiter: limited
}

// A leaky bucket spaces evenly what comes in one heap.
func ExampleLimits_Follow() {
	limits, err := limiter.Compile(limiter.LeakyBucket{Capacity: 5, LeakRate: limiter.PerSecond(2)})
	if err != nil {
		panic(err)
	}
	fullAts := []int64{0}
	var at int64
	for range 4 {
		at = limits.Follow(fullAts, at, 1)
		fmt.Println(time.Duration(at))
	}
	// Output:
	// 0s
	// 500ms
	// 1s
	// 1.5s
}

// Every field that cannot be used is named.
func ExampleConfigError() {
	_, err := limiter.Compile(limiter.All(
		limiter.TokenBucket{Capacity: 0, RefillRate: limiter.PerSecond(-1)},
		limiter.LeakyBucket{Capacity: 5, LeakRate: limiter.PerSecond(10)},
	))
	fmt.Println(err)
	fault, _ := errors.AsType[*limiter.ConfigError](err)
	fmt.Println(fault.Field)
	// Output:
	// limiter: [0].RefillRate = -1/s: must be positive
	// limiter: [0].Capacity = 0: must be at least 1
	// [0].RefillRate
}
