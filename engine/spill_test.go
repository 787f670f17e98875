package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestAnAttackerGetsItsBoundAndNoMore: it empties its bucket, has others push it out, comes back, and so on. (Where the
// least recently used key is forgotten as it is, this brings nearly capacity times the number of rounds.)
func TestAnAttackerGetsItsBoundAndNoMore(t *testing.T) {
	const rounds, capacity = 1000, 10
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: capacity, RefillRate: limiter.PerSecond(1)}, MaxKeys: 1000}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		churn := churn
		if t.Name() == "TestAnAttackerGetsItsBoundAndNoMore/mailbox" {
			churn = 30 // each is a message
		}
		got := 0
		attack := func() {
			for eng.Allow("attacker") {
				got++
			}
		}
		for round := range rounds {
			attack()
			for i := range churn {
				eng.AllowN(fmt.Sprint("churn-", round, "-", i), capacity)
			}
		}
		attack()
		require.Equal(t, capacity, got, "%+v", eng.Stats())
		time.Sleep(3 * time.Second)
		attack()
		require.Equal(t, capacity+3, got, "capacity + rate × time")
		require.Equal(t, 1000, eng.Stats().Keys)
		require.Greater(t, eng.Stats().SketchHits, uint64(10))
		t.Logf("%+v", eng.Stats())
	})
}

// tight has room for two keys that are in use. A breaker opens at the first failure, for 5 s, and forgets after a minute.
func tight() engine.Config {
	return engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)}, Breaker: opensAfter(1), MaxKeys: 2, MaxWait: engine.NoWait,
	}
}

// pushOut makes key go.
func pushOut(t *testing.T, eng *engine.Engine, key string) {
	t.Helper()
	time.Sleep(time.Nanosecond) // so that those that push are less near to being as new
	for i := 0; ; i++ {
		if !slices.Contains(slices.Collect(eng.Keys()), key) { // Inspect would keep its actor running, and the others would go first
			return
		}
		require.Less(t, i, 100, "%q stays", key)
		name := fmt.Sprint("pushes ", key, " out ", counters(eng), i)
		require.True(t, eng.AllowN(name, 9))
		failTimes(t, eng, name, 1)
	}
}

func TestAnOpenBreakerStaysOpenThroughASpill(t *testing.T) {
	eachDispatch(t, tight(), func(t *testing.T, eng *engine.Engine) {
		handle := eng.Key("k")
		require.ErrorIs(t, handle.Run(t.Context(), fail), errDown)
		time.Sleep(time.Second - time.Nanosecond)
		pushOut(t, eng, "k")
		require.Equal(t, 4*time.Second, rejected(t, handle.Run(t.Context(), succeed), breaker.ErrOpen).RetryAfter(), "the handle finds it again")
		require.Equal(t, 4*time.Second, rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen).RetryAfter())
		s := inspect(t, eng, "k")
		require.Equal(t, breaker.Open, s.Breaker)
		require.Equal(t, 4*time.Second, s.OpenFor)
		require.InDelta(t, 10, s.Limits[0].Available, 1e-9)

		pushOut(t, eng, "k")
		time.Sleep(4 * time.Second)
		probe, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err, "its recovery has come")
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		probe.Done(nil)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))

		failTimes(t, eng, "k", 1)
		pushOut(t, eng, "k")
		time.Sleep(time.Minute)
		require.NoError(t, eng.Run(t.Context(), "k", succeed), "forgotten, as it would have been")
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

// TestClosedBreakersGoBeforeOpenOnes, however empty their buckets, once their actors have left.
func TestClosedBreakersGoBeforeOpenOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := tight()
		cfg.IdleAfter = time.Second
		eng := start(t, cfg)
		failTimes(t, eng, "open", 1)
		time.Sleep(time.Second / 2)
		require.Zero(t, eng.Stats().Actors)
		for i := range 20 {
			require.True(t, eng.AllowN(fmt.Sprint("closed ", i), 10))
		}
		_, known := eng.Inspect("open")
		require.True(t, known)
		require.EqualValues(t, 19, eng.Stats().Spilled)
	})
}

func TestAHalfOpenBreakerDoesNotCloseByASpill(t *testing.T) {
	cfg := tight()
	cfg.Breaker = &breaker.Policy{FailureThreshold: 1, HalfOpenSuccesses: 2}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(5 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", succeed), "one of two")
		pushOut(t, eng, "k")
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		time.Sleep(5 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker, "again one of two")
	})
}

// TestWaitersAndProbesAreNeverSpilled: when there is nothing else, a new key is refused.
func TestWaitersAndProbesAreNeverSpilled(t *testing.T) {
	cfg := tight()
	cfg.MaxWait = 0
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "probed", 1)
		time.Sleep(5 * time.Second)
		probe, err := eng.Admit(t.Context(), "probed")
		require.NoError(t, err)
		require.True(t, eng.AllowN("waited for", 10))
		waiter := inBackground(func() error { return eng.AcquireN(t.Context(), "waited for", 10) })
		synctest.Wait()
		for i := range 100 {
			key := fmt.Sprint("new ", i)
			require.False(t, eng.Allow(key))
			rejected(t, eng.Run(t.Context(), key, succeed), engine.ErrKeyLimit)
			rejected(t, eng.Acquire(t.Context(), key), engine.ErrKeyLimit)
		}
		require.Equal(t, 1, inspect(t, eng, "waited for").Waiting)
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "probed").Breaker)
		require.Zero(t, eng.Stats().Spilled)
		probe.Done(errDown)
		synctest.Wait() // nobody is told when the outcome of a probe has been recorded
		require.True(t, eng.Allow("new"), "the probe is back, and its key may go")
		rejected(t, eng.Run(t.Context(), "probed", succeed), breaker.ErrOpen)
		require.NoError(t, <-waiter)
	})
}

