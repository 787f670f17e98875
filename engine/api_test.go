package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	benbjohnson "github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// The public face, against which programs of users are written. This file fails to compile when a
// name or a type changes.

type (
	call       = func(context.Context) (int, error)
	action     = func(context.Context) error
	keyMethods interface {
		Run(context.Context, func(context.Context) error) error
		Admit(context.Context) (*engine.Ticket, error)
		Allow() bool
		AllowN(int) bool
		Acquire(context.Context) error
		AcquireN(context.Context, int) error
		Inspect() (engine.Snapshot, bool)
		Reset()
	}
)

var (
	_ func(engine.Config) (*engine.Engine, error)                                   = engine.New
	_ func(context.Context, *engine.Engine, string, call) (int, error)              = engine.Do[int]
	_ func(context.Context, *engine.Engine, string, call) <-chan engine.Result[int] = engine.Go[int]
	_ func(context.Context, engine.Key, call) (int, error)                          = engine.DoKey[int]
	_ func(*engine.Engine, context.Context, string, action) error                   = (*engine.Engine).Run
	_ func(*engine.Engine, context.Context, string) (*engine.Ticket, error)         = (*engine.Engine).Admit
	_ func(*engine.Engine, string) bool                                             = (*engine.Engine).Allow
	_ func(*engine.Engine, string, int) bool                                        = (*engine.Engine).AllowN
	_ func(*engine.Engine, context.Context, string) error                           = (*engine.Engine).Acquire
	_ func(*engine.Engine, context.Context, string, int) error                      = (*engine.Engine).AcquireN
	_ func(*engine.Engine, string) engine.Key                                       = (*engine.Engine).Key
	_ func(*engine.Engine, string) (engine.Snapshot, bool)                          = (*engine.Engine).Inspect
	_ func(*engine.Engine, string)                                                  = (*engine.Engine).Reset
	_ func(*engine.Engine)                                                          = (*engine.Engine).ResetAll
	_ func(*engine.Engine, string, breaker.State, time.Duration) error              = (*engine.Engine).Force
	_ time.Duration                                                                 = breaker.Forever
	_ func(*engine.Engine) iter.Seq[string]                                         = (*engine.Engine).Keys
	_ func(*engine.Engine) engine.Stats                                             = (*engine.Engine).Stats
	_ func(*engine.Engine, context.Context) error                                   = (*engine.Engine).Close
	_ func(*engine.Ticket, error)                                                   = (*engine.Ticket).Done
	_ func(*engine.Rejection) time.Duration                                         = (*engine.Rejection).RetryAfter
	_ func(*engine.Rejection) error                                                 = (*engine.Rejection).Unwrap
	_ keyMethods                                                                    = engine.Key{}
	_ []error                                                                       = []error{engine.ErrClosed, engine.ErrQueueFull, engine.ErrKeyLimit, engine.ErrForceLimit}
	_ func(...limiter.Limiter) limiter.Limiter                                      = limiter.All
	_ func(int64, time.Duration) limiter.Rate                                       = limiter.Per
	_ func(float64) limiter.Rate                                                    = limiter.PerSecond
	_ []error                                                                       = []error{limiter.ErrLimited, limiter.ErrExceedsCapacity, breaker.ErrOpen}
	_ []breaker.State                                                               = []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen}
	_ []retry.Jitter                                                                = []retry.Jitter{retry.FullJitter, retry.NoJitter, retry.EqualJitter, retry.DecorrelatedJitter}
	_ func(error) error                                                             = retry.Permanent
	_ func(error, time.Duration) error                                              = retry.After
	_ func(context.Context, retry.Policy, call) (int, error)                        = retry.Do[int]
	_ func() clock.Clock                                                            = clock.System
	_ func(benbjohnson.Clock) clock.Clock                                           = clock.Wrap
	_ func(*testing.T, func(*testing.T, *clocktest.Mock))                           = clocktest.Run
	_ func(*clocktest.Mock, time.Duration)                                          = (*clocktest.Mock).Advance
	_ clock.Clock                                                                   = (*clocktest.Mock)(nil)
	_ interface{ Validate() error }                                                 = limiter.Limiter(nil)
	_ interface{ Validate() error }                                                 = breaker.Policy{}
	_ interface{ Validate() error }                                                 = retry.Policy{}
	_ error                                                                         = (*engine.ConfigError)(nil)
	_ error                                                                         = (*retry.ExhaustedError)(nil)
	_                                                                               = engine.Result[int]{Value: 1, Err: nil}
	_                                                                               = engine.Rejection{Key: "k", Err: nil}
	_                                                                               = engine.ConfigError{Field: "", Value: nil, Reason: ""}
	_                                                                               = engine.Stats{Keys: 0, Actors: 0}
	_                                                                               = limiter.Status{Available: 1.5, Queued: 1, Wait: time.Second}
	_                                                                               = limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Rate{}}
	_                                                                               = limiter.LeakyBucket{Capacity: 1, LeakRate: limiter.Rate{}}
	_                                                                               = retry.ExhaustedError{Attempts: 1, Err: nil}
)

var _ = engine.Config{
	Limiter: limiter.Limiter(nil), Breaker: (*breaker.Policy)(nil), Retry: (*retry.Policy)(nil),
	MaxWait: engine.NoWait, MaxQueue: 1, Classify: func(error) engine.Outcome { return engine.Success },
	MaxKeys: 1, IdleAfter: time.Second, Clock: clock.Clock(nil), Dispatch: engine.Published,
}

var _ = engine.Snapshot{
	Key: "k", Breaker: breaker.Closed, Failures: 1, OpenFor: time.Second, Forced: true, Limits: []limiter.Status{}, Waiting: 1,
}

var _ = breaker.Policy{
	FailureThreshold: 1, RecoveryTimeout: time.Second, HalfOpenSuccesses: 1, HalfOpenProbes: 1,
	ProbeTimeout: time.Second, ForgetAfter: time.Second, HalfOpenFailures: 1,
	MaxRecovery: time.Second, RecoveryJitter: 0.5, Seed: 1,
}

var _ = retry.Policy{
	MaxAttempts: 1, BaseDelay: time.Second, MaxDelay: time.Second, Backoff: 2, Jitter: retry.NoJitter,
	MaxElapsed: time.Second, RetryIf: func(error) bool { return true }, Seed: 1,
}

var _ func(*engine.Engine, context.Context, string, time.Duration) (*engine.Ticket, error) = (*engine.Engine).AdmitWithin

func TestNamesOfValues(t *testing.T) {
	require.Equal(t, "published mailbox Dispatch(7)", fmt.Sprint(engine.Published, engine.Mailbox, engine.Dispatch(7)))
	require.Equal(t, []engine.Outcome{breaker.Success, breaker.Failure, breaker.Ignore}, []engine.Outcome{engine.Success, engine.Failure, engine.Ignore})
	require.True(t, errors.Is(&engine.Rejection{Err: engine.ErrQueueFull}, engine.ErrQueueFull))
}
