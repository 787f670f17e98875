package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

func TestLimitPal12EvictionIsARefund(t *testing.T) {
	cfg := engine.Config{
		Limiter:   limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(10, time.Hour)},
		MaxKeys:   3,
		IdleAfter: time.Minute,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("drained", 10))
		require.True(t, eng.Allow("read"))
		admitted := 0
		for i := range 1000 {
			if eng.Allow(fmt.Sprint("churn-", i)) {
				admitted++
			}
		}
		require.Equal(t, 1000, admitted, "a new key has its tokens")
		require.False(t, eng.Allow("drained"), "churn does not refill it")
		time.Sleep(3 * time.Minute)
		require.False(t, eng.Allow("drained"), "nor does going unused for longer than IdleAfter")

		known := true
		for begin := time.Now(); known; time.Sleep(time.Second) {
			_, known = eng.Inspect("read")
			require.Less(t, time.Since(begin), 5*time.Minute, "reading does not count as use: it goes when it is full, after 6 min")
		}
	})
}

func TestLimitPal13LockRaces(t *testing.T) {
	t.Parallel()
	cfg := engine.Config{
		Limiter:   limiter.TokenBucket{Capacity: 500, RefillRate: limiter.Per(1, time.Hour)},
		MaxKeys:   4,
		IdleAfter: 1000 * time.Hour,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		takeDuringEvictions(t, eng)
		meetAtTheBirthOfAKey(t, eng)
		resetDuringWaits(t, eng)
		require.Zero(t, eng.Stats().Restarts)
	})
}

// takeDuringEvictions takes more than the 500 tokens of "hot" while other keys are evicted.
func takeDuringEvictions(t *testing.T, eng *engine.Engine) {
	var admitted atomic.Int32
	var all sync.WaitGroup
	require.True(t, eng.Allow("hot"))
	for g := range 8 {
		all.Go(func() {
			for i := range 250 {
				if eng.Allow("hot") {
					admitted.Add(1)
				}
				key := fmt.Sprint("churn-", (g+i)%8)
				eng.Allow(key)
				eng.Reset(key) // as new: the next key evicts this one while other goroutines use it
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 499, admitted.Load(), "no token is lost, and none is given twice")
	require.NotZero(t, eng.Stats().Evicted)
}

// meetAtTheBirthOfAKey has eight callers ask for all 500 tokens of a new key, 300 times.
func meetAtTheBirthOfAKey(t *testing.T, eng *engine.Engine) {
	for i := range 300 {
		key := fmt.Sprint("born-", i)
		var full atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if eng.AllowN(key, 500) {
					full.Add(1)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, full.Load())
		eng.Reset(key)
	}
}

// resetDuringWaits resets all keys and single keys while callers wait for all tokens of "hot".
func resetDuringWaits(t *testing.T, eng *engine.Engine) {
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 50 {
				eng.ResetAll()
				eng.Reset(fmt.Sprint("churn-", (g+i)%8))
				_ = eng.AcquireN(t.Context(), "hot", 500)
			}
		})
	}
	all.Wait()
	require.Zero(t, inspect(t, eng, "hot").Waiting)
}

func TestLimitPal14MaxBucketsIsSoftAndSlow(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(time.Hour), MaxKeys: 2000}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				for i := range 300 {
					eng.Allow(fmt.Sprint(g, "-", i))
				}
			})
		}
		all.Wait()
		require.Equal(t, 2000, eng.Stats().Keys, "of 2,400 that came at once")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range 100 {
			require.True(t, eng.Allow(fmt.Sprint("one more ", i)))
		}
		runtime.ReadMemStats(&after)
		require.Equal(t, 2000, eng.Stats().Keys)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(100*5*2000), "a handful of bytes for each key, at the worst")
	})
}

func TestLimitPal15WaitersRace(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.PerSecond(1)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("k", 3))
		served := make(chan int, 30)
		for i := range 30 {
			go func() {
				_ = eng.AcquireN(t.Context(), "k", 1+i%3)
				served <- i
			}()
			synctest.Wait()
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.Equal(t, 61*time.Second, rejected(t, eng.Acquire(ctx, "k"), limiter.ErrLimited).RetryAfter())
		require.Zero(t, time.Since(start), "a wait that cannot end well is refused at once")
		for i := range 30 {
			time.Sleep(time.Duration(1+i%3)*time.Second - 1)
			require.False(t, eng.Allow("k"), "no newcomer overtakes one who waits for more than there is yet")
			require.Equal(t, i, <-served, "in the order of arrival, also when a later one needs less")
		}
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestLimitPal16FloatDustHangs(t *testing.T) {
	t.Parallel()
	for _, capacity := range []int{1, 2, 3, 5, 7, 10, 100} {
		for _, rate := range []float64{0.1, 0.3, 0.7, 3, 7, 10, 30, 1e3} {
			cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: capacity, RefillRate: limiter.PerSecond(rate)}}
			eachDispatchMock(t, cfg, func(t *testing.T, m *clocktest.Mock, eng *engine.Engine) {
				require.True(t, eng.AllowN("k", capacity))
				for i := range 200 / slowdown {
					wait := inspect(t, eng, "k").Limits[0].Wait
					granted := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
					m.Advance(wait - 1)
					require.Empty(t, granted)
					m.Advance(1)
					require.Len(t, granted, 1, "capacity %d, %v/s: acquire %d hangs", capacity, rate, i)
					require.NoError(t, <-granted)
				}
			})
		}
	}
}

