package engine_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

func TestGo(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Second), Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		start := time.Now()
		first := engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { return 7, nil })
		synctest.Wait()
		second := engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { runtime.Goexit(); return 8, nil })
		require.Equal(t, 1, cap(first))
		require.Equal(t, engine.Result[int]{Value: 7}, <-first)
		require.Equal(t, engine.ErrGoexit, (<-second).Err)
		require.Equal(t, time.Second, time.Since(start))
		third := <-engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { return 9, nil })
		rejected(t, third.Err, breaker.ErrOpen)
	})
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

// Close inside a function that Go started would wait for itself. Close says so, and the engine
// closes.
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

// Two engines whose functions close each other do not wait for each other for ever. If nothing is
// to be waited for, there is no error.
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

// Close in a function of Go ends the waits of other callers before Close returns.
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
