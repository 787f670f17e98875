package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

var countedCalls = flag.Int("engine.counted", 20_000, "random calls whose decisions and ends Stats must count")

// counting checks the Stats of engines against what the callers see.
type counting struct {
	t       *testing.T
	r       *rand.Rand
	engines map[string]*engine.Engine
	want    map[string]*engine.Stats
	mu      sync.Mutex // guards want
	moved   map[string]*engine.Transitions
	gaveUp  uint64 // of all engines
}

// count changes what is wanted of one engine.
func (c *counting) count(name string, f func(*engine.Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c.want[name])
}

// countEvent changes the transitions that are wanted of one engine.
func (c *counting) countEvent(name string, f func(*engine.Transitions)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c.moved[name])
}

// attempt is a function that ends in one of the ways there are. names are the engines that decide about each attempt.
func (c *counting) attempt(how int, names []string) func(context.Context) error {
	first := true
	return func(context.Context) error {
		for _, name := range names {
			c.count(name, func(s *engine.Stats) {
				s.Admitted++
				if !first {
					s.Retries++
				}
				switch how {
				case 0, 1, 2:
					s.Failures++
				case 3:
					s.Ignored++
				default:
					s.Successes++
				}
			})
		}
		first = false
		switch how {
		case 0:
			panic(errDown)
		case 1, 2:
			return errDown
		case 3:
			return &engine.Verdict{Err: errDown, Outcome: engine.Ignore}
		default:
			return nil
		}
	}
}

// refused counts the error of a call that was not made, or not made again.
func (c *counting) refused(err error) {
	stopped, again := errors.AsType[*engine.StoppedError](err)
	if again {
		err = stopped.Reason
	}
	r, ok := errors.AsType[*engine.Rejection](err)
	if !ok {
		if errors.Is(err, context.DeadlineExceeded) {
			c.mu.Lock()
			c.gaveUp++
			c.mu.Unlock()
		}
		return
	}
	c.count(r.Engine, func(s *engine.Stats) {
		switch r.Stage {
		case engine.LimiterStage:
			s.Limited++
		case engine.BreakerStage:
			s.Open++
		case engine.QueueStage:
			s.QueueFull++
		case engine.KeysStage:
			s.KeyLimit++
		default:
			require.ErrorIs(c.t, err, engine.ErrClosed)
		}
	})
}

// call makes a random call through k, whose engines are names, and counts what it sees.
func (c *counting) call(k engine.Key, names []string, kind, how int, within time.Duration) {
	ctx := c.t.Context()
	if within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	admitted := func() {
		for _, name := range names {
			c.count(name, func(s *engine.Stats) { s.Admitted++ })
		}
	}
	switch kind {
	case 0:
		if k.Allow() {
			admitted()
		} else {
			c.count(names[0], func(s *engine.Stats) { s.Limited++ })
		}
	case 1:
		if err := k.Acquire(ctx); err != nil {
			c.refused(err)
		} else {
			admitted()
		}
	case 2:
		ticket, err := k.Admit(ctx)
		if err != nil {
			c.refused(err)
			return
		}
		err = c.attempt(max(1, how), names)(ctx)
		time.Sleep(time.Duration(how) * time.Millisecond)
		ticket.Done(err)
	default:
		defer func() {
			if reason := recover(); reason != nil && reason != errDown {
				panic(reason)
			}
		}()
		if err := k.Run(ctx, c.attempt(how, names)); err != nil {
			c.refused(err)
		}
	}
}

// TestStatsCountEveryDecisionAndEveryEndOnce: random calls of many callers, for single keys and for chains, with queues that fill,
// breakers that open, keys that are spilled, contexts that end, and Close. The engines' counts are those of the callers.
func TestStatsCountEveryDecisionAndEveryEndOnce(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { countCalls(t, d) })
		})
	}
}

