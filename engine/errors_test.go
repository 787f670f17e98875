package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

func TestRejectionsTellWhatToDo(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		r := rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		require.EqualError(t, r, `engine: key "k": breaker: open (retry after 5s)`)
		time.Sleep(2 * time.Second)
		require.Equal(t, 3*time.Second, r.RetryAfter(), "counted from when it is asked")
		time.Sleep(time.Hour)
		require.Equal(t, time.Nanosecond, r.RetryAfter(), "the instant is known, and has come")
	})
}

// TestOnlyTheLimiterLimits tells the two kinds of refusal apart.
func TestOnlyTheLimiterLimits(t *testing.T) {
	for err, limited := range map[error]bool{
		limiter.ErrLimited: true, limiter.ErrExceedsCapacity: true,
		breaker.ErrOpen: false, engine.ErrQueueFull: false, engine.ErrKeyLimit: false, engine.ErrClosed: false,
	} {
		require.Equal(t, limited, (&engine.Rejection{Err: err}).Limited(), "%v", err)
	}
}

// The text of an error is short, however long the key.
func TestErrorTextsShowTheBeginningOfAKey(t *testing.T) {
	eng := start(t, engine.Config{Limiter: oneEvery(time.Hour), MaxWait: engine.NoWait})
	for name, key := range map[string]string{
		"plain":      strings.Repeat("k", 1<<20),
		"bytes":      strings.Repeat("\x00", 1<<20),
		"runes":      strings.Repeat("日", 1<<18),
		"shifted":    "a" + strings.Repeat("日", 1<<18),
		"not UTF-8":  strings.Repeat("\xbf", 1<<20),
		"65 letters": strings.Repeat("k", 65),
	} {
		t.Run(name, func(t *testing.T) {
			ticket, err := eng.Admit(t.Context(), key)
			require.NoError(t, err)
			r := rejected(t, eng.Run(t.Context(), key, succeed), limiter.ErrLimited)
			require.Equal(t, key, r.Key)
			for _, text := range []string{r.Error(), ticket.String()} {
				require.Less(t, len(text), 512)
				require.Contains(t, text, fmt.Sprintf("(%d bytes)", len(key)))
				require.True(t, utf8.ValidString(text))
			}
		})
	}
	panicked := &actors.PanicError{Key: strings.Repeat("\x00", 1<<20), Value: "down"}
	require.Less(t, len(panicked.Error()), 512)
	short := strings.Repeat("k", 64)
	require.True(t, eng.Allow(short))
	require.Contains(t, eng.Run(t.Context(), short, succeed).Error(), strconv.Quote(short), "all of it")
}

// RetryAfter is the instant at which both breaker and limiter let the call pass.
func TestRetryAfterKnowsEveryStage(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: oneEvery(time.Minute), MaxWait: engine.NoWait}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		r := rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		require.Equal(t, time.Minute, r.RetryAfter())
		time.Sleep(5 * time.Second)
		r = rejected(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited)
		require.Equal(t, 55*time.Second, r.RetryAfter())
		time.Sleep(r.RetryAfter())
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
	})
}

// Tokens that are taken while the breaker is open count, too.
func TestRetryAfterOfAnOpenBreakerFollowsTheBucket(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Minute)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		for _, after := range []time.Duration{5 * time.Second, 5 * time.Second, time.Minute} {
			require.Equal(t, after, rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen).RetryAfter())
			eng.Allow("k")
		}
		waiting := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		synctest.Wait()
		require.Equal(t, 2*time.Minute, rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen).RetryAfter())
		require.NoError(t, <-waiting)
	})
}

// The refusal of a further attempt knows every stage, too.
func TestRetryAfterOfAStoppedCallKnowsEveryStage(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: oneEvery(time.Minute), Retry: &retry.Policy{BaseDelay: time.Second, Jitter: retry.NoJitter}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		err := eng.Run(t.Context(), "k", fail)
		require.ErrorIs(t, err, errDown)
		require.Equal(t, time.Minute, rejected(t, err, breaker.ErrOpen).RetryAfter())
	})
}

// After any history, a call that comes back at exactly the announced instant is admitted, and a
// call a nanosecond earlier is refused, if nothing else comes.
func TestRetryAfterIsTheFirstInstant(t *testing.T) {
	t.Parallel()
	seed := random(t).Uint64()
	for round := range 200 {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		limits := []limiter.Limiter{
			limiter.TokenBucket{Capacity: 1 + rng.IntN(3), RefillRate: limiter.Per(1, time.Duration(1+rng.IntN(20))*time.Second)},
			limiter.LeakyBucket{Capacity: 1 + rng.IntN(3), LeakRate: limiter.Per(1, time.Duration(1+rng.IntN(20))*time.Second)},
		}
		cfg := engine.Config{
			Breaker:  &breaker.Policy{FailureThreshold: 1 + rng.IntN(2), RecoveryTimeout: time.Duration(1+rng.IntN(20)) * time.Second, ForgetAfter: time.Hour},
			Limiter:  []limiter.Limiter{nil, limits[0], limits[1], limiter.All(limits...)}[rng.IntN(4)],
			MaxWait:  engine.NoWait,
			Dispatch: engine.Dispatch(rng.IntN(2)),
		}
		synctest.Test(t, func(t *testing.T) {
			eng := start(t, cfg)
			for range 1 + rng.IntN(12) {
				switch rng.IntN(4) {
				case 0:
					eng.Allow("k")
				case 1:
					time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond)
				default:
					_ = eng.Run(t.Context(), "k", []func(context.Context) error{fail, succeed}[rng.IntN(2)])
				}
			}
			var r *engine.Rejection
			if err := eng.Run(t.Context(), "k", succeed); !errors.As(err, &r) {
				return
			}
			at := time.Now().Add(r.RetryAfter())
			require.Positive(t, r.RetryAfter())
			time.Sleep(time.Until(at) - 1)
			if time.Until(at) > 0 {
				require.Error(t, eng.Run(t.Context(), "k", succeed), "round %d", round)
			}
			time.Sleep(time.Until(at))
			require.NoError(t, eng.Run(t.Context(), "k", succeed), "round %d", round)
		})
	}
}
