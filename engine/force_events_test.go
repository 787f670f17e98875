package engine_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestRowByHandEachForceAndEachEndIsAnEvent(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		require.NoError(t, eng.Force("k", breaker.Closed, time.Minute))
		require.NoError(t, eng.Force("k", breaker.Open, time.Minute))
		require.NoError(t, eng.Force("k", breaker.Open, time.Hour))
		began := time.Now()
		time.Sleep(time.Hour)
		synctest.Wait() // the actor wakes
		require.NoError(t, eng.Force("k", breaker.Closed, time.Minute))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.NoError(t, eng.Force("k", breaker.Closed, breaker.Forever))
		require.NoError(t, eng.Force("k", breaker.Open, 0))
		require.NoError(t, eng.Force("k", breaker.Open, 0))
		require.NoError(t, eng.Force("k", breaker.Open, breaker.Forever))
		eng.Reset("k")
		require.Equal(t, []string{
			"1 tripped k closed-open: a failure: upstream is down",
			"2 forced k open-closed",
			"3 forced k closed-open",
			"4 forced k open-open",
			"5 recovered k open-closed: the time of the forced state is over",
			"6 forced k closed-closed",
			"7 recovered k closed-closed: the time of the forced state is over",
			"8 forced k closed-closed",
			"9 recovered k closed-closed: the forced state was ended by hand",
			"10 forced k closed-open",
			"11 recovered k open-closed: the key was reset",
		}, told(t, eng))
		require.Equal(t, engine.Transitions{Tripped: 1, Recovered: 4}, eng.Transitions())
		var until []time.Time
		for e := range eng.EventsSince(t.Context(), 3) {
			until = append(until, e.Until)
			if e.Seq == 5 {
				require.Equal(t, began.Add(time.Hour), e.At.Round(0), "in time, although nobody called")
			}
			if e.Seq == 8 {
				break
			}
		}
		require.Equal(t, began.Add(time.Hour), until[0].Round(0))
		require.True(t, until[4].IsZero(), "for ever")
	})
}

func TestLogsOfForcedKeysNameTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{Name: "apis"})
		require.NoError(t, eng.Force("k", breaker.Closed, breaker.Forever))
		require.NoError(t, eng.Force("k", breaker.Closed, 0))
		require.NoError(t, eng.Close(t.Context()))
		var out bytes.Buffer
		withoutTimes := func(_ []string, a slog.Attr) slog.Attr {
			if a.Value.Kind() == slog.KindTime {
				return slog.Attr{}
			}
			return a
		}
		engine.LogEvents(t.Context(), slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTimes})), eng)
		require.Equal(t, "level=WARN msg=forced engine=apis key=k from=closed to=closed\n"+
			"level=INFO msg=recovered engine=apis key=k reason=\"the forced state was ended by hand\"\n", out.String())
	})
}

// Callers that wait for tokens: those that ask the breaker are refused when the key is forced open,
// the others stay.
func TestRowByHandOpenRefusesCallersInTheQueue(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Minute)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		other := start(t, engine.Config{Name: "other"})
		require.True(t, eng.Allow("k"))
		began := time.Now()
		refused := map[string]<-chan error{
			"run":   inBackground(func() error { return eng.Run(t.Context(), "k", succeed) }),
			"chain": inBackground(func() error { return engine.Chain(other.Key("o"), eng.Key("k")).Run(t.Context(), succeed) }),
		}
		acquired := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		synctest.Wait()
		require.Equal(t, 3, eng.Stats().Waiting)
		require.NoError(t, eng.Force("k", breaker.Closed, time.Hour))
		require.Equal(t, 3, eng.Stats().Waiting)
		require.NoError(t, eng.Force("k", breaker.Open, time.Hour))
		for name, answer := range refused {
			r := rejected(t, <-answer, breaker.ErrOpen)
			require.Equal(t, began, time.Now(), name)
			require.Equal(t, time.Hour, r.RetryAfter(), name)
		}
		require.NoError(t, <-acquired)
		require.Equal(t, time.Minute, time.Since(began))
	})
}

