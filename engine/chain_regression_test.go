package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestAnOuterBreakerIgnoresACallThatLeftAQueue: nothing was called, whichever key the call waited for.
func TestAnOuterBreakerIgnoresACallThatLeftAQueue(t *testing.T) {
	for _, single := range []bool{true, false} {
		t.Run(fmt.Sprint(single), func(t *testing.T) {
			eachChain(t, func(t *testing.T, engines []*engine.Engine) {
				outer := start(t, engine.Config{Breaker: opensAfter(1)})
				k := chained(engines)
				if single {
					k = engines[0].Key("k")
				}
				require.True(t, engines[0].Allow("k"))
				err := outer.Run(t.Context(), "job", func(ctx context.Context) error {
					ctx, cancel := context.WithCancel(ctx)
					time.AfterFunc(time.Second, cancel)
					return k.Run(ctx, succeed)
				})
				require.ErrorIs(t, err, context.Canceled)
				s, _ := outer.Inspect("job")
				require.Equal(t, breaker.Closed, s.Breaker, "nothing was called")
			}, engine.Config{Limiter: oneEvery(time.Minute)}, engine.Config{Breaker: opensAfter(5)})
		})
	}
}

// TestRetryAfterOfAFurtherAttemptIsThatOfAllKeys, not of the one that refuses alone.
func TestRetryAfterOfAFurtherAttemptIsThatOfAllKeys(t *testing.T) {
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		k := chained(engines)
		err := k.Run(t.Context(), fail)
		r := rejected(t, err, breaker.ErrOpen)
		require.Equal(t, "api", r.Engine)
		require.Equal(t, time.Minute, r.RetryAfter())
	}, engine.Config{Name: "user", Limiter: oneEvery(time.Minute)}, engine.Config{Name: "api", Breaker: opensAfter(1), Retry: everySecond})
}

// TestAHeldTokenWasNotThereForAWaiter: what comes back is reckoned from the instant at which it comes back.
func TestAHeldTokenWasNotThereForAWaiter(t *testing.T) {
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		require.True(t, engines[1].Allow("k"))
		ctx, cancel := context.WithCancel(t.Context())
		holder := inBackground(func() error { return chained(engines).AcquireN(ctx, 20) })
		synctest.Wait()
		waiter := inBackground(func() error { return engines[0].AcquireN(t.Context(), "k", 20) })
		synctest.Wait()
		time.Sleep(10 * time.Millisecond)
		cancel()
		require.Error(t, <-holder)
		require.NoError(t, <-waiter)
		more := 0
		for engines[0].Allow("k") {
			more++
		}
		require.Zero(t, more, "of a bucket of 20 that 20 tokens were taken from at this instant")
	}, engine.Config{Limiter: limiter.TokenBucket{Capacity: 20, RefillRate: limiter.PerSecond(1000)}}, engine.Config{Limiter: oneEvery(time.Hour)})
}

// TestWithinHoldsBehindOthersOfItsRow, whose stays are not bounded.
func TestWithinHoldsBehindOthersOfItsRow(t *testing.T) {
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		wide := engines[1].Key("all")
		require.True(t, wide.Allow())
		var callers sync.WaitGroup
		run := func(k engine.Key, done func()) {
			callers.Go(func() { _ = k.Run(t.Context(), succeed); done() })
			synctest.Wait()
		}
		begun := time.Now()
		var stay time.Duration
		a := engine.Chain(engines[0].Key("a"), wide)
		run(a, func() {})
		run(a, func() {})
		run(a.Within(3500*time.Millisecond), func() { stay = time.Since(begun) })
		for _, x := range []string{"b", "c", "d", "e", "f", "g"} {
			run(engine.Chain(engines[0].Key(x), wide), func() {})
		}
		callers.Wait()
		require.LessOrEqual(t, stay, 3500*time.Millisecond+1)
	}, engine.Config{}, engine.Config{Limiter: oneEvery(time.Second)})
}

