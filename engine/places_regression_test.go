package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestABoundThatBeginsIsSeenByThoseWhoWait: a chain waits for tokens of its wide key, and the bound of the narrow one
// becomes less meanwhile, or begins. (The narrow key was asked by its old policy.)
func TestABoundThatBeginsIsSeenByThoseWhoWait(t *testing.T) {
	for _, was := range []limiter.Concurrency{nil, limiter.InFlight{Max: 5}} {
		for _, b := range []*breaker.Policy{nil, {}} {
			cfg := engine.Config{Concurrency: was, Breaker: b}
			eachDispatch(t, cfg, func(t *testing.T, narrow *engine.Engine) {
				wide := start(t, engine.Config{Limiter: oneEvery(time.Second), Dispatch: narrow.Config().Dispatch})
				require.True(t, wide.Allow("w"))
				k := engine.Chain(narrow.Key("k"), wide.Key("w"))
				var inside, most atomic.Int32
				var calls []<-chan error
				for range 3 {
					calls = append(calls, inBackground(func() error {
						return k.Run(t.Context(), func(context.Context) error {
							most.Store(max(most.Load(), inside.Add(1)))
							time.Sleep(time.Hour)
							inside.Add(-1)
							return nil
						})
					}))
				}
				synctest.Wait()
				next := narrow.Config()
				next.Concurrency = limiter.InFlight{Max: 1}
				require.NoError(t, narrow.Reconfigure(next))
				for _, call := range calls {
					require.NoError(t, <-call)
				}
				require.EqualValues(t, 1, most.Load())
			})
		}
	}
}

// TestAChainWaitsForAPlaceAndIsTheProbe: of a breaker that is half-open. (The chain was refused because its own probe was
// out.)
func TestAChainWaitsForAPlaceAndIsTheProbe(t *testing.T) {
	cfg := engine.Config{
		Concurrency: limiter.InFlight{Max: 2}, Limiter: limiter.TokenBucket{Capacity: 100, RefillRate: limiter.PerSecond(100)},
		Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Second},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		wide := start(t, engine.Config{Limiter: oneEvery(time.Second), Dispatch: eng.Config().Dispatch})
		first, ticket := occupied(t, eng.Key("k")), admitted(t, eng, "k")
		ticket.Done(errDown)
		second := (chan struct{})(nil)
		require.NoError(t, eng.Force("k", breaker.Closed, time.Second)) // so that both places are taken while it is open
		second = occupied(t, eng.Key("k"))
		synctest.Wait()
		time.Sleep(time.Second)
		last := admittedThrough(t, eng, "k")
		last()
		time.Sleep(2 * time.Second)
		chained := inBackground(func() error { return engine.Chain(eng.Key("k"), wide.Key("w")).Run(t.Context(), succeed) })
		synctest.Wait()
		close(first)
		require.NoError(t, <-chained)
		close(second)
		synctest.Wait()
		require.Zero(t, inFlight(t, eng, "k"))
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

// admitted returns a ticket.
func admitted(t *testing.T, eng *engine.Engine, key string) *engine.Ticket {
	t.Helper()
	ticket, err := eng.Admit(t.Context(), key)
	require.NoError(t, err)
	return ticket
}

// admittedThrough opens the breaker of key, of which all places are taken: by a bound that is more for a moment. The result
// sets the bound back.
func admittedThrough(t *testing.T, eng *engine.Engine, key string) (back func()) {
	t.Helper()
	cfg := eng.Config()
	more := cfg
	more.Concurrency = limiter.InFlight{Max: 3}
	require.NoError(t, eng.Reconfigure(more))
	require.ErrorIs(t, eng.Run(t.Context(), key, fail), errDown)
	return func() { require.NoError(t, eng.Reconfigure(cfg)) }
}

// badClock panics while it is bad.
type badClock struct {
	clock.Clock
	bad atomic.Bool
}

func (c *badClock) Now() time.Time {
	if c.bad.Load() {
		panic("the clock")
	}
	return c.Clock.Now()
}

// TestAClockThatPanicsKeepsNoPlace: at the end of a call whose success counts in a window of slow calls.
func TestAClockThatPanicsKeepsNoPlace(t *testing.T) {
	for _, limit := range []time.Duration{0, time.Minute} {
		c := &badClock{Clock: clock.System()}
		eng := start(t, engine.Config{
			Clock: c, Concurrency: limiter.InFlight{Max: 1}, MaxWait: engine.NoWait, Breaker: &breaker.Policy{SlowRate: 0.9, SlowAfter: time.Hour},
			AttemptTimeout: limit,
		})
		require.ErrorIs(t, eng.Run(t.Context(), "k", fail), errDown) // the window begins
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		var seen context.Context
		require.PanicsWithValue(t, "the clock", func() {
			_ = eng.Run(t.Context(), "k", func(ctx context.Context) error { seen = ctx; c.bad.Store(true); return nil })
		})
		c.bad.Store(false)
		require.Equal(t, limit > 0, seen.Err() != nil)
		require.Zero(t, inFlight(t, eng, "k"))
		require.Zero(t, eng.Stats().InFlight)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
	}
}

// TestAChainThatWaitsForAPlaceIsInShadowOnce: a narrow key in shadow refuses the call before it waits, and not behind that.
func TestAChainThatWaitsForAPlaceIsInShadowOnce(t *testing.T) {
	cfg := engine.Config{Shadow: true, Breaker: &breaker.Policy{}, Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, 100*time.Hour)}}
	eachDispatch(t, cfg, func(t *testing.T, shadow *engine.Engine) {
		wide := start(t, engine.Config{Concurrency: limiter.InFlight{Max: 1}, Dispatch: shadow.Config().Dispatch})
		k := engine.Chain(shadow.Key("k"), wide.Key("w"))
		require.NoError(t, shadow.Force("k", breaker.Open, 30*time.Minute))
		for _, later := range []time.Duration{0, time.Hour} {
			before := shadow.Stats()
			end := occupied(t, wide.Key("w"))
			waits := inBackground(func() error { return k.Run(t.Context(), succeed) })
			synctest.Wait()
			time.Sleep(later)
			close(end)
			require.NoError(t, <-waits)
			after := shadow.Stats()
			refused := after.ShadowRefused - before.ShadowRefused
			require.EqualValues(t, 1, refused+after.Admitted-before.Admitted, "one decision")
			require.Equal(t, later > 0, refused == 0)
		}
		require.EqualValues(t, 1, shadow.Stats().Successes)
	})
}

