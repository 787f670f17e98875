package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

var explainedFlag = flag.Int("engine.explained", 2000/slowdown, "random states, for each dispatch, in which Explain has to foresee the next call")

func TestExplainOfOneKey(t *testing.T) {
	cfg := engine.Config{
		Name: "api", Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1)}, MaxQueue: 1,
		Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Minute},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		k := eng.Key("k")
		one := func(x engine.KeyExplanation, ahead int) engine.Explanation {
			x.Engine, x.Key = "api", "k"
			return engine.Explanation{Passes: x.Passes, RetryAfter: x.RetryAfter, Ahead: ahead, Keys: []engine.KeyExplanation{x}}
		}
		require.Equal(t, one(engine.KeyExplanation{Passes: true}, 0), k.Explain())
		require.Zero(t, eng.Stats().Keys, "it makes no key known")
		require.True(t, k.Allow())
		require.Equal(t, one(engine.KeyExplanation{Stage: engine.LimiterStage, RetryAfter: time.Second}, 0), k.Explain())
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = k.Acquire(ctx) }()
		synctest.Wait()
		require.Equal(t, one(engine.KeyExplanation{Stage: engine.QueueStage, RetryAfter: 2 * time.Second}, 1), k.Explain())
		cancel()
		time.Sleep(time.Second)
		require.Error(t, k.Run(t.Context(), fail))
		synctest.Wait()
		require.Equal(t, one(engine.KeyExplanation{Stage: engine.BreakerStage, RetryAfter: time.Minute}, 0), k.Explain())
		require.Equal(t, engine.Explanation{}, k.Within(-1).Explain())
		require.NoError(t, eng.Close(t.Context()))
		require.Equal(t, one(engine.KeyExplanation{}, 0), k.Explain())
	})
}

func TestExplainOfAChain(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		limit := func(d time.Duration) limiter.Limiter {
			return limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, d)}
		}
		users := start(t, engine.Config{Name: "users", Dispatch: d, Limiter: limit(time.Hour)})
		trial := start(t, engine.Config{Name: "trial", Dispatch: d, Limiter: limit(3 * time.Hour), Shadow: true, MaxWait: engine.NoWait})
		apis := start(t, engine.Config{Name: "apis", Dispatch: d, Breaker: opensAfter(1)})
		off := start(t, engine.Config{Name: "off", Dispatch: d})
		k := engine.Chain(users.Key("u"), trial.Key("t"), apis.Key("a"), off.Key("o"))
		require.True(t, k.Explain().Passes)
		require.True(t, k.Allow())
		x := k.Explain()
		require.False(t, x.Passes)
		require.InDelta(t, time.Hour, x.RetryAfter, float64(time.Minute))
		for i, passes := range []bool{false, false, true, true} {
			require.Equal(t, passes, x.Keys[i].Passes, x.Keys[i].Engine)
			require.Equal(t, map[bool]engine.Stage{false: engine.LimiterStage}[passes], x.Keys[i].Stage)
		}
		require.Equal(t, engine.Explanation{}, engine.Chain(users.Key("u"), users.Key("v")).Explain())
	}
}

func TestExplainOfALimitThatCannotBe(t *testing.T) {
	eng := start(t, engine.Config{LimiterFor: func(string) limiter.Limiter { return limiter.TokenBucket{} }})
	x := eng.Key("k").Explain()
	require.False(t, x.Passes)
	require.Empty(t, x.Keys[0].Stage)
}

// states brings keys into random states.
type states struct {
	r    *rand.Rand
	m    *clocktest.Mock
	ctx  context.Context //nolint:containedctx // of the callers that wait
	wait bool            // whether callers wait
}

// stir brings the keys of e into random states; the name of the key that counts is "k".
func (s *states) stir(e *engine.Engine) {
	stir(s.r, s.m, e)
	for range s.r.IntN(3) {
		switch s.r.IntN(4) {
		case 0:
			e.Allow(fmt.Sprint(s.r.IntN(5))) // perhaps "k" has to make room
		case 1:
			s.m.Advance(time.Duration(s.r.Int64N(20_000)))
		case 2:
			e.Reset("k")
		default:
			if s.wait {
				go func() { _ = e.Acquire(s.ctx, "k") }()
				synctest.Wait()
			}
		}
	}
}

// TestExplainForeseesTheNextCall: in a random state of one key or of a chain, the next call passes if Explain says so. Otherwise
// it is refused by a stage that Explain names, with the same RetryAfter. And Explain changes nothing that can be seen.
func TestExplainForeseesTheNextCall(t *testing.T) {
	eachDispatchOnMock(t, func(t *testing.T, d engine.Dispatch, m *clocktest.Mock) {
		r := random(t)
		counts := map[string]int{}
		for range *explainedFlag {
			ctx, cancel := context.WithCancel(context.Background())
			s := &states{r, m, ctx, r.IntN(2) == 0}
			var engines []*engine.Engine
			for i := range 1 + r.IntN(3) {
				cfg := randomMember(r, fmt.Sprint(i))
				cfg.Dispatch, cfg.Clock, cfg.MaxQueue = d, m, r.IntN(3)
				cfg.MaxKeys = r.IntN(3)
				e, err := engine.New(cfg)
				require.NoError(t, err)
				engines = append(engines, e)
			}
			for _, e := range engines {
				s.stir(e)
			}
			k := engines[0].Key("k")
			if len(engines) > 1 {
				k = chained(engines)
			}
			foresee(t, engines, k.NoWait(), counts)
			cancel()
			synctest.Wait()
			for _, e := range engines {
				require.NoError(t, e.Close(context.Background()))
			}
		}
		t.Log(counts)
		t.Attr("explained", fmt.Sprint(*explainedFlag))
		if *explainedFlag >= 2000 { // else a few are too few by chance
			for _, kind := range []string{"passes", "unknown", "waiters", "breaker", "limiter"} {
				require.Greater(t, counts[kind], *explainedFlag/100, kind)
			}
		}
	})
}

// foresee compares what k is to do with what it does.
func foresee(t *testing.T, engines []*engine.Engine, k engine.Key, counts map[string]int) {
	look := func() (seen []any) {
		for _, e := range engines {
			snapshot, known := e.Inspect("k")
			s := e.Stats()
			s.Actors = 0 // an actor that was asked leaves
			seen = append(seen, snapshot, known, s, e.Transitions())
			if !known {
				counts["unknown"]++
			}
		}
		return seen
	}
	synctest.Wait()
	before := look()
	x := k.Explain()
	synctest.Wait()
	require.Equal(t, before, look(), "a trace of Explain")
	if x.Ahead > 0 {
		counts["waiters"]++
	}
	err := k.Run(context.Background(), succeed)
	if err == nil {
		require.True(t, x.Passes, "%+v", x)
		require.Zero(t, x.RetryAfter)
		counts["passes"]++
		return
	}
	refusal, ok := errors.AsType[*engine.Rejection](err)
	require.True(t, ok, "%v", err)
	if refusal.Stage == engine.KeysStage {
		return // not foreseen
	}
	require.False(t, x.Passes, "%+v: %v", x, err)
	require.Equal(t, refusal.RetryAfter(), x.RetryAfter, "%+v: %v", x, err)
	for _, part := range x.Keys {
		if part.Engine == refusal.Engine {
			require.Equal(t, refusal.Stage, part.Stage, "%+v: %v", x, err)
		}
	}
	counts[string(refusal.Stage)]++
}