// TestACallThatMayPassIsNotDoomed: a wait in a queue of several rows may be longer than foreseen, and by then the wider key has its token.
func TestACallThatMayPassIsNotDoomed(t *testing.T) {
	for _, direct := range []bool{true, false} {
		eachChain(t, func(t *testing.T, engines []*engine.Engine) {
			u, mid, wide := engines[0], engines[1].Key("t"), engines[2].Key("w")
			require.True(t, mid.AllowN(10))
			require.True(t, wide.Allow())
			var callers sync.WaitGroup
			for range 2 {
				callers.Go(func() { _ = mid.AcquireN(t.Context(), 10) })
				synctest.Wait()
			}
			callers.Go(func() { _ = engine.Chain(u.Key("x"), mid).Acquire(t.Context()) })
			synctest.Wait()
			begun := time.Now()
			if direct { // without the wide key, to see when its turn comes at the middle one
				require.NoError(t, engine.Chain(u.Key("u"), mid).Run(t.Context(), succeed))
				require.Equal(t, 12*time.Second, time.Since(begun))
				callers.Wait()
				return
			}
			err := engine.Chain(u.Key("u"), mid, wide).Run(t.Context(), succeed)
			t.Log(time.Since(begun), err)
			callers.Wait()
			require.NoError(t, err)
		}, engine.Config{}, engine.Config{Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)}}, engine.Config{Limiter: oneEvery(10 * time.Second), MaxWait: 5 * time.Second})
	}
}

// TestACallThatNeverQueuesIsLimited, not refused by the queue.
func TestACallThatNeverQueuesIsLimited(t *testing.T) {
	for _, single := range []bool{true, false} {
		t.Run(fmt.Sprint(single), func(t *testing.T) {
			eachChain(t, func(t *testing.T, engines []*engine.Engine) {
				k := chained(engines)
				if single {
					k = engines[1].Key("k")
				}
				require.True(t, engines[1].Allow("k"))
				ctx, cancel := context.WithCancel(t.Context())
				w := inBackground(func() error { return k.Run(ctx, succeed) })
				synctest.Wait()
				r := rejected(t, k.NoWait().Run(t.Context(), succeed), limiter.ErrLimited)
				require.Equal(t, engine.LimiterStage, r.Stage)
				cancel()
				require.Error(t, <-w)
			}, engine.Config{}, engine.Config{Limiter: oneEvery(time.Minute), MaxQueue: 1})
		})
	}
}

// TestCloseInTheFunctionOfAChain ends the call before a further attempt; the others count its outcome.
func TestCloseInTheFunctionOfAChain(t *testing.T) {
	for closed := range 3 {
		eachChain(t, func(t *testing.T, engines []*engine.Engine) {
			k := chained(engines)
			failTimes(t, engines[1], "k", 1)
			time.Sleep(5 * time.Second)
			n := 0
			err := k.Run(t.Context(), func(ctx context.Context) error {
				n++
				require.NoError(t, engines[closed].Close(context.Background()))
				return errDown
			})
			require.Equal(t, 1, n)
			require.ErrorIs(t, err, errDown)
			require.ErrorIs(t, err, engine.ErrClosed)
			r := rejected(t, err, engine.ErrClosed)
			require.Equal(t, engines[closed].Config().Name, r.Engine)
			require.Zero(t, r.RetryAfter())
			res := <-engine.GoKey(t.Context(), k, func(context.Context) (int, error) { return 0, nil })
			require.ErrorIs(t, res.Err, engine.ErrClosed)
			for i, e := range engines {
				if i != closed {
					require.NoError(t, e.Close(context.Background())) // joins: no goroutine counted twice
				}
			}
		}, engine.Config{Name: "a", Limiter: oneEvery(time.Minute)}, engine.Config{Name: "b", PerCall: true, Breaker: opensAfter(1)}, engine.Config{Name: "c", Retry: everySecond, Breaker: opensAfter(5)})
	}
}

// TestAHeldKeyThatIsResetOrSpilled gets nothing back.
func TestAHeldKeyThatIsResetOrSpilled(t *testing.T) {
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		for _, how := range []string{"reset", "all", "spill"} {
			engines[1].Reset("k")
			engines[0].Reset("k")
			before := engines[0].Stats().KeptSpent
			require.True(t, engines[1].Allow("k"))
			ctx, cancel := context.WithCancel(t.Context())
			w := inBackground(func() error { return chained(engines).Run(ctx, succeed) })
			synctest.Wait()
			want := 3.0
			switch how {
			case "reset":
				engines[0].Reset("k")
			case "all":
				engines[0].ResetAll()
			case "spill":
				require.True(t, engines[0].Allow("other"))
				require.True(t, engines[0].Allow("k"))
				want = 1
			}
			cancel()
			require.ErrorIs(t, <-w, context.Canceled)
			synctest.Wait()
			require.InDelta(t, want, available(t, engines[0]), 0.01, how)
			require.EqualValues(t, 1, engines[0].Stats().KeptSpent-before, how)
		}
	}, engine.Config{MaxKeys: 1, Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Hour)}}, engine.Config{Limiter: oneEvery(time.Minute)})
}