// TestAResultFindsItsKeyThroughASpill: the failure of a call that began before counts, unless the breaker has moved on since.
func TestAResultFindsItsKeyThroughASpill(t *testing.T) {
	eachDispatch(t, tight(), func(t *testing.T, eng *engine.Engine) {
		ticket, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		late, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		pushOut(t, eng, "k")
		require.True(t, eng.Allow("k"))
		pushOut(t, eng, "k")
		ticket.Done(errDown)
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		pushOut(t, eng, "k")
		time.Sleep(5 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		late.Done(errDown)
		require.NoError(t, eng.Run(t.Context(), "k", succeed), "closed again since: a late result")
	})
}

func TestResetReachesWhatWasSpilled(t *testing.T) {
	eachDispatch(t, tight(), func(t *testing.T, eng *engine.Engine) {
		drain := func(key string) {
			require.True(t, eng.AllowN(key, 9))
			failTimes(t, eng, key, 1)
			pushOut(t, eng, key)
		}
		asNew := func(key string) {
			t.Helper()
			require.NoError(t, eng.Run(t.Context(), key, succeed))
			require.True(t, eng.AllowN(key, 9))
			require.False(t, eng.Allow(key))
		}
		drain("a")
		drain("b")
		eng.Reset("a")
		_, known := eng.Inspect("a")
		require.False(t, known)
		asNew("a")
		pushOut(t, eng, "a")
		require.False(t, eng.Allow("a"), "what it has spilled since counts")
		require.False(t, eng.Allow("b"))

		require.NotPanics(t, func() { eng.Reset("b") }) // known
		asNew("b")
		eng.Reset("b")
		time.Sleep(time.Nanosecond)
		pushOut(t, eng, "b") // as new, and so evicted: nothing of it is left but what the sketch had before
		asNew("b")

		handle := eng.Key("h")
		require.ErrorIs(t, handle.Run(t.Context(), fail), errDown)
		pushOut(t, eng, "h")
		eng.Reset("h")
		require.NoError(t, handle.Run(t.Context(), succeed), "nor does a handle remember the trip")

		drain("c")
		eng.ResetAll()
		asNew("c")
		asNew("a")
		asNew("b")
	})
}

// TestATightEngineAdmitsWhatAWideOneDoes runs random schedules through an engine that has to spill all the time, and one that never
// has to. Nothing but the memory of failures below the threshold, and of successes of a half-open breaker, may be lost: here there is
// no such thing, and so every decision is the same.
func TestATightEngineAdmitsWhatAWideOneDoes(t *testing.T) {
	rng := random(t)
	var spilled uint64
	const schedules = 600 / (1 + slowdown)
	for range schedules {
		seed := rng.Uint64()
		for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
			synctest.Test(t, func(t *testing.T) {
				cfg, _ := randomConfig(rand.New(rand.NewPCG(seed, 1)), d)
				cfg.MaxWait, cfg.IdleAfter = engine.NoWait, time.Duration(seed%100+1)*100*time.Millisecond
				if cfg.Breaker != nil {
					cfg.Breaker.FailureThreshold, cfg.Breaker.HalfOpenSuccesses = 1, 1
				}
				wide := start(t, cfg)
				cfg.MaxKeys = 2
				narrow := start(t, cfg)
				rng := rand.New(rand.NewPCG(seed, 2))
				for step := range 150 {
					key := fmt.Sprint("k", rng.IntN(6))
					what, n := rng.IntN(4), 1+rng.IntN(3)
					wideSays, narrowSays := oneStep(t, wide, key, what, n), oneStep(t, narrow, key, what, n)
					require.Equal(t, wideSays, narrowSays, "schedule %d, %v, step %d: %s", seed, d, step, key)
					time.Sleep(time.Duration(rng.IntN(4)) * time.Duration(rng.IntN(200)) * time.Millisecond)
				}
				require.LessOrEqual(t, narrow.Stats().Keys, 2)
				spilled += narrow.Stats().Spilled
			})
		}
	}
	require.Greater(t, spilled, uint64(30*schedules))
}

// oneStep makes one call and says what came of it.
func oneStep(t *testing.T, eng *engine.Engine, key string, what, n int) string {
	switch what {
	case 0:
		return fmt.Sprint(eng.AllowN(key, n))
	case 1:
		return seen(eng.AcquireN(t.Context(), key, n)).String()
	case 2:
		return seen(eng.Run(t.Context(), key, fail)).String()
	default:
		if n == 3 && len(key)%2 == 0 {
			eng.Reset(key)
		}
		return seen(eng.Run(t.Context(), key, succeed)).String()
	}
}
