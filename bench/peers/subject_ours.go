package peers

import (
	"context"
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// ours are the ways of this module's engine, through a handle or by name, with the dispatch that the contender's name says.
func ours(name string) Subject {
	dispatch := engine.Published
	if name == "engine-mailbox" {
		dispatch = engine.Mailbox
	}
	config := func(s contender.Settings) engine.Config {
		return engine.Config{
			Limiter:  limiter.TokenBucket{Capacity: s.Capacity, RefillRate: limiter.Per(1, s.Interval)},
			MaxWait:  engine.NoWait,
			Dispatch: dispatch,
		}
	}
	take := func(e *engine.Engine) func(string, int64) bool {
		if name == "engine-handle" {
			return func(key string, n int64) bool { return e.Key(key).AllowN(int(n)) }
		}
		return func(key string, n int64) bool { return e.AllowN(key, int(n)) }
	}
	limit := func(cfg engine.Config) (Limit, error) {
		e, err := engine.New(cfg)
		if err != nil {
			return Limit{}, err
		}
		ask := take(e)
		return Limit{func(n int64) bool { return ask("k", n) }, closing(e)}, nil
	}
	return Subject{
		Stamped: func(s contender.Settings, now func() time.Time) (Limit, error) {
			cfg := config(s)
			cfg.Clock = toldClock{clock.System(), now}
			return limit(cfg)
		},
		Counted: func(s contender.Settings) (Limit, error) { return limit(config(s)) },
		Crowded: func(s contender.Settings) (contender.Guard, error) {
			cfg := config(s)
			cfg.MaxKeys = roomFor
			e, err := engine.New(cfg)
			if err != nil {
				return nil, err
			}
			ask := take(e)
			return allows{allow: func(key string) bool { return ask(key, 1) }, close: closing(e)}, nil
		},
		Callback: func() error { return oursCallback(dispatch) },
	}
}

func closing(e *engine.Engine) func() error {
	return func() error { return e.Close(context.Background()) }
}

// toldClock is a clock that is told the time. Its timers are the system's.
type toldClock struct {
	clock.Clock
	now func() time.Time
}

func (c toldClock) Now() time.Time { return c.now() }

// oursCallback asks from Classify, which is the user's code that runs closest to the breaker, whatever can be asked of the key.
func oursCallback(dispatch engine.Dispatch) error {
	var e *engine.Engine
	asked := 0
	e, err := engine.New(engine.Config{
		Breaker:  &breaker.Policy{FailureThreshold: 2},
		Limiter:  limiter.TokenBucket{Capacity: 100, RefillRate: limiter.PerSecond(1)},
		Dispatch: dispatch,
		Classify: func(error) engine.Outcome {
			s, known := e.Inspect("k")
			if known && s.Breaker == breaker.Closed && e.Allow("k") {
				asked++
			}
			return engine.Failure
		},
	})
	if err != nil {
		return err
	}
	fail := func(context.Context) error { return errFailed }
	for range 2 {
		_ = e.Run(context.Background(), "k", fail)
	}
	s, _ := e.Inspect("k")
	return errors.Join(wasAsked(asked == 2 && s.Breaker == breaker.Open), e.Close(context.Background()))
}