func TestLimitPal17RetryOnIsUsedUp(t *testing.T) {
	asked := 0
	policy := &retry.Policy{BaseDelay: time.Second, RetryIf: func(error) bool { asked++; return true }}
	eachDispatch(t, engine.Config{Retry: policy}, func(t *testing.T, eng *engine.Engine) {
		asked = 0
		given := *policy
		defer func() { *policy = given }()
		*policy = retry.Policy{MaxAttempts: 1} // New has taken a copy
		for range 4 {
			var calls int
			require.Error(t, eng.Run(t.Context(), "k", failing(&calls, errDown)))
			require.Equal(t, 3, calls, "the first call does not use the policy up for those after it")
		}
		require.Equal(t, 12, asked)
	})
}

func TestLimitPal18JitterGoesBeyondTheCap(t *testing.T) {
	for _, jitter := range []retry.Jitter{retry.FullJitter, retry.EqualJitter, retry.DecorrelatedJitter} {
		policy := &retry.Policy{MaxAttempts: 2, BaseDelay: 2 * time.Second, MaxDelay: 3 * time.Second, Jitter: jitter}
		eachDispatch(t, engine.Config{Retry: policy}, func(t *testing.T, eng *engine.Engine) {
			var delays []time.Duration
			for range 200 {
				start := time.Now()
				require.ErrorIs(t, eng.Run(t.Context(), "k", fail), errDown)
				delays = append(delays, time.Since(start))
			}
			require.LessOrEqual(t, slices.Max(delays), 3*time.Second)
			slices.Sort(delays)
			require.Greater(t, len(slices.Compact(delays)), 20, "%v spreads", jitter)
		})
	}
	require.Equal(t, retry.FullJitter, retry.Policy{}.Jitter, "the default spreads; for the Seed see TestRetriesAreSpreadByTheSeed")
}

func TestLimitPal19ReadingLiesAndCreates(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1), Limiter: oneEvery(time.Hour)}, func(t *testing.T, eng *engine.Engine) {
		_, known := eng.Inspect("nobody")
		require.False(t, known)
		_, known = eng.Key("nobody").Inspect()
		require.False(t, known)
		require.Zero(t, eng.Stats().Keys, "reading makes no key known")
		failTimes(t, eng, "k", 1)
		time.Sleep(5*time.Second - 1)
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker)
		time.Sleep(time.Nanosecond)
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker, "before anybody has called")
	})
}

func TestLimitPal20TheMockClockMovesItself(t *testing.T) {
	cfg := engine.Config{Retry: everySecond, Limiter: limiter.TokenBucket{Capacity: 9, RefillRate: limiter.PerSecond(1)}}
	eachDispatchMock(t, cfg, func(t *testing.T, m *clocktest.Mock, eng *engine.Engine) {
		begin := m.Now()
		var calls, done atomic.Int32
		for range 3 {
			go func() {
				err := errDown // of the first attempt
				_ = eng.Run(t.Context(), "k", func(context.Context) (now error) {
					calls.Add(1)
					now, err = err, nil
					return now
				})
				done.Add(1)
			}()
		}
		m.Advance(0)
		require.EqualValues(t, 3, calls.Load())
		require.Equal(t, begin, m.Now(), "a sleep does not move the clock")
		m.Advance(time.Second - 1)
		require.Zero(t, done.Load())
		m.Advance(1)
		require.EqualValues(t, 3, done.Load(), "three sleeps of 1 s overlap")
		require.Equal(t, time.Second, m.Now().Sub(begin))
	})
}

func TestLimitPal21NoCostNoListingNoClose(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("a", 4))
		require.NoError(t, eng.AcquireN(t.Context(), "a", 6))
		require.False(t, eng.Allow("a"), "a call may cost more than one token")
		require.True(t, eng.Allow("b"))
		require.Equal(t, []string{"a", "b"}, slices.Sorted(eng.Keys()))
		require.Equal(t, 2, eng.Stats().Keys)
		waiting := inBackground(func() error { return eng.Acquire(context.Background(), "a") })
		synctest.Wait()
		require.NoError(t, eng.Close(t.Context()))
		rejected(t, <-waiting, engine.ErrClosed)
		require.Zero(t, eng.Stats().Actors)
	})
}
