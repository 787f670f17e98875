package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestRowPlacesKeepTheirKey: it is neither forgotten nor spilled, and can go when the last call has ended.
func TestRowPlacesKeepTheirKey(t *testing.T) {
	cfg := engine.Config{Concurrency: limiter.InFlight{Max: 1}, IdleAfter: time.Second, MaxKeys: 2, MaxWait: engine.NoWait}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		one, two := occupied(t, eng.Key("one")), occupied(t, eng.Key("two"))
		time.Sleep(time.Minute)
		require.ErrorIs(t, eng.Run(t.Context(), "three", succeed), engine.ErrKeyLimit)
		require.ErrorIs(t, eng.Run(t.Context(), "one", succeed), limiter.ErrInFlight)
		close(one)
		synctest.Wait()
		require.NoError(t, eng.Run(t.Context(), "three", succeed), "the first key can go")
		require.ErrorIs(t, eng.Run(t.Context(), "two", succeed), limiter.ErrInFlight)
		close(two)
		time.Sleep(time.Minute)
		require.Zero(t, eng.Stats().Keys)
	})
}

// TestRowPlacesOfAChain: nobody waits with a place, and a refused call gives all places back.
func TestRowPlacesOfAChain(t *testing.T) {
	narrowCfg := engine.Config{Concurrency: limiter.InFlight{Max: 1}}
	eachDispatch(t, narrowCfg, func(t *testing.T, narrow *engine.Engine) {
		wide, err := engine.New(engine.Config{
			Concurrency: limiter.InFlight{Max: 1}, Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Hour)},
			Dispatch: narrow.Config().Dispatch,
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, wide.Close(context.Background())) }()
		through := func(user string) engine.Key { return engine.Chain(narrow.Key(user), wide.Key("w")) }
		end := occupied(t, through("a"))
		require.ErrorIs(t, through("b").NoWait().Run(t.Context(), succeed), limiter.ErrInFlight)
		require.Zero(t, inFlight(t, narrow, "b"))
		waits := inBackground(func() error { return through("b").Run(t.Context(), succeed) })
		synctest.Wait()
		require.Zero(t, inFlight(t, narrow, "b"), "it waits without its own place")
		require.NoError(t, narrow.Run(t.Context(), "b", succeed))
		require.InDelta(t, 1, inspect(t, wide, "w").Limits[0].Available, 0.01, "and without a token")
		close(end)
		require.NoError(t, <-waits)
		synctest.Wait()
		require.Zero(t, taken(narrow, "a", "b")+taken(wide, "w"))

		began := time.Now() // the token is not there, and the place is
		waits = inBackground(func() error { return through("b").Run(t.Context(), succeed) })
		synctest.Wait()
		require.Zero(t, taken(narrow, "a", "b")+taken(wide, "w"))
		require.NoError(t, <-waits)
		require.InDelta(t, time.Hour, time.Since(began), float64(time.Minute))

		end = occupied(t, narrow.Key("b")) // neither is there
		waits = inBackground(func() error { return through("b").Run(t.Context(), succeed) })
		synctest.Wait()
		close(end)
		synctest.Wait()
		require.Zero(t, taken(narrow, "a", "b")+taken(wide, "w"))
		require.NoError(t, <-waits)
		synctest.Wait()
		require.Zero(t, taken(narrow, "a", "b")+taken(wide, "w"))
	})
}

// TestRowPlacesMayBecomeMoreAndFewer while calls run and wait.
func TestRowPlacesMayBecomeMoreAndFewer(t *testing.T) {
	cfg := engine.Config{Concurrency: limiter.InFlight{Max: 1}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		k := eng.Key("k")
		first := occupied(t, k)
		var ends []chan struct{}
		for range 2 {
			ends = append(ends, make(chan struct{}))
		}
		var began atomic.Int32
		for i := range ends {
			inBackground(func() error {
				return k.Run(t.Context(), func(context.Context) error { began.Add(1); <-ends[i]; return nil })
			})
		}
		synctest.Wait()
		require.Zero(t, began.Load())
		more := cfg
		more.Dispatch, more.Concurrency = eng.Config().Dispatch, limiter.InFlight{Max: 2}
		require.NoError(t, eng.Reconfigure(more))
		synctest.Wait()
		require.EqualValues(t, 1, began.Load(), "one place more")
		more.Concurrency = limiter.InFlight{Max: 1}
		require.NoError(t, eng.Reconfigure(more))
		close(first)
		synctest.Wait()
		require.EqualValues(t, 1, began.Load(), "one place less")
		more.Concurrency = nil
		require.NoError(t, eng.Reconfigure(more))
		synctest.Wait()
		require.EqualValues(t, 2, began.Load(), "no bound")
		for i := range ends {
			close(ends[i])
		}
		synctest.Wait()
		require.Zero(t, eng.Stats().InFlight)
		more.Concurrency = limiter.InFlight{Max: 1}
		require.NoError(t, eng.Reconfigure(more))
		end := occupied(t, k)
		require.ErrorIs(t, k.NoWait().Run(t.Context(), succeed), limiter.ErrInFlight)
		close(end)
	})
}

// TestRowPlacesInShadow, and calls beyond the bound take none.
func TestRowPlacesInShadow(t *testing.T) {
	cfg := engine.Config{Concurrency: limiter.InFlight{Max: 1}, Shadow: true}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		end := occupied(t, eng.Key("k"))
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.EqualValues(t, 1, eng.Stats().ShadowRefused)
		require.Equal(t, 1, inFlight(t, eng, "k"))
		close(end)
		synctest.Wait()
		require.Zero(t, inFlight(t, eng, "k"))
	})
}

func TestRowPlacesAtClose(t *testing.T) {
	cfg := engine.Config{Concurrency: limiter.InFlight{Max: 1}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		end := occupied(t, eng.Key("k"))
		waits := inBackground(func() error { return eng.Run(t.Context(), "k", succeed) })
		synctest.Wait()
		require.NoError(t, eng.Close(t.Context()))
		require.ErrorIs(t, <-waits, engine.ErrClosed)
		close(end)
	})
}

func TestBadPlaces(t *testing.T) {
	for _, c := range []limiter.Concurrency{limiter.InFlight{}, limiter.InFlight{Max: -1}, limiter.InFlight{Max: 1<<30 + 1}} {
		_, err := engine.New(engine.Config{Concurrency: c})
		bad, ok := errors.AsType[*engine.ConfigError](err)
		require.True(t, ok)
		require.Equal(t, "Concurrency.Max", bad.Field)
		require.Error(t, c.Validate())
	}
	_, err := engine.New(engine.Config{Concurrency: (*limiter.InFlight)(nil)})
	require.EqualError(t, err, "engine: Concurrency = <nil>: must not be nil")
	require.NoError(t, limiter.InFlight{Max: 1 << 30}.Validate())
}
