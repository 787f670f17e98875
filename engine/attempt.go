package engine

import (
	"context"
	"sync/atomic"
	"time"
)

// Attempt describes an attempt of a call; see [AttemptOf] and [Trace].
type Attempt struct {
	Number int           // from 1
	Waited time.Duration // since the call began or the attempt before ended: for the backoff, and in queues
	Last   error         // of the attempt before; nil for the first attempt
	// Probe says whether the attempt is a probe of a breaker that is half-open, which waits for its end. In a
	// context, Probe is also true for a first attempt that is made in the function of another engine's probe.
	Probe bool
}

// attemptKey is the key of the *Attempt in the context of an attempt after the first.
type attemptKey struct{}

// furtherAttempts is how many attempts after the first run now, in the process. While there are none, no context
// holds an Attempt that is to be hidden.
var furtherAttempts atomic.Int64

// AttemptOf returns which attempt ctx belongs to, the context of a function that an engine has called: for a header
// that numbers attempts, an idempotency key, or a log line. For a first attempt, and for any other context, Number
// is 1. Waited is known from the second attempt on.
//
// An engine whose call is made in the function of another engine's attempt counts its own attempts.
func AttemptOf(ctx context.Context) Attempt {
	if a, _ := ctx.Value(attemptKey{}).(*Attempt); a != nil {
		return *a
	}
	return Attempt{Number: 1}
}

// firstAttempt returns the context for the function of a first attempt: ctx, in which the attempt of an engine
// around this one is hidden.
func firstAttempt(ctx context.Context) context.Context {
	if furtherAttempts.Load() != 0 {
		return hideAttempt(ctx)
	}
	return ctx
}

//go:noinline
func hideAttempt(ctx context.Context) context.Context {
	if a, _ := ctx.Value(attemptKey{}).(*Attempt); a == nil {
		return ctx
	}
	return context.WithValue(ctx, attemptKey{}, (*Attempt)(nil))
}

// in returns the context for the function of the attempt a, which is nil for a first attempt. After the function,
// done is to be called.
func (a *Attempt) in(ctx context.Context) context.Context {
	if a == nil {
		return firstAttempt(ctx)
	}
	furtherAttempts.Add(1)
	return context.WithValue(ctx, attemptKey{}, a)
}

func (a *Attempt) done() {
	if a != nil {
		furtherAttempts.Add(-1)
	}
}

// last returns the error of the attempt before a.
func (a *Attempt) last() error {
	if a == nil {
		return nil
	}
	return a.Last
}
