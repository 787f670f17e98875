package engine_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestATightEngineAdmitsWhatAWideOneDoes runs random schedules through an engine that has to spill
// all the time, and an engine that never spills. Only failures below the threshold, growth of a closed
// breaker, and outcomes of a half-open breaker may be lost. Here there are none, so that every decision
// is the same, and so is the random part of an open time.
func TestATightEngineAdmitsWhatAWideOneDoes(t *testing.T) {
	t.Parallel()
	rng := random(t)
	var spilled uint64
	const schedules = 600 / (1 + slowdown)
	for range schedules {
		seed := rng.Uint64()
		for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
			synctest.Test(t, func(t *testing.T) {
				cfg, _ := randomConfig(rand.New(rand.NewPCG(seed, 1)), d, time.Second)
				cfg.MaxWait, cfg.IdleAfter = engine.NoWait, time.Duration(seed%100+1)*100*time.Millisecond
				if cfg.Breaker != nil {
					cfg.Breaker.FailureThreshold, cfg.Breaker.HalfOpenSuccesses = 1, 1
					cfg.Breaker.HalfOpenFailures, cfg.Breaker.MaxRecovery = 0, 0
				}
				wide := start(t, cfg)
				cfg.MaxKeys = 2
				narrow := start(t, cfg)
				rng := rand.New(rand.NewPCG(seed, 2))
				for step := range 150 {
					key := "k" + strconv.Itoa(rng.IntN(6))
					what, n := rng.IntN(4), 1+rng.IntN(3)
					wideSays, narrowSays := oneStep(t, wide, key, what, n), oneStep(t, narrow, key, what, n)
					if wideSays != narrowSays {
						t.Fatalf("schedule %d, %v, step %d, %s: %+v, but in the narrow engine %+v", seed, d, step, key, wideSays, narrowSays)
					}
					time.Sleep(time.Duration(rng.IntN(4)) * time.Duration(rng.IntN(200)) * time.Millisecond)
				}
				require.LessOrEqual(t, narrow.Stats().Keys, 2)
				spilled += narrow.Stats().Spilled
			})
		}
	}
	require.Greater(t, spilled, uint64(30*schedules))
}

// answer is the result of one call in a form that can be compared with ==.
type answer struct {
	outcome
	text string // of an error that is not one of reasons
}

// oneStep makes one call and returns its answer.
func oneStep(t *testing.T, eng *engine.Engine, key string, what, n int) answer {
	var err error
	switch what {
	case 0:
		if !eng.AllowN(key, n) {
			err = limiter.ErrLimited
		}
	case 1:
		err = eng.AcquireN(t.Context(), key, n)
	case 2:
		err = eng.Run(t.Context(), key, fail)
	default:
		if n == 3 && len(key)%2 == 0 {
			eng.Reset(key)
		}
		err = eng.Run(t.Context(), key, succeed)
	}
	a := answer{outcome: seen(err)}
	if a.err = nil; a.reason < 0 {
		a.text = err.Error()
	}
	return a
}