// A probe and a ticket that are out when a person forces the key: neither counts, and the probe's
// function gives no leave any more.
func TestRowByHandWhatWasLetThroughBeforeDoesNotCount(t *testing.T) {
	for _, to := range []breaker.State{breaker.Open, breaker.Closed} {
		t.Run(to.String(), func(t *testing.T) {
			cfg := engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Second, ProbeTimeout: time.Hour}}
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				before, err := eng.Admit(t.Context(), "k")
				require.NoError(t, err)
				failTimes(t, eng, "k", 1)
				time.Sleep(time.Second)
				err = eng.Run(t.Context(), "k", func(ctx context.Context) error {
					require.NoError(t, eng.Force("k", to, time.Minute))
					inner := eng.Run(ctx, "k", succeed)
					require.Equal(t, to == breaker.Closed, inner == nil)
					return errDown
				})
				require.Equal(t, errDown, err)
				before.Done(errDown)
				require.Equal(t, to, inspect(t, eng, "k").Breaker)
				time.Sleep(time.Minute)
				synctest.Wait()
				require.NoError(t, eng.Run(t.Context(), "k", succeed))
				require.Equal(t, []int{0, 0, 0}, gauges(eng))
			})
		})
	}
}

func TestRowByHandReconfigureLeavesTheState(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1), MaxKeys: 8}, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.Force("open", breaker.Open, time.Hour))
		require.NoError(t, eng.Force("closed", breaker.Closed, breaker.Forever))
		both := engine.Config{
			Breaker: opensAfter(2), Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)},
		}
		for _, cfg := range []engine.Config{{}, both, {Shadow: true, Breaker: opensAfter(1)}, {MaxKeys: 3}} {
			cfg.Dispatch = eng.Config().Dispatch
			require.NoError(t, eng.Reconfigure(cfg))
			if err := eng.Run(t.Context(), "open", succeed); cfg.Shadow {
				require.NoError(t, err)
				require.EqualValues(t, 1, eng.Stats().ShadowRefused)
			} else {
				rejected(t, err, breaker.ErrOpen)
			}
			require.ErrorIs(t, eng.Run(t.Context(), "closed", fail), errDown)
			require.ErrorIs(t, eng.Run(t.Context(), "closed", fail), errDown)
			require.NoError(t, eng.Run(t.Context(), "closed", succeed))
			require.Equal(t, []int{1, 0, 2}, gauges(eng))
		}
		require.Equal(t, engine.ErrForceLimit, eng.Force("another", breaker.Open, time.Hour))
	})
}

// Many people force and end at once: there are never more forced keys than may be, and the figures
// add up in the end.
func TestForcesAtOnceKeepTheLimit(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		eng := start(t, engine.Config{MaxKeys: 20, Dispatch: d, Breaker: opensAfter(1)})
		var people sync.WaitGroup
		for i := range 20 {
			people.Go(func() {
				key := string(rune('a' + i))
				for round := range 200 {
					if eng.Force(key, breaker.State(round%2), breaker.Forever) == nil {
						rejectedOr(t, round%2 == 1, eng.Run(t.Context(), key, succeed))
					}
					if n := eng.Stats().ForcedKeys; n > 10 {
						t.Errorf("%d keys are forced", n)
					}
					if err := eng.Force(key, breaker.Open, 0); err != nil {
						t.Error(err)
					}
				}
			})
		}
		people.Wait()
		require.Equal(t, []int{0, 0, 0}, gauges(eng))
	}
}

// rejectedOr requires that err is a refusal if refuses is true, and else that err is nil.
func rejectedOr(t *testing.T, refuses bool, err error) {
	if refuses != (err != nil) {
		t.Errorf("refuses: %t, and the error is %v", refuses, err)
	}
}
