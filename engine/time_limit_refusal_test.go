package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestARefusalMakesNoContext: a call with a time limit that its key's gate refuses costs as much as one without.
func TestARefusalMakesNoContext(t *testing.T) {
	for name, cfg := range map[string]engine.Config{
		"open":     {Breaker: opensAfter(1)},
		"limit":    {Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}},
		"negative": {Breaker: opensAfter(9)},
	} {
		t.Run(name, func(t *testing.T) {
			var stay time.Duration
			if name == "negative" {
				stay = -1
			}
			var allocs [2]float64
			for i, limit := range []time.Duration{0, time.Second} {
				if cfg.Timeout, cfg.MaxWait = limit, 0; limit == 0 {
					cfg.MaxWait = time.Second
				}
				eng := start(t, cfg)
				require.Error(t, eng.Run(t.Context(), "k", fail))
				k := eng.Key("k")
				if stay != 0 {
					k = k.Within(stay)
				}
				allocs[i] = testing.AllocsPerRun(100, func() {
					if k.Run(context.Background(), succeed) == nil {
						t.Error("it passes")
					}
				})
			}
			require.Equal(t, allocs[0], allocs[1])
		})
	}
}

// TestATimeLimitIsTheLongestWait for a token, if it is shorter than the others.
func TestATimeLimitIsTheLongestWait(t *testing.T) {
	for _, cfg := range []engine.Config{{Timeout: time.Second}, {AttemptTimeout: time.Second}, {Timeout: time.Second, AttemptTimeout: time.Minute}} {
		cfg.Concurrency = limiter.InFlight{Max: 1} // which no refusal keeps
		cfg.Limiter = limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 2*time.Second)}
		eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
			for _, wait := range []time.Duration{2 * time.Second, time.Second + 1, time.Second} { // the last is as long as the limit
				before := time.Now()
				require.Equal(t, wait, rejected(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited).RetryAfter())
				require.Zero(t, time.Since(before))
				time.Sleep(max(1, wait-time.Second-1))
			}
			require.NoError(t, eng.Run(t.Context(), "k", succeed), "the wait is shorter")
			require.EqualValues(t, 3, eng.Stats().Limited)
		})
	}
}

// brokenContext panics when it is asked for its deadline.
type brokenContext struct{ context.Context }

func (brokenContext) Deadline() (time.Time, bool) { panic("no deadline") }

// TestAContextThatPanicsKeepsNoPlace, though the call had its place before a context was made of the caller's.
func TestAContextThatPanicsKeepsNoPlace(t *testing.T) {
	eng := start(t, engine.Config{AttemptTimeout: time.Minute, Concurrency: limiter.InFlight{Max: 1}})
	for range 2 {
		require.Panics(t, func() { _ = eng.Run(brokenContext{t.Context()}, "k", succeed) })
		require.Zero(t, inFlight(t, eng, "k"))
	}
}
