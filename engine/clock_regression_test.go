package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// yearly is the system's clock in another year, with the timers of the system.
type yearly struct {
	clock.Clock
	ahead atomic.Int64 // years, by which it is ahead of the system's
}

func (y *yearly) Now() time.Time { return y.Clock.Now().AddDate(int(y.ahead.Load()), 0, 0) }

// A jump of the clock by more than the range of a duration, or a jump forward and back, ends with
// the jump. (Every key used to be refused for ever.)
func TestRowAClockThatMisbehavesByAJump(t *testing.T) {
	t.Parallel()
	for name, years := range map[string][]int64{
		"year 1 to 2000":       {-1999, 0},
		"2000 to 9999":         {0, 7999},
		"forward and back":     {0, 7999, 0},
		"a century and back":   {0, 100, 0},
		"back and forth":       {0, -1999, 0},
		"ever further":         {-5000, -1999, 0, 300, 7999, 100_000},
		"to and fro for long":  {0, 7999, 0, 7999, 0, -1999, 0, -1999, 0, 300, 0, 300, 0, -30, 0, -30, 0},
		"an hour of the epoch": {-30, 0, -30},
	} {
		t.Run(name, func(t *testing.T) {
			c := &yearly{Clock: clock.System()}
			c.ahead.Store(years[0])
			cfg := engine.Config{
				Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Second)}, Breaker: opensAfter(1),
				MaxWait: engine.NoWait, IdleAfter: time.Minute, Clock: c,
			}
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				defer c.ahead.Store(years[0]) // for the next engine
				for i, y := range years {
					c.ahead.Store(y)
					fresh := fmt.Sprint("fresh ", i)
					for _, key := range []string{"used", fresh} {
						time.Sleep(time.Minute)
						require.True(t, eng.AllowN(key, 2), "%s in year %d", key, y)
						require.False(t, eng.Allow(key))
						time.Sleep(time.Second)
						require.True(t, eng.Allow(key), "its rate is that of the clock again")
						require.False(t, eng.Allow(key))
						time.Sleep(2 * time.Second)
						require.ErrorIs(t, eng.Run(t.Context(), key, fail), errDown)
						require.Equal(t, 5*time.Second, rejected(t, eng.Run(t.Context(), key, succeed), breaker.ErrOpen).RetryAfter())
						time.Sleep(5 * time.Second)
						require.NoError(t, eng.Run(t.Context(), key, succeed), "it recovers")
					}
				}
				time.Sleep(5 * time.Minute)
				require.Zero(t, eng.Stats().Keys, "all have been forgotten")
			})
		})
	}
}

// A bucket that was emptied after a jump of the clock stays empty, at every later reading.
func TestAJumpOfTheClockMintsNothing(t *testing.T) {
	c := &yearly{Clock: clock.System()}
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Hour)}, IdleAfter: time.Hour, Clock: c}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		defer c.ahead.Store(0) // for the next engine
		c.ahead.Store(7999)
		require.True(t, eng.AllowN("k", 3))
		for range 1000 {
			c.ahead.Store(0)
			require.False(t, eng.Allow("k"))
			c.ahead.Store(7999)
			require.False(t, eng.Allow("k"))
		}
	})
}

// shaky is the system's clock, whose methods panic now and then.
type shaky struct {
	clock.Clock
	oneIn atomic.Int64 // 0: never
	after atomic.Int64 // it panics at the reading when this comes to 1; 0: never
	// onlyCallers spares turns: the clock panics on goroutines of callers alone. (If the turn of a
	// probe's report panics, the report is lost, and the lease of the probe ends.)
	onlyCallers bool
}

var errShaky = errors.New("the clock is broken")

func (s *shaky) shake() {
	if n := s.oneIn.Load(); n > 0 && rand.Int64N(n) == 0 {
		panic(errShaky)
	}
	if s.after.Load() > 0 && (!s.onlyCallers || !bytes.Contains(debug.Stack(), []byte(").serve("))) && s.after.Add(-1) == 0 {
		panic(errShaky)
	}
}

func (s *shaky) Now() time.Time {
	s.shake()
	return s.Clock.Now()
}

func (s *shaky) NewTimer(d time.Duration) clock.Timer {
	s.shake()
	return shakyTimer{s.Clock.NewTimer(d), s}
}

type shakyTimer struct {
	clock.Timer
	s *shaky
}

func (t shakyTimer) Reset(d time.Duration) bool {
	t.s.shake()
	return t.Timer.Reset(d)
}

func (t shakyTimer) Stop() bool {
	t.s.shake()
	return t.Timer.Stop()
}

