package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// waysToKeep are calls for the key k of an engine whose function ends with end, and returns its context.
var waysToKeep = map[string]func(t *testing.T, e *engine.Engine, end error) context.Context{
	"Run": func(t *testing.T, e *engine.Engine, end error) context.Context { return keptBy(t, e.Key("k"), end) },
	"narrow": func(t *testing.T, e *engine.Engine, end error) context.Context {
		return keptBy(t, engine.Chain(e.Key("k"), start(t, engine.Config{}).Key("x")), end)
	},
	"wide": func(t *testing.T, e *engine.Engine, end error) context.Context {
		return keptBy(t, engine.Chain(start(t, engine.Config{}).Key("x"), e.Key("k")), end)
	},
	"cost": func(t *testing.T, e *engine.Engine, end error) context.Context {
		return keptBy(t, e.Key("k").Cost(2), end)
	},
	"Admit": func(t *testing.T, e *engine.Engine, end error) context.Context {
		ticket, err := e.Admit(t.Context(), "k")
		require.NoError(t, err)
		require.NoError(t, ticket.Context().Err())
		ticket.Done(end)
		return ticket.Context()
	},
}

// keptBy returns the context of a call of k whose function ends with end.
func keptBy(t *testing.T, k engine.Key, end error) (seen context.Context) {
	_ = k.Run(t.Context(), func(ctx context.Context) error {
		require.NoError(t, ctx.Err())
		seen = ctx
		return end
	})
	return seen
}

// timeLimited are configurations whose time limit of a call of one attempt is 3 s, with its cause.
var timeLimited = map[string]struct {
	cfg   engine.Config
	cause error
}{
	"AttemptTimeout":      {engine.Config{AttemptTimeout: 3 * time.Second}, engine.ErrAttemptTimeout},
	"Timeout":             {engine.Config{Timeout: 3 * time.Second}, engine.ErrTimeout},
	"both, the attempt's": {engine.Config{Timeout: time.Hour, AttemptTimeout: 3 * time.Second}, engine.ErrAttemptTimeout},
	"both, the call's":    {engine.Config{Timeout: 3 * time.Second, AttemptTimeout: time.Hour}, engine.ErrTimeout},
}

// eachHold runs test for calls of one attempt that end with end of a Hold, under a time limit of 3 s.
func eachHold(t *testing.T, end func(*engine.Hold) error, test func(t *testing.T, eng *engine.Engine, h *engine.Hold, ctx context.Context, cause error)) {
	for name, c := range timeLimited {
		for way, run := range waysToKeep {
			for _, policy := range []*retry.Policy{nil, {MaxAttempts: 1}} {
				t.Run(name+"/"+way, func(t *testing.T) {
					c.cfg.Breaker, c.cfg.Concurrency, c.cfg.Retry = opensAfter(1), limiter.InFlight{Max: 2}, policy
					eachDispatch(t, c.cfg, func(t *testing.T, eng *engine.Engine) {
						h := new(engine.Hold)
						test(t, eng, h, run(t, eng, end(h)), c.cause)
					})
				})
			}
		}
	}
}

func kept(h *engine.Hold) error { return &engine.Verdict{Keep: h} }

// TestAHoldKeepsTheContext until Release.
func TestAHoldKeepsTheContext(t *testing.T) {
	eachHold(t, kept, func(t *testing.T, eng *engine.Engine, h *engine.Hold, ctx context.Context, _ error) {
		time.Sleep(3*time.Second - 1)
		synctest.Wait()
		require.NoError(t, ctx.Err())
		require.Equal(t, 1, inFlight(t, eng, "k"))
		h.Release()
		require.Equal(t, context.Canceled, context.Cause(ctx))
		require.Zero(t, inFlight(t, eng, "k"))
	})
}

// TestTheTimeOfAHoldEnds as that of its call would have ended. The call has been judged; it did not fail.
func TestTheTimeOfAHoldEnds(t *testing.T) {
	eachHold(t, kept, func(t *testing.T, eng *engine.Engine, h *engine.Hold, ctx context.Context, cause error) {
		time.Sleep(3 * time.Second)
		synctest.Wait()
		require.Equal(t, context.DeadlineExceeded, ctx.Err())
		require.Equal(t, cause, context.Cause(ctx))
		require.Equal(t, 1, inFlight(t, eng, "k"), "Release was not called")
		h.Release()
		require.Zero(t, inFlight(t, eng, "k"))
		require.Zero(t, eng.Stats().TimedOut)
		require.Zero(t, eng.Stats().Failures)
	})
}

// TestAHoldThatWasReleasedBefore the function returned keeps nothing, and does not change what the end means.
func TestAHoldThatWasReleasedBefore(t *testing.T) {
	end := func(h *engine.Hold) error {
		h.Release()
		return &engine.Verdict{Err: errDown, Outcome: engine.Failure, Final: true, Keep: h}
	}
	eachHold(t, end, func(t *testing.T, eng *engine.Engine, _ *engine.Hold, ctx context.Context, _ error) {
		require.Equal(t, context.Canceled, context.Cause(ctx))
		require.Zero(t, inFlight(t, eng, "k"))
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker)
	})
}

