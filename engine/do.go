package engine

import (
	"context"
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/retry"
)

// Do calls fn under the guard of e for key, and returns what fn returned. fn runs on the caller's goroutine, once for each
// attempt.
//
// A ctx that has already ended returns its error and touches nothing. A refusal by the engine is a *Rejection. An error of
// fn comes back as it is; when the retries are used up, in a *retry.ExhaustedError; when the breaker or the limiter refuses
// a further attempt, or ctx or the engine ends before it, joined with that reason, so that errors.Is finds both.
//
// A panic of fn, and runtime.Goexit, count as a failure and go on untouched.
func Do[T any](ctx context.Context, e *Engine, key string, fn func(context.Context) (T, error)) (T, error) {
	return do(ctx, e, place{key: key}, fn)
}

// DoKey is [Do] for the key of a handle.
func DoKey[T any](ctx context.Context, k Key, fn func(context.Context) (T, error)) (T, error) {
	return do(ctx, k.eng, k.place, fn)
}

func do[T any](ctx context.Context, e *Engine, p place, fn func(context.Context) (T, error)) (T, error) {
	var v T
	err := e.run(ctx, p, func(ctx context.Context) (err error) {
		v, err = fn(ctx)
		return err
	})
	return v, err
}

// Result is what a call of [Go] came to.
type Result[T any] struct {
	Value T
	Err   error
}

// Go is the asynchronous [Do]: it runs on a goroutine of its own, and exactly one Result comes on the channel, which need
// not be received and is never closed. Calls of Go that follow one another may reach the limiter in any order. Should fn end its goroutine with
// runtime.Goexit, the result is ErrGoexit. A panic of fn is not recovered. [Engine.Close] waits for these goroutines.
func Go[T any](ctx context.Context, e *Engine, key string, fn func(context.Context) (T, error)) <-chan Result[T] {
	results := make(chan Result[T], 1)
	e.background.Lock()
	defer e.background.Unlock()
	if e.ended.Load() {
		results <- Result[T]{Err: e.reject(key, ErrClosed, 0)}
		return results
	}
	e.calls.Go(func() error { // ends with fn; joined by Close
		r := Result[T]{Err: ErrGoexit}
		defer func() { results <- r }()
		r.Value, r.Err = Do(ctx, e, key, fn)
		return nil
	})
	return results
}

// Run is [Do] for a function without a result.
func (e *Engine) Run(ctx context.Context, key string, fn func(context.Context) error) error {
	return e.run(ctx, place{key: key}, fn)
}

// run makes attempts until one succeeds or none is to follow.
func (e *Engine) run(ctx context.Context, p place, fn func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var begun int64
	if e.retry != nil && e.retry.MaxElapsed > 0 {
		begun = e.system.Now()
	}
	c, permit, err := e.decide(ctx, p, 1, calling)
	if err != nil {
		return err
	}
	if err = e.attempt(ctx, p, c, permit, fn); err == nil {
		return nil
	}
	return e.rerun(ctx, p, fn, c, err, begun)
}

// rerun makes the attempts after the first, which ended with err.
func (e *Engine) rerun(ctx context.Context, p place, fn func(context.Context) error, c *cell, err error, begun int64) error {
	var schedule retry.Schedule
	for first := true; ; first = false {
		if e.retry == nil || isRejection(err) || errors.Is(ctx.Err(), context.Canceled) {
			return retry.Strip(err)
		}
		if first {
			schedule = e.retry.Schedule(e.retried.Add(1))
		}
		delay, final, again := schedule.Next(err, time.Duration(e.system.Now()-begun), remaining(ctx))
		if !again {
			return final
		}
		last := retry.Strip(err)
		if err := e.foresee(p, c, delay); err != nil {
			return afterFailure(err, last)
		}
		if err := e.sleep(ctx, p, delay); err != nil {
			return afterFailure(err, last)
		}
		var permit breaker.Permit
		if c, permit, err = e.decide(ctx, p, 1, calling); err != nil {
			return afterFailure(err, last)
		}
		if err = e.attempt(ctx, p, c, permit, fn); err == nil {
			return nil
		}
	}
}

