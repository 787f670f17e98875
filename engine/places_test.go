package engine_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// occupied runs a call of k that keeps its place until the result is closed.
func occupied(t *testing.T, k engine.Key) (end chan struct{}) {
	t.Helper()
	end = make(chan struct{})
	began := make(chan struct{})
	inBackground(func() error {
		return k.Run(t.Context(), func(context.Context) error {
			close(began)
			<-end
			return nil
		})
	})
	<-began
	return end
}

// taken returns the places that are taken of keys.
func taken(eng *engine.Engine, keys ...string) (n int) {
	for _, key := range keys {
		s, _ := eng.Inspect(key)
		n += s.InFlight
	}
	return n
}

func inFlight(t *testing.T, eng *engine.Engine, key string) int {
	t.Helper()
	return inspect(t, eng, key).InFlight
}

func TestRowPlacesBoundTheCallsInFlight(t *testing.T) {
	cfg := engine.Config{Concurrency: limiter.InFlight{Max: 2}, MaxWait: engine.NoWait}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		k := eng.Key("k")
		first, second := occupied(t, k), occupied(t, k)
		require.Equal(t, 2, inFlight(t, eng, "k"))
		require.Equal(t, 2, eng.Stats().InFlight)
		err := k.Run(t.Context(), succeed)
		require.ErrorIs(t, err, limiter.ErrInFlight)
		r, _ := errors.AsType[*engine.Rejection](err)
		require.Equal(t, engine.InFlightStage, r.Stage)
		require.Zero(t, r.RetryAfter())
		require.False(t, r.Limited())
		require.EqualError(t, err, `engine: key "k": limiter: too many calls in flight`)
		require.ErrorIs(t, k.Check(t.Context()), limiter.ErrInFlight)
		x := k.Explain()
		require.False(t, x.Passes)
		require.Equal(t, engine.InFlightStage, x.Keys[0].Stage)
		_, err = k.Admit(t.Context())
		require.ErrorIs(t, err, limiter.ErrInFlight)
		require.True(t, k.Allow(), "takes no place")
		require.NoError(t, k.Acquire(t.Context()))
		require.NoError(t, eng.Run(t.Context(), "other", succeed))
		close(first)
		synctest.Wait()
		require.Equal(t, 1, inFlight(t, eng, "k"))
		require.NoError(t, k.Run(t.Context(), succeed))
		close(second)
		synctest.Wait()
		require.Zero(t, inFlight(t, eng, "k"))
		require.Zero(t, eng.Stats().InFlight)
		require.EqualValues(t, 3, eng.Stats().InFlightFull)
	})
}

func TestRowPlacesComeBackWhateverTheEnd(t *testing.T) {
	cfg := engine.Config{
		Concurrency: limiter.InFlight{Max: 1}, MaxWait: engine.NoWait, Breaker: &breaker.Policy{FailureThreshold: 2, RecoveryTimeout: time.Second},
		Limiter: limiter.TokenBucket{Capacity: 100, RefillRate: limiter.PerSecond(100)},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		wide, err := engine.New(cfg)
		require.NoError(t, err)
		defer func() { require.NoError(t, wide.Close(context.Background())) }()
		for name, k := range map[string]engine.Key{"k": eng.Key("k"), "chain": engine.Chain(eng.Key("chain"), wide.Key("w"))} {
			free := func() {
				t.Helper()
				synctest.Wait()
				require.Zero(t, inFlight(t, eng, name))
				require.Zero(t, taken(wide, "w")+eng.Stats().InFlight+wide.Stats().InFlight)
				eng.Reset(name)
				wide.Reset("w")
			}
			require.Error(t, k.Run(t.Context(), fail))
			free()
			require.Panics(t, func() { _ = k.Run(t.Context(), func(context.Context) error { panic("in fn") }) })
			free()
			var gone sync.WaitGroup
			gone.Go(func() { _ = k.Run(t.Context(), func(context.Context) error { runtime.Goexit(); return nil }) })
			gone.Wait()
			free()
			ticket, err := k.Admit(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, inFlight(t, eng, name))
			eng.Reset(name)
			require.Equal(t, 1, inFlight(t, eng, name), "a Reset keeps places")
			ticket.Done(nil)
			ticket.Done(nil)
			free()
			ctx, cancel := context.WithCancel(t.Context())
			require.ErrorIs(t, k.Run(ctx, func(context.Context) error { cancel(); return ctx.Err() }), context.Canceled)
			free()
			ctx, cancel = context.WithTimeout(t.Context(), time.Second)
			require.ErrorIs(t, k.Run(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }), context.DeadlineExceeded)
			cancel()
			free()
		}
	})
}

