package linear_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// act is what a client may do next.
type act uint8

const (
	actAllow act = iota
	actAcquire
	actAdmit // and keep the ticket for a while
	actRun
	actInspect
	actReset
	actResetAll
	actStep
	actCancel // the wait of another client
	actChange // the limits
	actForce

	actChained // the same acts through the chain
)

// setting is a configuration to check, and what clients do with it.
type setting struct {
	name      string
	rules     rules
	wide      *rules // of the wide key, if calls go through a chain; rules is then the narrow one's
	idleAfter int    // ticks; 0: longer than any history
	maxKeys   int
	known     bool  // every key is known from the beginning, so that it hears of each Reset
	mix       []act // what is there more often is done more often
}

// settings are what is checked, each in both dispatches.
func settings() []setting {
	bucket := limit{capacity: 3, interval: 2}
	small := limit{capacity: 2, interval: 3}
	leaky := limit{capacity: 3, interval: 2, leaky: true}
	window := limit{capacity: 3, interval: 1, per: 4}
	brittle, strict := brittlePolicy(), strictPolicy()
	growing := &policy{threshold: 1, recovery: 2, successes: 2, probes: 2, lease: 4, forget: 20, tolerated: 1, longest: 7}
	tokens := []act{actAllow, actAllow, actAllow, actAllow, actAcquire, actInspect, actStep, actReset}
	calls := []act{actRun, actRun, actRun, actAdmit, actAdmit, actAdmit, actInspect, actStep}
	changes := append(tokens[:len(tokens):len(tokens)], actStep, actStep, actChange)
	unreset := append(tokens[:len(tokens)-1:len(tokens)-1], actStep, actStep, actStep, actChange) // a key that is not known does not hear of a Reset, and begins with less than all tokens
	more := limit{capacity: 5, interval: 4}
	spilled := []act{actAcquire, actAcquire, actAcquire, actAcquire, actAcquire, actAcquire, actAcquire, actInspect, actStep, actStep, actReset, actResetAll} // Allow cannot tell that there is no room for the key
	queue := []act{actAcquire, actAcquire, actAcquire, actAcquire, actAllow, actInspect, actStep, actStep, actCancel, actReset}
	return append([]setting{
		{name: "bucket", rules: rules{limits: []limit{bucket}}, mix: tokens},
		{name: "leaky", rules: rules{limits: []limit{leaky}}, mix: tokens},
		{name: "breaker", rules: rules{breaker: brittle}, mix: append(calls, calls...)},
		{name: "strict-breaker", rules: rules{breaker: strict}, mix: append(calls, actReset)},
		{name: "growing-breaker", rules: rules{breaker: growing}, mix: append(calls, calls...)},
		{name: "breaker-and-limiter", rules: rules{limits: []limit{bucket}, breaker: brittle}, mix: append(calls, actAllow, actAllow, actReset)},
		{name: "composite", rules: rules{limits: []limit{bucket, leaky}}, mix: tokens},
		{name: "window", rules: rules{limits: []limit{window}}, mix: append(tokens, actStep)},
		{name: "window-and-breaker", rules: rules{limits: []limit{window}, breaker: brittle}, mix: append(calls, actAllow, actAllow, actReset)},
		{name: "composite-window", rules: rules{limits: []limit{window, bucket}}, mix: append(tokens, actStep)},
		{name: "window-and-eviction", rules: rules{limits: []limit{window}, evicts: true}, idleAfter: 2, mix: append(tokens, actStep)},
		{name: "window-and-spill", rules: rules{limits: []limit{window}, evicts: true, spills: true}, idleAfter: 8, maxKeys: 2,
			mix: spilled},
		{name: "composite-and-breaker", rules: rules{limits: []limit{small, bucket}, breaker: strict}, mix: append(calls, actAllow)},
		{name: "queue", rules: rules{limits: []limit{small}, waits: true, maxWait: 8, maxQueue: 3}, mix: queue},
		{name: "leaky-queue", rules: rules{limits: []limit{leaky}, waits: true, maxQueue: 1024}, mix: queue},
		{name: "composite-queue", rules: rules{limits: []limit{small, leaky}, waits: true, maxQueue: 1024}, mix: queue},
		{name: "window-queue", rules: rules{limits: []limit{window}, waits: true, maxWait: 10, maxQueue: 4},
			mix: []act{actAdmit, actAdmit, actRun, actRun, actRun, actAllow, actInspect, actStep, actStep, actStep, actCancel, actReset}}, // nobody can tell how long more tokens will take
		{name: "queue-and-breaker", rules: rules{limits: []limit{bucket}, breaker: brittle, waits: true, maxWait: 12, maxQueue: 4},
			mix: []act{actAcquire, actRun, actRun, actRun, actAdmit, actAdmit, actAdmit, actAllow, actInspect, actStep, actStep, actCancel}},
		{name: "eviction", rules: rules{limits: []limit{bucket}, evicts: true}, idleAfter: 2, mix: append(tokens, actStep)},
		{name: "changes", known: true, rules: rules{limits: []limit{bucket}, others: []limit{more}}, mix: changes},
		{name: "leaky-changes", known: true, rules: rules{limits: []limit{leaky}, others: []limit{more}}, mix: changes},
		{name: "composite-changes", known: true, rules: rules{limits: []limit{bucket, leaky}, others: []limit{more, more}}, mix: changes},
		{name: "changes-and-eviction", rules: rules{limits: []limit{bucket}, others: []limit{more}, evicts: true}, idleAfter: 2, mix: unreset},
		{name: "eviction-and-breaker", rules: rules{limits: []limit{small}, breaker: brittle, evicts: true}, idleAfter: 2, mix: append(calls, actStep)},
		{name: "eviction-and-growing-breaker", rules: rules{limits: []limit{small}, breaker: growing, evicts: true}, idleAfter: 2, mix: append(calls, actStep)},
		{name: "spill", rules: rules{limits: []limit{bucket}, evicts: true, spills: true}, idleAfter: 8, maxKeys: 2,
			mix: spilled},
		{name: "spill-and-breaker", rules: rules{limits: []limit{bucket}, breaker: brittle, evicts: true, spills: true}, idleAfter: 8, maxKeys: 2,
			mix: append(calls, actAcquire, actReset, actResetAll)},
		{name: "spill-and-growing-breaker", rules: rules{limits: []limit{bucket}, breaker: growing, evicts: true, spills: true}, idleAfter: 8, maxKeys: 2,
			mix: append(calls, actAcquire, actReset, actResetAll)},
	}, slices.Concat(chains(), byRates(), byHands(), inFlight())...)
}

