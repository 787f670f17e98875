package engine_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// countedClock is the system's clock, and counts how often it is read: each turn reads the clock.
type countedClock struct {
	clock.Clock
	read *atomic.Int64
}

func (c countedClock) Now() time.Time {
	c.read.Add(1)
	return c.Clock.Now()
}

// work is what an operation does for keys.
type work struct{ readings, asked, running int64 }

// TestAChangeWalksOverNoKeys counts what Reconfigure does while keys sleep, and what the first call of a key does after
// it. Neither depends on the number of keys, and no key but that of the call has a turn or is asked for.
func TestAChangeWalksOverNoKeys(t *testing.T) {
	for _, byPlan := range []bool{false, true} {
		t.Run(strconv.FormatBool(byPlan), func(t *testing.T) {
			var changes, calls []work
			for _, keys := range []int{10, 10_000} {
				change, call := countedChange(t, keys, byPlan)
				changes, calls = append(changes, change), append(calls, call)
			}
			require.Equal(t, changes[0], changes[1])
			require.Equal(t, calls[0], calls[1])
			require.Zero(t, changes[1].asked)
			require.LessOrEqual(t, changes[1].readings, int64(2))
			require.LessOrEqual(t, calls[1].readings, int64(3), "of the caller, of the turn, and of the actor that leaves")
			if require.Zero(t, calls[1].running); byPlan {
				require.EqualValues(t, 1, calls[1].asked)
			}
		})
	}
}

// countedChange counts the work of a change while so many keys sleep, and of the first call after it.
func countedChange(t *testing.T, keys int, byPlan bool) (change, call work) {
	synctest.Test(t, func(t *testing.T) {
		var read, asked atomic.Int64
		cfg := engine.Config{IdleAfter: 24 * time.Hour, Clock: countedClock{clock.System(), &read}, Limiter: bucketOf(10, limiter.PerSecond(1))}
		if byPlan {
			cfg.LimiterFor = func(string) limiter.Limiter { asked.Add(1); return nil }
		}
		eng := start(t, cfg)
		for i := range keys {
			require.True(t, eng.Allow(strconv.Itoa(i)))
		}
		count := func(do func()) work {
			synctest.Wait()
			read.Store(0)
			asked.Store(0)
			do()
			synctest.Wait()
			return work{read.Load(), asked.Load(), int64(eng.Stats().Actors)}
		}
		cfg.Limiter = bucketOf(11, limiter.PerSecond(2))
		change = count(func() { require.NoError(t, eng.Reconfigure(cfg)) })
		call = count(func() { require.True(t, eng.Allow("7")) })
	})
	return change, call
}