// TestRowPlacesOfLostTickets: when the ticket is collected.
func TestRowPlacesOfLostTickets(t *testing.T) {
	eng, err := engine.New(engine.Config{Concurrency: limiter.InFlight{Max: 1}})
	require.NoError(t, err)
	defer func() { require.NoError(t, eng.Close(context.Background())) }()
	wide, err := engine.New(engine.Config{Concurrency: limiter.InFlight{Max: 1}})
	require.NoError(t, err)
	defer func() { require.NoError(t, wide.Close(context.Background())) }()
	for _, k := range []engine.Key{eng.Key("k"), engine.Chain(eng.Key("k"), wide.Key("w"))} {
		func() {
			_, err := k.Admit(t.Context())
			require.NoError(t, err)
		}()
		served := inBackground(func() error { return k.Run(context.Background(), succeed) })
		for tries := 0; len(served) == 0; tries++ {
			require.Less(t, tries, standstill, "the place does not come back")
			runtime.GC()
			runtime.Gosched()
		}
		require.NoError(t, <-served)
	}
	require.Zero(t, taken(eng, "k")+taken(wide, "w")+eng.Stats().InFlight+wide.Stats().InFlight)
}

// TestRowPlacesAreAwaitedInTurn are served in turn, have taken no token, and hold up nobody who needs no place.
func TestRowPlacesAreAwaitedInTurn(t *testing.T) {
	cfg := engine.Config{
		Concurrency: limiter.InFlight{Max: 1}, Limiter: limiter.TokenBucket{Capacity: 4, RefillRate: limiter.Per(1, time.Hour)},
		MaxQueue: 3, MaxWait: 100 * time.Hour,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		k := eng.Key("k")
		end := occupied(t, k)
		var order []int
		var waiting []<-chan error
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 3 {
			own := t.Context()
			if i == 1 {
				own = ctx
			}
			waiting = append(waiting, inBackground(func() error {
				return k.Run(own, func(context.Context) error { order = append(order, i); return nil })
			}))
			synctest.Wait()
		}
		require.Equal(t, 3, inspect(t, eng, "k").Waiting)
		require.Equal(t, 3.0, inspect(t, eng, "k").Limits[0].Available, "who waits has taken no token") //nolint:testifylint // exact
		require.ErrorIs(t, k.Run(t.Context(), succeed), engine.ErrQueueFull)
		require.ErrorIs(t, k.NoWait().Run(t.Context(), succeed), limiter.ErrInFlight)
		require.NoError(t, k.Check(t.Context()), "it would wait")
		require.True(t, k.Allow())
		cancel()
		require.ErrorIs(t, <-waiting[1], context.Canceled)
		close(end)
		require.NoError(t, <-waiting[0])
		require.NoError(t, <-waiting[2])
		require.Equal(t, []int{0, 2}, order)
		synctest.Wait()
		require.Zero(t, inFlight(t, eng, "k"))
		require.False(t, k.Allow())

		end = occupied(t, eng.Key("other")) // a stay is bounded also where nobody knows when a call ends
		defer close(end)
		began := time.Now()
		require.ErrorIs(t, eng.Key("other").Within(time.Minute).Run(t.Context(), succeed), limiter.ErrInFlight)
		require.Equal(t, time.Minute+1, time.Since(began))
		require.Zero(t, eng.Stats().Waiting)
	})
}

// TestRowPlacesAndTokensComeTogether: a call for which a place is free waits for its token, with those who came before it,
// and does not take a place meanwhile.
func TestRowPlacesAndTokensComeTogether(t *testing.T) {
	cfg := engine.Config{Concurrency: limiter.InFlight{Max: 1}, Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		k, began := eng.Key("k"), time.Now()
		end := occupied(t, k)
		var at [2]time.Duration
		for i := range at {
			inBackground(func() error {
				return k.Run(t.Context(), func(context.Context) error {
					at[i] = time.Since(began)
					time.Sleep(100 * time.Millisecond)
					return nil
				})
			})
			synctest.Wait()
		}
		time.Sleep(3500 * time.Millisecond) // the token has been there for long
		close(end)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, [2]time.Duration{3500 * time.Millisecond, 4500 * time.Millisecond}, at, "each token as of its grant")
		require.Zero(t, inFlight(t, eng, "k"))
	})
}

func TestRowPlacesOfAnOpenBreakerAreAwaitedByNobody(t *testing.T) {
	cfg := engine.Config{Concurrency: limiter.InFlight{Max: 1}, Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Minute}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		ticket, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		waits := inBackground(func() error { return eng.Run(t.Context(), "k", succeed) })
		synctest.Wait()
		ticket.Done(errDown)
		require.ErrorIs(t, <-waits, breaker.ErrOpen)
		synctest.Wait()
		require.Zero(t, inFlight(t, eng, "k"))
		time.Sleep(time.Minute)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
	})
}
