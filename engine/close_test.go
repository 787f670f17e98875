package engine_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

func TestCloseWakesWhoeverWaits(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(time.Hour), Breaker: opensAfter(9), Retry: everySecond}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		sleeping := inBackground(func() error { return eng.Run(t.Context(), "sleeping", fail) })
		require.True(t, eng.Allow("waiting"))
		waiting := inBackground(func() error { return eng.Acquire(t.Context(), "waiting") })
		running := make(chan struct{})
		inFlight := inBackground(func() error {
			return eng.Run(t.Context(), "in flight", func(context.Context) error { <-running; return nil })
		})
		synctest.Wait()

		begin := time.Now()
		require.NoError(t, eng.Close(t.Context()))
		rejected(t, <-waiting, engine.ErrClosed)
		err := <-sleeping
		rejected(t, err, engine.ErrClosed)
		require.ErrorIs(t, err, errDown, "joined with the last error")
		require.Zero(t, time.Since(begin), "it does not wait for functions of callers")
		require.Empty(t, inFlight)
		close(running)
		require.NoError(t, <-inFlight, "which run to their end")
	})
}

func TestAClosedEngineRefusesEverything(t *testing.T) {
	for name, cfg := range map[string]engine.Config{
		"guarded":   {Limiter: oneEvery(time.Second), Breaker: opensAfter(9), Retry: everySecond},
		"unguarded": {},
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				k := eng.Key("k")
				require.NoError(t, k.Run(t.Context(), succeed))
				ticket, err := eng.Admit(context.WithoutCancel(t.Context()), "other")
				require.NoError(t, err)
				require.NoError(t, eng.Close(t.Context()))
				require.NoError(t, eng.Close(t.Context()), "again")
				ticket.Done(errDown) // dropped
				require.False(t, eng.Allow("k"))
				require.False(t, k.Allow())
				rejected(t, eng.Acquire(t.Context(), "k"), engine.ErrClosed)
				rejected(t, k.Run(t.Context(), succeed), engine.ErrClosed)
				_, err = eng.Admit(t.Context(), "new")
				rejected(t, err, engine.ErrClosed)
				rejected(t, (<-engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { return 1, nil })).Err, engine.ErrClosed)
				_, known := eng.Inspect("k")
				require.False(t, known)
				eng.ResetAll()
				require.Zero(t, eng.Stats().Actors)
			})
		})
	}
}

func TestCloseWaitsForGoUntilItsContextEnds(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(9)}, func(t *testing.T, eng *engine.Engine) {
		result := engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { time.Sleep(time.Minute); return 1, nil })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, eng.Close(ctx), context.DeadlineExceeded)
		begin := time.Now()
		require.NoError(t, eng.Close(t.Context()))
		require.Equal(t, 59*time.Second, time.Since(begin))
		require.Equal(t, 1, (<-result).Value)
	})
}

// TestCloseInMidFlight closes engines under load and counts: every call has one outcome, and no goroutine stays.
func TestCloseInMidFlight(t *testing.T) {
	for round := range 100 {
		eng, err := engine.New(engine.Config{
			Limiter:   limiter.TokenBucket{Capacity: 100, RefillRate: limiter.PerSecond(1e6)},
			Breaker:   opensAfter(1 << 20),
			Retry:     &retry.Policy{BaseDelay: time.Microsecond},
			IdleAfter: time.Millisecond,
			MaxKeys:   3,
			Dispatch:  engine.Dispatch(round % 2),
		})
		require.NoError(t, err)
		var wg sync.WaitGroup
		var begun, ended, executed atomic.Int64
		for g := range 8 {
			wg.Go(func() {
				for i := 0; ; i++ {
					begun.Add(1)
					err := eng.Run(context.Background(), string(rune('a'+(g+i)%5)), func(context.Context) error {
						executed.Add(1)
						if i%3 == 0 {
							return errDown
						}
						return nil
					})
					ended.Add(1)
					if i > 20 && err != nil && isClosed(err) {
						return
					}
				}
			})
		}
		for executed.Load() < 200 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Microsecond)
			_ = eng.Acquire(ctx, "a")
			cancel()
		}
		require.NoError(t, eng.Close(context.Background()))
		wg.Wait()
		require.Equal(t, begun.Load(), ended.Load())
		require.Zero(t, eng.Stats().Actors)
	}
}

// Close inside a function that Go started would wait for itself: it says so, and the engine closes.
func TestCloseInsideGo(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Hour)}, func(t *testing.T, eng *engine.Engine) {
		other := start(t, engine.Config{})
		closeIt := func(context.Context) (int, error) { return 0, eng.Close(context.Background()) }
		first := engine.Go(t.Context(), eng, "a", closeIt)
		second := engine.Go(t.Context(), eng, "b", func(ctx context.Context) (int, error) {
			return engine.Do(ctx, other, "b", closeIt) // however deep
		})
		deep := engine.Go(t.Context(), eng, "c", func(context.Context) (int, error) {
			return 0, recursively(200, func() error { return eng.Close(context.Background()) })
		})
		for _, results := range []<-chan engine.Result[int]{first, second, deep} {
			if err := (<-results).Err; !errors.Is(err, engine.ErrClosed) { // it may come too late to begin
				require.ErrorIs(t, err, engine.ErrCloseInGo)
			}
		}
		rejected(t, eng.Run(t.Context(), "a", succeed), engine.ErrClosed)
		require.NoError(t, eng.Close(t.Context()), "from outside it waits as ever")
	})
}

func recursively(depth int, f func() error) error {
	if depth == 0 {
		return f()
	}
	return recursively(depth-1, f)
}

// Two engines whose functions close each other do not wait for each other for ever, and with nothing to wait for there is no error.
func TestCloseInsideGoOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := start(t, engine.Config{}), start(t, engine.Config{})
		crossed := func(other *engine.Engine) func(context.Context) (int, error) {
			return func(context.Context) (int, error) {
				time.Sleep(time.Second) // until both run
				return 0, other.Close(context.Background())
			}
		}
		first, second := engine.Go(t.Context(), a, "k", crossed(b)), engine.Go(t.Context(), b, "k", crossed(a))
		for _, results := range []<-chan engine.Result[int]{first, second} {
			if err := (<-results).Err; err != nil { // the other may have ended before
				require.ErrorIs(t, err, engine.ErrCloseInGo)
			}
		}
		c := start(t, engine.Config{})
		idle := start(t, engine.Config{})
		require.NoError(t, (<-engine.Go(t.Context(), c, "k", func(context.Context) (int, error) { return 0, idle.Close(context.Background()) })).Err)
	})
}

// Close in a function of Go ends the waits of others before it returns.
func TestCloseInsideGoEndsWaits(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Hour)}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		waiting := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		synctest.Wait()
		closing := engine.Go(t.Context(), eng, "a", func(context.Context) (int, error) { return 0, eng.Close(context.Background()) })
		require.ErrorIs(t, (<-closing).Err, engine.ErrCloseInGo)
		require.ErrorIs(t, <-waiting, engine.ErrClosed)
	})
}
