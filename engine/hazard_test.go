package engine_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// The hazards of docs/hazards.md that no other test is about, by their ids.

// skewed is a clock that can be set, and whose timers fire early or late.
type skewed struct {
	clock.Clock
	ahead atomic.Int64
	fires func(time.Duration) time.Duration
}

func (s *skewed) Now() time.Time { return s.Clock.Now().Add(time.Duration(s.ahead.Load())) }

func (s *skewed) NewTimer(d time.Duration) clock.Timer {
	return skewedTimer{s.Clock.NewTimer(s.fires(d)), s}
}

type skewedTimer struct {
	clock.Timer
	clock *skewed
}

func (t skewedTimer) Reset(d time.Duration) bool { return t.Timer.Reset(t.clock.fires(d)) }

func exactly(d time.Duration) time.Duration { return d }

func TestHazardL02AClockThatIsSetMintsNothing(t *testing.T) {
	set := &skewed{Clock: clock.System(), fires: exactly}
	cfg := engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Minute)}, Clock: set, IdleAfter: time.Hour,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		took := func() (n int) {
			for n < 1000 && eng.Allow("k") {
				n++
			}
			return n
		}
		defer set.ahead.Store(0) // for the next engine
		require.Equal(t, 10, took())
		for range 100 {
			set.ahead.Store(-int64(time.Hour))
			require.Zero(t, took(), "set back")
			set.ahead.Store(0)
			require.Zero(t, took(), "set right again")
		}
		set.ahead.Store(int64(time.Hour))
		require.Equal(t, 10, took(), "set forward: a full bucket and no more")
		for range 100 {
			set.ahead.Store(-int64(time.Hour))
			require.Zero(t, took())
			set.ahead.Store(int64(time.Hour))
			require.Zero(t, took(), "an hour that has been used does not count again")
		}
	})
}

// L3: a host that sleeps fires its timers late, and some timers fire early. Grants follow the clock
// and not the timer.
func TestHazardL03TimersThatFireEarlyOrLateGrantNothingTooSoon(t *testing.T) {
	for name, fires := range map[string]func(time.Duration) time.Duration{
		"early": func(d time.Duration) time.Duration { return d - d/2 },
		"late":  func(d time.Duration) time.Duration { return 3 * d },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := engine.Config{Limiter: oneEvery(time.Second), Clock: &skewed{Clock: clock.System(), fires: fires}}
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				begin := time.Now()
				require.True(t, eng.Allow("k"))
				granted := make(chan time.Duration, 5)
				for range cap(granted) {
					go func() {
						if eng.Acquire(t.Context(), "k") == nil {
							granted <- time.Since(begin)
						}
					}()
				}
				for i := range cap(granted) {
					due := time.Duration(i+1) * time.Second
					if at := <-granted; name == "early" {
						require.Equal(t, due, at)
					} else {
						require.GreaterOrEqual(t, at, due)
					}
				}
			})
		})
	}
}

// B7: the open time has no jitter. Keys recover as far apart as the keys opened, and with one call
// each, however many callers wait.
func TestHazardB07KeysRecoverEachInItsTimeWithOneCall(t *testing.T) {
	t.Parallel()
	const keys, callers, apart = 25, 5, 200 * time.Millisecond
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		for i := range keys {
			failTimes(t, eng, fmt.Sprint(i), 1)
			time.Sleep(apart)
		}
		var probes atomic.Int64
		due := 0 // keys that may be probed: the first opened 5 s ago, which is the recovery timeout
		for range keys {
			due++
			for i := range keys {
				for range callers {
					go func() {
						_ = eng.Run(t.Context(), fmt.Sprint(i), func(context.Context) error {
							probes.Add(1)
							time.Sleep(10 * time.Second)
							return nil
						})
					}()
				}
			}
			synctest.Wait()
			require.EqualValues(t, due, probes.Load())
			time.Sleep(apart)
		}
		time.Sleep(time.Minute)
	})
}

