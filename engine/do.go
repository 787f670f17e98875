package engine

import (
	"context"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// Do calls fn for key under the guard of e and returns the results of fn. Each attempt passes the
// breaker and the limiter of key first, and then runs fn on the caller's goroutine. Any goroutine may
// call Do.
//
// If ctx has ended already, Do returns the error of ctx and touches nothing. If ctx ends while the call
// waits, or its deadline passes, fn is not called: Do returns the error of ctx, a token that was taken
// is given back unless others have taken tokens since (Stats.KeptSpent), and the breaker counts nothing. The error of a context holds the context's Err and its
// cause (context.Cause), so that errors.Is finds both.
//
// The error is
//
//   - a *Rejection if the engine refuses the first attempt;
//   - the error of fn as it is, if fn is not tried again: without a retry policy, if the error is
//     permanent or RetryIf declines it, or if ctx was cancelled during the attempt;
//   - a *retry.ExhaustedError if no attempt is left, or if a further attempt could not begin within
//     MaxElapsed or before the deadline of ctx;
//   - a *StoppedError, which holds the reason and the last error of fn, if a further attempt is
//     refused, or if ctx or the engine ends before a further attempt.
//
// A panic of fn, and runtime.Goexit, count as a failure and go on untouched.
func Do[T any](ctx context.Context, e *Engine, key string, fn func(context.Context) (T, error)) (T, error) {
	var v T
	err := e.Run(ctx, key, func(ctx context.Context) (err error) {
		v, err = fn(ctx)
		return err
	})
	return v, err
}

// DoKey is [Do] for the key of a handle.
func DoKey[T any](ctx context.Context, k Key, fn func(context.Context) (T, error)) (T, error) {
	var v T
	err := k.Run(ctx, func(ctx context.Context) (err error) {
		v, err = fn(ctx)
		return err
	})
	return v, err
}

// Run is [Do] for a function without a result.
func (e *Engine) Run(ctx context.Context, key string, fn func(context.Context) error) error {
	return e.run(ctx, &place{key: key}, guard.AsLong, nil, fn)
}
