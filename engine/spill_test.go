package engine_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// The attacker empties a bucket, has other keys push the attacker's key out, comes back, and so on.
// (A limiter that forgets the least recently used key grants nearly capacity times the number of
// rounds.)
func TestAnAttackerGetsItsBoundAndNoMore(t *testing.T) {
	t.Parallel()
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
		name, newcomer := []byte("churn-"), int64(0)
		for range rounds {
			attack()
			for range churn {
				name = strconv.AppendInt(name[:len("churn-")], newcomer, 10)
				newcomer++
				eng.AllowN(string(name), capacity)
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

// tight has room for two keys that are in use. A breaker opens at the first failure, for 5 s, and
// forgets after a minute.
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

// The failure of a call that began before a spill counts, unless the breaker has moved on since.
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
		pushOut(t, eng, "b") // clean, and so evicted: only the sketch still has debts of "b"
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

// However many keys have failed and were spilled, the breaker of a fresh key is closed, and the
// breakers of the latest keys that failed are found open.
func TestNoKeyMeetsTheBreakerOfAnother(t *testing.T) {
	t.Parallel()
	const fresh = 2_000
	failing := 100 * churn
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{Breaker: opensAfter(1), MaxKeys: 1_000})
		for i := range failing {
			require.ErrorIs(t, eng.Run(t.Context(), fmt.Sprint("failing ", i), fail), errDown)
		}
		require.GreaterOrEqual(t, eng.Stats().Spilled, uint64(failing-1_000))
		refused := 0
		for i := range fresh {
			if eng.Run(t.Context(), fmt.Sprint("fresh ", i), succeed) != nil {
				refused++
			}
		}
		require.Zero(t, refused, "of %d fresh keys so many met an open breaker", fresh)
		for i := failing - 2_000; i < failing; i++ {
			rejected(t, eng.Run(t.Context(), fmt.Sprint("failing ", i), succeed), breaker.ErrOpen)
		}
	})
}

// A spilled breaker that has recovered is closed, also when the key goes and comes back once more.
func TestASpilledBreakerThatRecoveredIsClosed(t *testing.T) {
	eachDispatch(t, tight(), func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		pushOut(t, eng, "k")
		time.Sleep(5 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.True(t, eng.AllowN("k", 5))
		pushOut(t, eng, "k")
		require.True(t, eng.Allow("k"), "it is back")
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

// SketchLoad is 0 at first, then a share of the cells that grows with the spilled keys, and 0 again
// when the cells' instants have come.
func TestSketchLoadShowsHowFullTheSketchIs(t *testing.T) {
	t.Parallel()
	bucket := limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Minute)}
	for name, l := range map[string]limiter.Limiter{
		"one limit": bucket,
		"several":   limiter.All(limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1e9)}, bucket),
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Limiter: l, MaxKeys: 100}, func(t *testing.T, eng *engine.Engine) {
				require.Zero(t, eng.Stats().SketchLoad)
				const keys = 10_100
				for i := range keys {
					require.NotPanics(t, func() { eng.AllowN(fmt.Sprint(i), 10) })
				}
				require.InDelta(t, 0.142, eng.Stats().SketchLoad, 0.04, "1 - exp(-10,000 / 65,536)")
				time.Sleep(10*time.Minute - 1)
				require.InDelta(t, 0.142, eng.Stats().SketchLoad, 0.04)
				time.Sleep(time.Nanosecond)
				require.Zero(t, eng.Stats().SketchLoad)
			})
		})
	}
}