// TestAHoldOfTheCallBeforeEnds when the Hold is used again.
func TestAHoldOfTheCallBeforeEnds(t *testing.T) {
	eachHold(t, kept, func(t *testing.T, eng *engine.Engine, h *engine.Hold, before context.Context, _ error) {
		ctx := keptBy(t, eng.Key("k"), kept(h))
		require.Equal(t, context.Canceled, context.Cause(before))
		require.NoError(t, ctx.Err())
		require.Equal(t, 1, inFlight(t, eng, "k"))
		h.Release()
		require.Equal(t, context.Canceled, context.Cause(ctx))
	})
}

// TestAHoldOfAnAttemptThatIsTriedAgain keeps the context, of which the next attempt has one of its own, and no place,
// of which there is only one.
func TestAHoldOfAnAttemptThatIsTriedAgain(t *testing.T) {
	for name, c := range timeLimited {
		t.Run(name, func(t *testing.T) {
			c.cfg.Concurrency, c.cfg.MaxWait = limiter.InFlight{Max: 1}, engine.NoWait
			c.cfg.Retry = &retry.Policy{MaxAttempts: 3, BaseDelay: 500 * time.Millisecond, Backoff: 1, Jitter: retry.NoJitter}
			eachDispatch(t, c.cfg, func(t *testing.T, eng *engine.Engine) {
				for _, k := range []engine.Key{eng.Key("k"), engine.Chain(start(t, engine.Config{}).Key("x"), eng.Key("k"))} {
					var holds [3]engine.Hold
					var contexts []context.Context
					err := k.Run(t.Context(), func(ctx context.Context) error {
						contexts = append(contexts, ctx)
						require.Equal(t, 1, inFlight(t, eng, "k"))
						return &engine.Verdict{Err: errDown, Outcome: engine.Failure, Keep: &holds[len(contexts)-1]}
					})
					require.ErrorIs(t, err, errDown)
					require.Len(t, contexts, 3)
					require.Zero(t, inFlight(t, eng, "k"))
					for _, ctx := range contexts {
						require.NoError(t, ctx.Err())
					}
					holds[1].Release()
					require.NoError(t, contexts[0].Err())
					require.Equal(t, context.Canceled, context.Cause(contexts[1]))
					time.Sleep(2 * time.Second) // 3 s after the first attempt began
					synctest.Wait()
					require.Equal(t, c.cause, context.Cause(contexts[0]))
					require.Equal(t, c.cause == engine.ErrTimeout, contexts[2].Err() != nil, "an attempt has time of its own")
					holds[0].Release()
					holds[2].Release()
					require.Error(t, contexts[2].Err())
				}
			})
		})
	}
}

// TestAHoldWithoutATimeLimit does nothing to the context.
func TestAHoldWithoutATimeLimit(t *testing.T) {
	for way, run := range waysToKeep {
		t.Run(way, func(t *testing.T) {
			eachDispatch(t, engine.Config{Concurrency: limiter.InFlight{Max: 2}}, func(t *testing.T, eng *engine.Engine) {
				var h engine.Hold
				ctx := run(t, eng, kept(&h))
				require.Equal(t, t.Context(), ctx)
				h.Release()
				require.NoError(t, ctx.Err())
			})
		})
	}
}

// TestThePlaceOfAnAttemptThatIsTriedAgain comes back, and the last attempt, or the only one of a ticket, keeps its place.
func TestThePlaceOfAnAttemptThatIsTriedAgain(t *testing.T) {
	for _, limit := range []time.Duration{0, time.Minute} {
		cfg := engine.Config{
			Concurrency: limiter.InFlight{Max: 1}, MaxWait: engine.NoWait, AttemptTimeout: limit,
			Retry: &retry.Policy{MaxAttempts: 2, BaseDelay: 1, Jitter: retry.NoJitter},
		}
		eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
			for _, k := range []engine.Key{eng.Key("k"), engine.Chain(start(t, engine.Config{}).Key("x"), eng.Key("k"))} {
				var first, h, other engine.Hold
				keptBy(t, k, kept(&first))
				require.Equal(t, 1, inFlight(t, eng, "k"))
				first.Release()
				attempts := 0
				require.NoError(t, k.Run(t.Context(), func(context.Context) error {
					if attempts++; attempts == 1 {
						return &engine.Verdict{Err: errDown, Outcome: engine.Failure, Keep: &other}
					}
					return kept(&h)
				}))
				require.Equal(t, 1, inFlight(t, eng, "k"))
				h.Release()
				require.Zero(t, inFlight(t, eng, "k"))

				ticket, err := k.Admit(t.Context())
				require.NoError(t, err)
				ticket.Done(&engine.Verdict{Err: errDown, Outcome: engine.Failure, Keep: &other})
				require.Equal(t, 1, inFlight(t, eng, "k"))
				other.Release()
				require.Zero(t, inFlight(t, eng, "k"))
			}
		})
	}
}