func countCalls(t *testing.T, d engine.Dispatch) {
	c := &counting{t: t, r: random(t), engines: map[string]*engine.Engine{}, want: map[string]*engine.Stats{}, moved: map[string]*engine.Transitions{}}
	bucket := limiter.TokenBucket{Capacity: 3, RefillRate: limiter.PerSecond(20)}
	for name, cfg := range map[string]engine.Config{
		"user":  {Limiter: bucket, MaxKeys: 3, MaxQueue: 2},
		"pair":  {Limiter: limiter.All(bucket, limiter.LeakyBucket{Capacity: 8, LeakRate: limiter.PerSecond(40)}), MaxWait: 100 * time.Millisecond},
		"api":   {Breaker: &breaker.Policy{FailureThreshold: 2, RecoveryTimeout: 50 * time.Millisecond}, Limiter: bucket, MaxQueue: 3},
		"again": {Breaker: opensAfter(3), Retry: &retry.Policy{MaxAttempts: 3, BaseDelay: time.Millisecond}},
	} {
		cfg.Name, cfg.Dispatch = name, d
		c.engines[name], c.want[name], c.moved[name] = start(t, cfg), &engine.Stats{}, &engine.Transitions{}
		go c.follow(c.engines[name])
	}
	routes := [][]string{{"user"}, {"pair"}, {"api"}, {"again"}, {"user", "api"}, {"user", "pair", "api"}, {"pair", "api"}}
	var callers sync.WaitGroup
	for i := range *countedCalls {
		names := routes[c.r.IntN(len(routes))]
		var keys []engine.Key
		for _, name := range names {
			keys = append(keys, c.engines[name].Key(fmt.Sprint(c.r.IntN(12))))
		}
		k := keys[0]
		if len(keys) > 1 {
			k = engine.Chain(keys[0], keys[1:]...)
		}
		if c.r.IntN(4) == 0 {
			k = k.NoWait()
		}
		kind, how, within := c.r.IntN(6), c.r.IntN(8), time.Duration(0)
		if names[0] != "again" && c.r.IntN(3) == 0 {
			within = time.Duration(1+c.r.IntN(150)) * time.Millisecond
		}
		if names[0] == "user" || names[0] == "pair" { // Allow does not say whether it was the limiter that refused
			kind = max(1, kind)
		}
		callers.Go(func() { c.call(k, names, kind, how, within) })
		if i%4 == 0 && i%400 < 300 { // else a burst
			time.Sleep(time.Duration(c.r.IntN(30)) * time.Millisecond)
		}
		if i == *countedCalls*9/10 {
			require.NoError(t, c.engines["pair"].Close(t.Context()))
		}
	}
	waitFor(t, &callers)
	synctest.Wait()
	c.check()
	t.Attr("counted", fmt.Sprint(*countedCalls))
}

// follow counts the events of an engine, each of which has to begin where the one before of its key ended.
func (c *counting) follow(e *engine.Engine) {
	states := map[string]breaker.State{}
	for ev := range e.Events(c.t.Context()) {
		c.countEvent(e.Name(), func(s *engine.Transitions) {
			switch ev.Kind {
			case engine.Tripped:
				s.Tripped++
			case engine.Probing:
				s.Probing++
			case engine.Recovered:
				s.Recovered++
			}
		})
		assert.Equal(c.t, states[ev.Key], ev.From, ev)
		states[ev.Key] = ev.To
	}
}

// check compares what is counted with what the callers saw.
func (c *counting) check() {
	var gaveUp uint64
	for name, e := range c.engines {
		is, want := e.Stats(), *c.want[name]
		gaveUp += is.GaveUp
		require.Zero(c.t, is.Waiting, name)
		want.Keys, want.Actors, want.OpenKeys, want.HalfOpenKeys = is.Keys, is.Actors, is.OpenKeys, is.HalfOpenKeys
		want.GaveUp, want.KeptSpent, want.SketchLoad = is.GaveUp, is.KeptSpent, is.SketchLoad
		want.Evicted, want.Spilled, want.SketchHits = is.Evicted, is.Spilled, is.SketchHits
		require.Equal(c.t, want, is, name)
		require.Equal(c.t, *c.moved[name], e.Transitions(), name)
		c.t.Logf("%s: %+v", name, is)
	}
	require.Equal(c.t, c.gaveUp, gaveUp)
	require.Positive(c.t, gaveUp)
	for name, field := range map[string]uint64{
		"Open": c.want["api"].Open, "QueueFull": c.want["user"].QueueFull,
		"Limited": c.want["pair"].Limited, "Retries": c.want["again"].Retries, "Ignored": c.want["api"].Ignored,
		"KeyLimit": c.want["user"].KeyLimit, "Spilled": c.engines["user"].Stats().Spilled,
	} {
		require.Positive(c.t, field, name)
	}
}
