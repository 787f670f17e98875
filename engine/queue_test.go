package engine_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// A hundred callers that came one after the other are served in that order, while other callers ask
// (T19).
func TestFairness(t *testing.T) {
	t.Parallel()
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Millisecond), Breaker: opensAfter(5)}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		served := make(chan int, 100)
		for i := range 100 {
			go func() { _ = eng.Run(t.Context(), "k", func(context.Context) error { served <- i; return nil }) }()
			synctest.Wait()
			require.False(t, eng.Allow("k"))
		}
		for i := range 100 {
			require.Equal(t, i, <-served)
		}
	})
}

// Callers that need many tokens are not passed by callers that need few, nor by callers that come
// while there are enough tokens for a newcomer (hazard L16).
func TestNobodyOvertakes(t *testing.T) {
	t.Parallel()
	eachDispatch(t, engine.Config{Limiter: bucket{5, time.Millisecond}.limiter()}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("k", 5))
		const callers = 100
		served := make(chan int, callers)
		for i := range callers {
			go func() {
				if eng.AcquireN(t.Context(), "k", 5-i%5) == nil {
					served <- i
				}
			}()
			synctest.Wait()
		}
		for inspect(t, eng, "k").Waiting > 0 {
			require.False(t, eng.Allow("k"))
			time.Sleep(300 * time.Microsecond) // of the bubble
			synctest.Wait()
		}
		for i := range callers {
			require.Equal(t, i, <-served)
		}
	})
}

// Sixteen callers that come back as soon as a token was granted get equal shares (T19).
func TestEqualShares(t *testing.T) {
	t.Parallel()
	const callers, rounds = 16, 200
	var permille int
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Millisecond)}, func(t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithTimeout(t.Context(), callers*rounds*time.Millisecond)
		defer cancel()
		var served [callers]int
		var wg sync.WaitGroup
		for i := range served {
			wg.Go(func() {
				for eng.Acquire(ctx, "k") == nil {
					served[i]++
				}
			})
		}
		wg.Wait()
		permille = max(permille, 1000*slices.Max(served[:])/max(1, slices.Min(served[:])))
		require.LessOrEqual(t, permille, 1100, "%v", served)
	})
	figure(t, "most-to-least-permille", int64(permille))
}

// lateClock is a clock whose timers fire late, as on a loaded machine.
type lateClock struct {
	clock.Clock
	by time.Duration
}

func (c lateClock) NewTimer(d time.Duration) clock.Timer {
	return lateTimer{c.Clock.NewTimer(d + c.by), c.by}
}

type lateTimer struct {
	clock.Timer
	by time.Duration
}

func (t lateTimer) Reset(d time.Duration) bool { return t.Timer.Reset(d + t.by) }

// late runs f with an engine that paces calls of a key to one every interval, and whose timers are
// late.
func late(t *testing.T, interval, by time.Duration, f func(t *testing.T, eng *engine.Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t, start(t, engine.Config{
			Limiter: limiter.LeakyBucket{Capacity: 1000, LeakRate: limiter.Per(1, interval)}, Clock: lateClock{clock.System(), by},
		}))
	})
}

// granted makes n callers queue for a key at once. granted returns the instant of each grant, in
// the order of arrival.
func granted(t *testing.T, eng *engine.Engine, n int) []time.Duration {
	t.Helper()
	begin := time.Now()
	at := make([]time.Duration, n)
	var waiting []<-chan error
	for i := range n {
		waiting = append(waiting, inBackground(func() error {
			err := eng.Acquire(t.Context(), "k")
			at[i] = time.Since(begin)
			return err
		}))
		synctest.Wait() // one after the other
	}
	for _, w := range waiting {
		require.NoError(t, <-w)
	}
	return at
}

// A queue gets the whole rate, 5,000 a second, with timers that are late by five times the
// interval. If a token were debited as of the timer, each grant would delay the next grant as much,
// and the queue would get a sixth of its rate.
func TestAQueueGetsTheWholeRateAlthoughTimersAreLate(t *testing.T) {
	const interval, by, n = 200 * time.Microsecond, time.Millisecond, 500
	late(t, interval, by, func(t *testing.T, eng *engine.Engine) {
		for i, at := range granted(t, eng, n) {
			due := time.Duration(i) * interval
			require.GreaterOrEqual(t, at, due, "caller %d came too early", i)
			require.LessOrEqual(t, at, due+by, "caller %d came too late", i)
		}
	})
}

// After a pause of the process, tokens of the last ten milliseconds are made up for, and no more.
func TestNotAllThatWaitGoAtOnceAfterAPause(t *testing.T) {
	const interval = 200 * time.Microsecond
	late(t, interval, time.Second, func(t *testing.T, eng *engine.Engine) {
		together := map[time.Duration]int{}
		for _, at := range granted(t, eng, 200) {
			together[at]++
		}
		most := 0
		for _, n := range together {
			most = max(most, n)
		}
		require.Equal(t, int(10*time.Millisecond/interval)+1, most)
	})
}

// A caller moves up because the caller before has left, although the tokens were there all the
// time. The grant is counted as of the leaving. (The grant used to be counted from up to 10 ms
// before, as if a timer had been late, and a bucket that was full by then gained as much.)
func TestWhatIsGotBehindOneThatLeftIsReckonedFromThen(t *testing.T) {
	both := limiter.All(
		limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Second)}, limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, 10*time.Second)})
	eachDispatch(t, engine.Config{Limiter: both}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		ctx, leave := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- eng.AcquireN(ctx, "k", 2) }() // for 10 s
		synctest.Wait()
		go func() { second <- eng.Acquire(t.Context(), "k") }()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		leave()
		require.ErrorIs(t, <-first, context.Canceled)
		require.NoError(t, <-second)
		s := inspect(t, eng, "k")
		require.Equal(t, 1.0, s.Limits[0].Available)
		require.Equal(t, 0.5, s.Limits[1].Available)
	})
}
