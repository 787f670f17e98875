package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// told returns the events that eng has kept, as text. Call told in a bubble.
func told(t *testing.T, eng *engine.Engine) (lines []string) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for e := range eng.EventsSince(ctx, 0) {
			line := fmt.Sprintf("%d %v %s %v-%v", e.Seq, e.Kind, e.Key, e.From, e.To)
			if e.Reason != nil {
				line += ": " + e.Reason.Error()
			}
			lines = append(lines, line)
		}
	}()
	synctest.Wait()
	cancel()
	<-ended
	return lines
}

func TestRowEventsEachChangeOfABreakerIsOne(t *testing.T) {
	cfg := engine.Config{
		Name: "api", Breaker: &breaker.Policy{FailureThreshold: 2, RecoveryTimeout: time.Second, ProbeTimeout: time.Minute},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		began := time.Now()
		breakerEvents(t, eng)
		require.Equal(t, []string{
			"1 tripped k closed-open: 2 failures in a row, the last: upstream is down",
			"2 probing k open-half-open",
			"3 tripped k half-open-open: a probe failed: upstream is down",
			"4 probing k open-half-open",
			"5 recovered k half-open-closed",
			"6 tripped k closed-open: 2 failures in a row, the last: upstream is down",
			"7 probing k open-half-open",
			"8 tripped k half-open-open: a probe did not end within ProbeTimeout",
			"9 recovered k open-closed: the key was reset",
			"10 tripped k closed-open: 2 failures in a row",
			"11 reconfigured  closed-closed",
			"12 recovered k open-closed: the breaker was switched off or on",
			"13 reconfigured  closed-closed",
			"14 tripped k closed-open: 2 failures in a row, the last: upstream is down",
			"15 recovered k open-closed: the key was forgotten",
		}, told(t, eng))
		require.Equal(t, engine.Transitions{Tripped: 6, Probing: 3, Recovered: 4}, eng.Transitions())
		for e := range eng.EventsSince(t.Context(), 2) {
			require.Equal(t, "api", e.Engine)
			require.Equal(t, began.Add(time.Second), e.At.Round(0))
			require.Equal(t, began.Add(2*time.Second), e.Until.Round(0))
			require.ErrorIs(t, e.Reason, errDown)
			break
		}
	})
}

// breakerEvents has the breaker of k open and close in every way. It opens after 2 failures, for a second.
func breakerEvents(t *testing.T, eng *engine.Engine) {
	failTimes(t, eng, "k", 2)
	time.Sleep(time.Second)
	failTimes(t, eng, "k", 1)
	time.Sleep(time.Second)
	require.NoError(t, eng.Run(t.Context(), "k", succeed))
	failTimes(t, eng, "k", 2)
	time.Sleep(time.Second)
	_, err := eng.Admit(t.Context(), "k") // and never done
	require.NoError(t, err)
	time.Sleep(time.Minute)
	eng.Reset("k")
	failTimes(t, eng, "k", 1)
	require.Panics(t, func() { _ = eng.Run(t.Context(), "k", func(context.Context) error { panic("fn") }) })
	synctest.Wait()
	cfg := eng.Config()
	other := cfg
	other.Breaker = nil
	require.NoError(t, eng.Reconfigure(other))
	require.NoError(t, eng.Run(t.Context(), "k", succeed))
	_, _ = eng.Inspect("k")
	require.NoError(t, eng.Reconfigure(cfg))
	failTimes(t, eng, "k", 2)
	time.Sleep(time.Hour)
}

// A key that is spilled with its breaker open is forgotten, and open again when it comes back.
func TestASpillOfAnOpenBreakerIsAnEvent(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1), MaxKeys: 1}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "a", 1)
		synctest.Wait()
		require.NoError(t, eng.Run(t.Context(), "b", succeed))
		rejected(t, eng.Run(t.Context(), "a", succeed), breaker.ErrOpen)
		require.Equal(t, []string{
			"1 tripped a closed-open: a failure: upstream is down",
			"2 recovered a open-closed: the key was forgotten",
			"3 tripped a closed-open: the breaker was open when the key was last forgotten",
		}, told(t, eng))
	})
}

func TestRefreshIsAnEventOfItsKey(t *testing.T) {
	cfg := engine.Config{LimiterFor: func(string) limiter.Limiter { return limiter.Unlimited }}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		eng.Refresh("unknown")
		require.True(t, eng.Allow("known"))
		eng.Refresh("known")
		require.Equal(t, []string{"1 reconfigured unknown closed-closed", "2 reconfigured known closed-closed"}, told(t, eng))
	})
}

func TestAnActorThatPanicsIsAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &panicking{Clock: clock.System()}
		eng := start(t, engine.Config{Dispatch: engine.Mailbox, Clock: struct{ clock.Clock }{c}, Limiter: oneEvery(time.Hour)})
		require.True(t, eng.Allow("k"))
		c.now.Store(true)
		require.False(t, eng.Allow("k"))
		require.Equal(t, []string{`1 restarted k closed-closed: actors: a turn of the actor of "k" panicked: clock`}, told(t, eng))
	})
}