// A panic of the clock on the goroutine of a caller is the caller's, and a panic in a turn costs
// the turn. Every call comes back. When the clock is well again, every key is well at once. (The
// process used to end.)
func TestRowAClockThatMisbehavesByAPanic(t *testing.T) {
	t.Parallel()
	for _, oneIn := range []int64{1, 2, 5, 20} {
		t.Run(fmt.Sprint("one in ", oneIn), func(t *testing.T) {
			c := &shaky{Clock: clock.System()}
			cfg := engine.Config{
				Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(10, time.Second)},
				Breaker: &breaker.Policy{FailureThreshold: 2, RecoveryTimeout: time.Second, ProbeTimeout: time.Second},
				MaxKeys: 6, MaxQueue: 4, IdleAfter: 8 * time.Second, Clock: c,
			}
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				c.oneIn.Store(oneIn)
				var callers sync.WaitGroup
				for w := range 8 {
					callers.Go(func() {
						for i := range 60 {
							shakyCall(eng, fmt.Sprint("k", (w+i)%9), i)
							time.Sleep(time.Duration(rand.Int64N(int64(300 * time.Millisecond))))
						}
					})
				}
				waitFor(t, &callers)
				c.oneIn.Store(0)
				time.Sleep(2 * time.Second) // open breakers have had the time to recover
				for i := range 9 {
					key := fmt.Sprint("k", i)
					require.NoError(t, eng.Run(t.Context(), key, succeed))
					require.Equal(t, breaker.Closed, inspect(t, eng, key).Breaker)
				}
				time.Sleep(2 * time.Minute)
				require.Zero(t, eng.Stats().Keys, "all have been forgotten")
			})
		})
	}
}

// shakyCall makes a call of some kind. The call may panic with the clock's panic alone.
func shakyCall(eng *engine.Engine, key string, i int) {
	defer func() {
		if reason := recover(); reason != nil && reason != error(errShaky) {
			panic(reason)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var err error
	switch i % 6 {
	case 0:
		err = eng.Run(ctx, key, fail)
	case 1:
		err = eng.Run(ctx, key, succeed)
	case 2:
		err = eng.Acquire(ctx, key)
	case 3:
		eng.Allow(key)
	case 4:
		eng.Inspect(key)
	default:
		eng.Reset(key)
	}
	if p, panicked := errors.AsType[*actors.PanicError](err); panicked && p.Value != error(errShaky) {
		panic(err)
	}
}

// If the clock panics after the place of a probe was taken, the probe gives the place back. So does
// a probe in whose function another call was to pass.
func TestAPanicOfTheClockHoldsNoProbe(t *testing.T) {
	t.Parallel()
	for _, stay := range []time.Duration{0, time.Hour} {
		for until := range int64(12) { // the reading that panics
			c := &shaky{Clock: clock.System(), onlyCallers: true}
			cfg := engine.Config{
				Breaker: &breaker.Policy{FailureThreshold: 1, ProbeTimeout: time.Hour}, Clock: c,
				Retry: &retry.Policy{MaxAttempts: 2, BaseDelay: time.Second, MaxElapsed: time.Minute, Jitter: retry.NoJitter},
			}
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				key := eng.Key("k")
				if stay > 0 {
					key = key.Within(stay)
				}
				require.ErrorIs(t, key.Run(t.Context(), fail), errDown)
				time.Sleep(5 * time.Second)
				c.after.Store(until + 1)
				func() {
					defer func() { _ = recover() }()
					_ = key.Run(t.Context(), func(ctx context.Context) error {
						func() {
							defer func() { _ = recover() }()
							_ = key.Run(ctx, succeed)
						}()
						c.after.Store(0)
						require.NoError(t, key.Run(ctx, succeed), "reading %d", until)
						return nil
					})
				}()
				c.after.Store(0)
				synctest.Wait()
				require.NoError(t, key.Run(t.Context(), succeed), "reading %d", until)
			})
		}
	}
}

// A panic of the clock on a goroutine of Go is the result: no caller could recover the panic.
func TestAPanicOfTheClockOnAGoroutineOfGo(t *testing.T) {
	c := &shaky{Clock: clock.System()}
	cfg := engine.Config{
		Limiter: oneEvery(time.Second), Breaker: opensAfter(3), Retry: &retry.Policy{MaxAttempts: 2, BaseDelay: time.Second}, Clock: c,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		for until := range int64(12) {
			c.after.Store(until + 1)
			r := <-engine.Go(t.Context(), eng, fmt.Sprint("k", until), func(context.Context) (int, error) { return 0, errDown })
			c.after.Store(0)
			require.Error(t, r.Err)
			if p, panicked := errors.AsType[*actors.PanicError](r.Err); panicked {
				require.Equal(t, errShaky, p.Value)
				require.Contains(t, string(p.Stack), "shake")
			}
		}
		c.oneIn.Store(1)
		r := <-engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { return 0, nil })
		c.oneIn.Store(0)
		require.ErrorAs(t, r.Err, new(*actors.PanicError))
		r = <-engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { return 7, nil })
		require.NoError(t, r.Err)
		require.Equal(t, 7, r.Value)
	})
}

// Many panics in the turns of a key do not make the key refuse calls later. (The panics used to use
// up the budget of the actor, which then refused every call for a minute.)
func TestNoKeyIsRefusedForLongAfterAPanicOfTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &shaky{Clock: clock.System()}
		eng := start(t, engine.Config{Breaker: opensAfter(3), Clock: c, Dispatch: engine.Mailbox})
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		c.oneIn.Store(1)
		for range 20 {
			err := eng.Run(t.Context(), "k", succeed)
			require.ErrorAs(t, err, new(*actors.PanicError))
		}
		c.oneIn.Store(0)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
	})
}