func TestExplainGoesByTheBoundInForce(t *testing.T) {
	cfg := engine.Config{Concurrency: limiter.InFlight{Max: 1}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		end := occupied(t, eng.Key("k"))
		defer close(end)
		for _, most := range []int{10, 1, 2} {
			next := eng.Config()
			next.Concurrency = limiter.InFlight{Max: most}
			require.NoError(t, eng.Reconfigure(next))
			require.Equal(t, most > 1, eng.Key("k").Explain().Passes, most)
		}
	})
}

// TestAHoldThatIsUsedAgainKeepsNothing of the call before.
func TestAHoldThatIsUsedAgainKeepsNothing(t *testing.T) {
	eng := start(t, engine.Config{Concurrency: limiter.InFlight{Max: 2}, MaxWait: engine.NoWait})
	var h engine.Hold
	for range 2 {
		require.NoError(t, eng.Run(t.Context(), "k", func(context.Context) error { return &engine.Verdict{Keep: &h} }))
		require.Equal(t, 1, inFlight(t, eng, "k"))
		require.Equal(t, 1, eng.Stats().InFlight)
	}
	h.Release()
	h.Release()
	require.Zero(t, inFlight(t, eng, "k"))
	require.Zero(t, eng.Stats().InFlight)
	require.NoError(t, eng.Run(t.Context(), "k", func(context.Context) error { return &engine.Verdict{Keep: &h} }))
	require.Zero(t, inFlight(t, eng, "k"), "released before")
}

// TestAChainWaitsForPlacesNoLongerThanMaxWait, also if it waits for one and for the other, again and again: both keys have
// so many callers of their own that there is never a place of each.
func TestAChainWaitsForPlacesNoLongerThanMaxWait(t *testing.T) {
	cfg := engine.Config{Concurrency: limiter.InFlight{Max: 2}, MaxWait: 100 * time.Millisecond}
	eachDispatch(t, cfg, func(t *testing.T, a *engine.Engine) {
		b := start(t, a.Config())
		ctx, stop := context.WithCancel(t.Context())
		for _, eng := range []*engine.Engine{a, b} {
			for i := range 10 {
				go func() { // ends with stop
					for ctx.Err() == nil {
						_ = eng.Run(ctx, "k", func(context.Context) error { time.Sleep(2*time.Millisecond + time.Duration(i)); return nil })
					}
				}()
			}
		}
		time.Sleep(50 * time.Millisecond)
		began := time.Now()
		err := engine.Chain(a.Key("k"), b.Key("k")).Run(t.Context(), succeed)
		require.ErrorIs(t, err, limiter.ErrInFlight)
		require.LessOrEqual(t, time.Since(began), 300*time.Millisecond)
		stop()
		time.Sleep(time.Second)
		synctest.Wait()
		require.Zero(t, inFlight(t, a, "k")+inFlight(t, b, "k"))
	})
}