// A reader sees what comes after its call, or after a number, and ends with its context or with Close.
func TestWhereEventsBeginAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{Breaker: opensAfter(1)})
		failTimes(t, eng, "before", 1)
		var mu sync.Mutex
		seen := map[string][]string{}
		read := func(name string, events iter.Seq[engine.Event]) {
			go func() {
				for e := range events {
					mu.Lock()
					seen[name] = append(seen[name], e.Key)
					mu.Unlock()
				}
				mu.Lock()
				seen[name] = append(seen[name], "end")
				mu.Unlock()
			}()
		}
		ctx, cancel := context.WithCancel(t.Context())
		late := eng.Events(t.Context())
		read("from now on", eng.Events(t.Context()))
		read("cancelled", eng.EventsSince(ctx, 0))
		read("of the future", eng.EventsSince(t.Context(), 1<<40))
		synctest.Wait()
		failTimes(t, eng, "after", 1)
		synctest.Wait()
		cancel()
		synctest.Wait()
		failTimes(t, eng, "later", 1)
		require.NoError(t, eng.Close(t.Context()))
		read("late", late)
		read("again", late)
		read("after Close", eng.EventsSince(t.Context(), 2))
		read("ended", eng.EventsSince(ctx, 0))
		synctest.Wait()
		require.Equal(t, map[string][]string{
			"from now on":   {"after", "later", "end"},
			"cancelled":     {"before", "after", "end"},
			"of the future": {"after", "later", "end"},
			"late":          {"after", "later", "end"},
			"again":         {"after", "later", "end"},
			"after Close":   {"later", "end"},
			"ended":         {"end"},
		}, seen)
	})
}

func TestLogEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Second}
		one, two := start(t, engine.Config{Name: "one", Breaker: policy}), start(t, engine.Config{Breaker: policy})
		failTimes(t, one, strings.Repeat("k", 70), 1)
		ctx, cancel := context.WithCancel(t.Context())
		var text bytes.Buffer
		ended := make(chan struct{})
		go func() {
			engine.LogEvents(ctx, slog.New(slog.NewTextHandler(&text, nil)), one, two)
			close(ended)
		}()
		time.Sleep(time.Second)
		failTimes(t, two, "x", 1)
		time.Sleep(time.Second)
		require.NoError(t, two.Run(t.Context(), "x", succeed))
		synctest.Wait()
		require.NoError(t, one.Close(t.Context()))
		cancel()
		<-ended
		require.Equal(t, `time=2000-01-01T00:00:00.000Z level=WARN msg=tripped engine=one key="`+strings.Repeat("k", 64)+`... (70 bytes)" from=closed to=open reason="a failure: upstream is down" until=2000-01-01T00:00:01.000Z
time=2000-01-01T00:00:01.000Z level=WARN msg=tripped key=x from=closed to=open reason="a failure: upstream is down" until=2000-01-01T00:00:02.000Z
time=2000-01-01T00:00:02.000Z level=INFO msg=probing key=x from=open to=half-open
time=2000-01-01T00:00:02.000Z level=INFO msg=recovered key=x from=half-open to=closed
`, text.String())
	})
}

// LogEvents ends when its engines have, and asks a handler that wants no such level for nothing.
func TestLogEventsEndsWithItsEngines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{Breaker: opensAfter(1)})
		failTimes(t, eng, "k", 1)
		require.NoError(t, eng.Close(t.Context()))
		var text bytes.Buffer
		engine.LogEvents(t.Context(), slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelError})), eng)
		require.Empty(t, text.String())
	})
}

func TestEventKindsHaveNames(t *testing.T) {
	require.Equal(t, "tripped sketch_full store_up", fmt.Sprint(engine.Tripped, engine.SketchFull, engine.StoreUp))
	require.Equal(t, "EventKind(0) EventKind(10)", fmt.Sprint(engine.EventKind(0), engine.EventKind(10)))
}

// SketchFull comes once, and again only after the sketch has been less full.
func TestAFullSketchIsAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{Limiter: oneEvery(time.Hour), MaxKeys: 1})
		flood := func(keys int) {
			for i := range keys {
				eng.Allow(fmt.Sprint(i))
			}
		}
		flood(40_000)
		require.Empty(t, told(t, eng), "a load of %v", eng.Stats().SketchLoad)
		flood(80_000)
		full := "sketch_full  closed-closed: more than half of the sketch holds debts of spilled keys: " +
			"MaxKeys is too small, or a client makes keys up"
		require.Equal(t, []string{"1 " + full}, told(t, eng))
		time.Sleep(2 * time.Hour)
		flood(5000)
		flood(80_000)
		require.Equal(t, []string{"1 " + full, "2 " + full}, told(t, eng))
	})
}