// B9: a dependency that hangs is noticed when the first deadlines pass. Until then the limiter
// bounds the calls in flight.
func TestHazardB09ASlowOutagePilesUpNoMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	const burst, perSecond = 10, 10
	cfg := engine.Config{
		Limiter: limiter.TokenBucket{Capacity: burst, RefillRate: limiter.PerSecond(perSecond)},
		MaxWait: engine.NoWait, Breaker: opensAfter(5),
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		var started, out, most atomic.Int64
		for range 60 * 100 {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_ = eng.Run(ctx, "k", func(ctx context.Context) error {
					started.Add(1)
					most.Store(max(most.Load(), out.Add(1)))
					defer out.Add(-1)
					<-ctx.Done()
					return ctx.Err()
				})
			}()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		require.LessOrEqual(t, most.Load(), int64(burst+perSecond))
		require.LessOrEqual(t, started.Load(), int64(burst+perSecond+60/5), "then one probe at a time")
	})
}

// R3: retries do not multiply the calls that reach a dependency. Each attempt takes a token, and
// ends with the breaker.
func TestHazardR03RetriesStayWithinLimitAndBreaker(t *testing.T) {
	cfg := engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 20, RefillRate: limiter.Per(1, 100*time.Hour)}, MaxWait: engine.NoWait,
		Retry: &retry.Policy{MaxAttempts: 10, Jitter: retry.NoJitter},
	}
	for name, row := range map[string]struct {
		breaker *breaker.Policy
		want    int64
	}{"limiter": {nil, 20}, "breaker": {opensAfter(5), 5}} {
		t.Run(name, func(t *testing.T) {
			cfg.Breaker = row.breaker
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				var attempts int64
				for range 100 {
					_ = eng.Run(t.Context(), "k", func(context.Context) error { attempts++; return errDown })
				}
				require.Equal(t, row.want, attempts)
			})
		})
	}
}

// C8, C9: an engine that is made in a bubble has nothing outside of the bubble. A goroutine that
// stays, or a lock that is held over a wait, keeps a bubble from ending. A channel out of a pool
// that bubbles share ends the process.
func TestHazardC08C09EnginesOfManyBubblesShareNothing(t *testing.T) {
	t.Parallel()
	cfg := engine.Config{Limiter: oneEvery(time.Second), Breaker: opensAfter(1), Retry: everySecond}
	for range 20 {
		eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
			for range 20 { // they wait, and half of them leave
				go func() { _ = eng.Acquire(context.Background(), "k") }()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				time.AfterFunc(500*time.Millisecond, cancel)
				go func() { _ = eng.Acquire(ctx, "k") }()
			}
			_ = engine.Go(t.Context(), eng, "other", func(context.Context) (int, error) { return 0, errDown })
			time.Sleep(1500 * time.Millisecond)
			require.NotZero(t, inspect(t, eng, "k").Waiting)
			require.NotZero(t, eng.Stats().Actors)
		}) // which closes it, with all that wait
	}
}

// C10: testing/synctest was an experiment with faults of its own before Go 1.25.
func TestHazardC10GoHasSynctest(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(mod), "\ngo 1.")
	require.True(t, found)
	minor, _, _ := strings.Cut(strings.Fields(rest)[0], ".")
	n, err := strconv.Atoi(minor)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, 25)
}

// C11: the deadline of a context is in the present, and a mock stands in 1970.
func TestHazardC11ADeadlineMeansWhatRemainsOfIt(t *testing.T) {
	eachDispatchMock(t, engine.Config{Limiter: oneEvery(10 * time.Second)}, func(t *testing.T, m *clocktest.Mock, eng *engine.Engine) {
		require.Greater(t, time.Since(m.Now()).Abs(), 365*24*time.Hour, "the two clocks are years apart")
		require.True(t, eng.Allow("k"))
		short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		rejected(t, eng.Acquire(short, "k"), limiter.ErrLimited)
		long, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		waiting := inBackground(func() error { return eng.Acquire(long, "k") })
		m.Advance(10 * time.Second)
		require.NoError(t, <-waiting)
	})
}