// attempt calls fn and records the outcome, also when fn panics or ends its goroutine.
func (e *Engine) attempt(ctx context.Context, p place, c *cell, permit breaker.Permit, fn func(context.Context) error) error {
	if !e.keeper.hasBreaker {
		return advised(fn(ctx))
	}
	returned := false // no recover: the panic goes on, and Goexit would not be seen by it
	defer func() {
		if !returned {
			e.report(p, c, permit, Failure)
		}
	}()
	err := fn(ctx)
	outcome := Success
	if err != nil {
		outcome = e.judge(ctx, err)
	}
	returned = true
	if outcome != Success || permit.Lease != 0 || e.dispatch == Mailbox || !c.Published.content() {
		e.report(p, c, permit, outcome)
	}
	return advised(err)
}

// judge says what the end of a call means for the breaker. It is the state of the caller's context that counts, not what
// the error looks like.
func (e *Engine) judge(ctx context.Context, err error) Outcome {
	if err == nil {
		return Success
	}
	if ended := ctx.Err(); ended != nil {
		if errors.Is(ended, context.DeadlineExceeded) {
			return Failure // whatever was called did not answer in time
		}
		return Ignore
	}
	v, self := err.(*Verdict) //nolint:errorlint // only what fn itself returned is a verdict
	switch {
	case isRejection(err):
		return Ignore
	case self:
		return v.Outcome
	case e.classify == nil:
		return Failure
	default:
		return e.classify(retry.Strip(err))
	}
}

// report records an outcome with the actor of the cell that let the call through, or of its successor.
func (e *Engine) report(p place, c *cell, permit breaker.Permit, outcome Outcome) {
	if !e.keeper.hasBreaker {
		return
	}
	probe := permit.Lease != 0
	if outcome == Ignore && !probe {
		return // it would change nothing
	}
	if e.dispatch == Published && outcome == Success && !probe && c.Published.content() {
		return // likewise
	}
	// The next call of this caller finds the outcome recorded. If it asks the actor it comes behind this message; but what it
	// reads of what has been published does not, so that a failure, which may change that, is waited for.
	awaited := e.dispatch == Published && outcome != Success && !probe
	m := message{kind: report, permit: permit, outcome: outcome}
	for {
		var err error
		if awaited {
			err = e.command(c, m, nil)
		} else {
			err = e.system.Send(context.Background(), c, m)
		}
		if !errors.Is(err, actors.ErrRetired) {
			return // recorded; or the engine is closed and there is nothing left to record it in
		}
		// The cell was as new when it retired. If it still was in the generation of this call, then the call counts as one
		// that its successor let through when it was born; else it is a late result.
		p.lost(c)
		if permit.Generation != c.Published.generation.Load() && !m.reborn {
			return
		}
		m.reborn = true
		if outcome == Success {
			if _, known := e.system.Find(p.key); !known {
				return
			}
		}
		if c, err = e.find(p); err != nil {
			return // closed, or no room for a key: then there is no breaker to count for
		}
	}
}

// foresee refuses now an attempt after delay that the breaker is sure to refuse then: no backoff is slept for nothing. A
// breaker that has a probe out is not sure of anything.
func (e *Engine) foresee(p place, c *cell, delay time.Duration) error {
	if !e.keeper.hasBreaker || c.Published.word.Load() >= 0 { // an open gate means a closed breaker
		return nil
	}
	s, known := e.Inspect(p.key)
	if !known || s.Breaker != breaker.Open || s.OpenFor <= delay {
		return nil
	}
	return e.reject(p.key, breaker.ErrOpen, e.system.Now()+int64(s.OpenFor))
}

// sleep waits between two attempts. The error is ctx's, or a *Rejection with ErrClosed.
func (e *Engine) sleep(ctx context.Context, p place, d time.Duration) error {
	t := e.clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.closing:
		return e.reject(p.key, ErrClosed, 0)
	}
}

// remaining is the time left until ctx's deadline.
func remaining(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return actors.Never
	}
	return time.Until(deadline)
}
