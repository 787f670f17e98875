package engine_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// interrupted is a clock that calls interrupt after the next reading, before the reader has the
// reading.
type interrupted struct {
	clock.Clock
	at        time.Time
	interrupt func()
}

func (c *interrupted) Now() time.Time {
	reading := c.at
	if f := c.interrupt; f != nil {
		c.interrupt = nil
		f()
	}
	return reading
}

// A caller reads the clock and is held up. Another caller takes the token, and a second later there
// is a new token. The first caller must not be refused for a reading that is a second old.
func TestARefusalIsConfirmedByALaterReading(t *testing.T) {
	c := &interrupted{Clock: clock.System(), at: time.Unix(0, 0)}
	eng := start(t, engine.Config{Limiter: oneEvery(time.Second), Clock: c, IdleAfter: time.Hour})
	require.True(t, eng.Allow("k"))
	c.at = c.at.Add(time.Second)
	c.interrupt = func() {
		require.True(t, eng.Allow("k"))
		c.at = c.at.Add(time.Second)
	}
	require.True(t, eng.Allow("k"))
	require.False(t, eng.Allow("k"))
}

// A clean key has no goroutine: calls, tokens, refusals for want of tokens and successes are all
// decided at the gate.
func TestACleanKeyHasNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{
			Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Hour)}, Breaker: opensAfter(3), MaxWait: engine.NoWait,
		})
		for i := range 1000 {
			key := fmt.Sprint("tenant-", i)
			require.NoError(t, eng.Run(t.Context(), key, succeed))
			require.True(t, eng.AllowN(key, 2))
			require.False(t, eng.Allow(key))
			rejected(t, eng.Run(t.Context(), key, succeed), limiter.ErrLimited)
		}
		require.Equal(t, engine.Stats{Keys: 1000, Admitted: 2000, Limited: 2000, Successes: 1000}, eng.Stats())
		for range 4 {
			inspect(t, eng, "tenant-0")
		}
		require.Zero(t, eng.Stats().Actors, "nor is Inspect for the actor to answer")
		failTimes(t, eng, "failing", 1)
		for range 4 {
			inspect(t, eng, "failing")
			synctest.Wait()
		}
		require.Equal(t, 1, eng.Stats().Actors, "a failure is for the actor to keep, and one that is asked for often lingers")
	})
}

// An open breaker refuses at the gate: no message, no goroutine, and one Rejection for all callers
// of a trip.
func TestAnOpenBreakerRefusesAtTheGate(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: limiter.TokenBucket{Capacity: 9, RefillRate: limiter.PerSecond(1)}, IdleAfter: time.Second}
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, cfg)
		failTimes(t, eng, "k", 1)
		time.Sleep(2 * time.Second)
		require.Zero(t, eng.Stats().Actors, "the actor has left")
		first := rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		require.Equal(t, 3*time.Second, first.RetryAfter())
		require.Same(t, first, rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen))
		require.Zero(t, eng.Stats().Actors)
		require.True(t, eng.Allow("k"), "Allow does not ask the breaker")

		eng.Reset("k")
		require.NoError(t, eng.Run(t.Context(), "k", succeed), "nothing of the trip is left")
		failTimes(t, eng, "k", 1)
		second := rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		require.Equal(t, 5*time.Second, second.RetryAfter())
		require.NotSame(t, first, second)
		time.Sleep(5 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
	})
}
