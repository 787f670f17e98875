package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestDoReturnsWhatTheFunctionReturned(t *testing.T) {
	eachDispatch(t, engine.Config{Retry: everySecond, Breaker: opensAfter(9)}, func(t *testing.T, eng *engine.Engine) {
		calls := 0
		v, err := engine.Do(t.Context(), eng, "k", func(context.Context) (string, error) {
			if calls++; calls < 3 {
				return "", errDown
			}
			return "value", nil
		})
		require.NoError(t, err)
		require.Equal(t, "value", v)
		v, err = engine.DoKey(t.Context(), eng.Key("k"), func(context.Context) (string, error) { return "again", nil })
		require.NoError(t, err)
		require.Equal(t, "again", v)
	})
}

// If the context of a call ends between grant and function, the function is not called, and no
// failure is counted.
func TestLatenessBeforeTheFunctionIsNotBlamedOnTheUpstream(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)}}
	for name, cause := range map[string]error{"deadline": context.DeadlineExceeded, "cancelled": context.Canceled, "neither": errors.New("moved on")} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				for range 3 {
					ctx := &endsAt{Context: t.Context(), err: cause, looks: 2} // alive when the call comes
					err := eng.Run(ctx, "k", func(context.Context) error { t.Error("called"); return ctx.Err() })
					require.ErrorIs(t, err, cause)
				}
				require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
				require.InDelta(t, 10, inspect(t, eng, "k").Limits[0].Available, 1e-6, "the tokens come back")
				require.Zero(t, eng.Stats().KeptSpent)
				ctx := &endsAt{Context: t.Context(), err: cause, looks: 2}
				_, err := eng.Admit(ctx, "k")
				require.ErrorIs(t, err, cause)
			})
		})
	}
}

// Such a call gives the place of its probe back.
func TestLatenessBeforeTheFunctionFreesTheProbe(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(5 * time.Second)
		ctx := &endsAt{Context: t.Context(), err: context.DeadlineExceeded, looks: 2}
		require.ErrorIs(t, eng.Run(ctx, "k", fail), context.DeadlineExceeded)
		require.NoError(t, eng.Run(t.Context(), "k", succeed), "the probe's place is free, and nothing has failed")
	})
}

// The upstream never fails, and callers are late: fifty goroutines ask for more than the limit,
// with deadlines of 20 to 60 ms.
func TestLateCallersDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	cfg := engine.Config{Breaker: opensAfter(5), Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1000)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		var open atomic.Int64
		for i := range 50 {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			go func() { // ends after its calls
				for range 100 {
					// The deadline is the very instant of some grants: the function would begin too
					// late.
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(20+rng.IntN(41))*time.Millisecond)
					err := eng.Run(lagging{ctx}, "k", func(ctx context.Context) error { return ctx.Err() })
					if errors.Is(err, breaker.ErrOpen) {
						open.Add(1)
					}
					cancel()
				}
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Zero(t, open.Load())
	})
}

// lagging is a context that ends a moment before the deadline that it names, as on a loaded
// machine.
type lagging struct{ context.Context }

func (l lagging) Err() error {
	if err := l.Context.Err(); err != nil {
		return err
	}
	if deadline, _ := l.Deadline(); time.Until(deadline) <= 10*time.Millisecond {
		return context.DeadlineExceeded
	}
	return nil
}