// config is the configuration of the engine of key.
func (s *setting) config(key int, d engine.Dispatch, c *stepped) engine.Config {
	rules := &s.rules
	if key == wide && s.wide != nil {
		rules = s.wide
	}
	cfg := engine.Config{
		Name: keyNames[key], Dispatch: d, Clock: c, MaxWait: engine.NoWait, MaxQueue: rules.maxQueue, MaxKeys: s.maxKeys,
		IdleAfter: 10_000 * tick, Classify: classify,
	}
	if s.idleAfter > 0 {
		cfg.IdleAfter = time.Duration(s.idleAfter) * tick
	}
	if rules.waits {
		cfg.MaxWait = time.Duration(rules.maxWait) * tick
	}
	cfg.Limiter = limiterOf(rules.limits)
	if rules.places > 0 {
		cfg.Concurrency = limiter.InFlight{Max: rules.places}
	}
	if p := rules.breaker; p != nil {
		cfg.Breaker = &breaker.Policy{
			FailureThreshold: p.threshold, RecoveryTimeout: time.Duration(p.recovery) * tick, HalfOpenSuccesses: p.successes,
			HalfOpenProbes: p.probes, ProbeTimeout: time.Duration(p.lease) * tick, ForgetAfter: time.Duration(p.forget) * tick,
			HalfOpenFailures: p.tolerated, MaxRecovery: time.Duration(p.longest) * tick,
			FailureRate: p.failureRate, SlowRate: p.slowRate, SlowAfter: time.Duration(p.slowAfter) * tick,
			Window: 10 * time.Duration(p.slice) * tick, WindowCalls: p.calls, MinCalls: p.minCalls,
		}
	}
	return cfg
}

// limiterOf returns what limits stand for, or nil if there are none.
func limiterOf(of []limit) limiter.Limiter {
	var limits []limiter.Limiter
	for _, l := range of {
		rate := limiter.Per(1, time.Duration(l.interval)*tick)
		if l.per > 0 {
			limits = append(limits, limiter.FixedWindow{Max: l.capacity, Per: time.Duration(l.per) * tick}) // the clock begins at the epoch
		} else if l.leaky {
			limits = append(limits, limiter.LeakyBucket{Capacity: l.capacity, LeakRate: rate})
		} else {
			limits = append(limits, limiter.TokenBucket{Capacity: l.capacity, RefillRate: rate})
		}
	}
	if len(limits) == 0 {
		return nil
	}
	return limiter.All(limits...)
}

var (
	errDown    = errors.New("upstream is down")
	errNeutral = errors.New("the caller's own fault")
)

func classify(err error) engine.Outcome {
	if errors.Is(err, errNeutral) {
		return engine.Ignore
	}
	return engine.Failure
}

// ends are how a call may end.
var ends = []struct {
	err     error
	outcome engine.Outcome
}{{nil, engine.Success}, {nil, engine.Success}, {errDown, engine.Failure}, {errDown, engine.Failure}, {errNeutral, engine.Ignore}}

// resultOf is what a call came to that answered err.
func resultOf(err error) result {
	switch {
	case err == nil:
		return granted
	case errors.Is(err, breaker.ErrOpen):
		return open
	case errors.Is(err, limiter.ErrLimited):
		return refused
	case errors.Is(err, engine.ErrQueueFull):
		return full
	case errors.Is(err, limiter.ErrInFlight):
		return occupied
	case errors.Is(err, engine.ErrKeyLimit):
		return crowded
	case errors.Is(err, context.Canceled):
		return canceled
	default:
		return wrong
	}
}
