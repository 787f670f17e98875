package engine

import (
	"context"
	"errors"
	"slices"
	"time"
)

// The causes (context.Cause) of a context that a time limit of the engine has ended. The Err of such a context is
// context.DeadlineExceeded, as with any deadline.
var (
	// ErrTimeout says that a call took longer than Config.Timeout.
	ErrTimeout = errors.New("engine: the call took longer than Timeout")
	// ErrAttemptTimeout says that an attempt took longer than Config.AttemptTimeout.
	ErrAttemptTimeout = errors.New("engine: the attempt took longer than AttemptTimeout")
)

// timeLimits are the time limits of a call.
type timeLimits struct {
	call, attempt time.Duration // 0: none
	by            *Engine       // whose attempt it is, and in whose Stats an attempt counts that took too long; nil without limits
}

// limitsOf returns the time limits of a call for the keys of links: each that of the first engine that has one.
func limitsOf(links []link) (l timeLimits) {
	for i := range links {
		st := links[i].eng.settings.Load()
		if !st.timeLimited {
			continue
		}
		if l.by == nil {
			l.by = links[i].eng
		}
		if l.call == 0 {
			l.call = st.config.Timeout
		}
		if l.attempt == 0 {
			l.attempt = st.config.AttemptTimeout
		}
	}
	return l
}

// within returns a context that ends after d because of cause, and its end; ctx itself if d is 0, or if the
// deadline of ctx is not later.
func within(ctx context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	if d == 0 {
		return ctx, nothing
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return ctx, nothing
	}
	return context.WithTimeoutCause(ctx, d, cause)
}

func nothing() {}

// ofOneAttempt returns the context of a call that is one attempt, and its end.
func (l timeLimits) ofOneAttempt(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.attempt == 0 || l.call > 0 && l.call < l.attempt {
		return within(ctx, l.call, ErrTimeout)
	}
	return within(ctx, l.attempt, ErrAttemptTimeout)
}

// tooLate counts an attempt that failed because a time limit has ended ctx, its context.
func (e *Engine) tooLate(ctx context.Context, outcome Outcome) {
	if e == nil || outcome != Failure || ctx.Err() == nil {
		return
	}
	switch context.Cause(ctx) {
	case ErrTimeout, ErrAttemptTimeout: //nolint:errorlint // the very causes
		e.counters.TimedOut.Add(1)
	}
}

// enter returns the context of an attempt that is about to be decided: ctx, until AttemptTimeout is over. The context
// of the attempt before ends.
func (c *call) enter(ctx context.Context) context.Context {
	c.leave()
	if c.limits.attempt > 0 {
		ctx, c.cancel = within(ctx, c.limits.attempt, ErrAttemptTimeout)
	}
	return ctx
}

// leave ends the context of an attempt.
func (c *call) leave() {
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
}

// limitedBy returns the link whose engine has the time limits of the call.
func (c *call) limitedBy() int {
	return slices.IndexFunc(c.links, func(l link) bool { return l.eng == c.limits.by })
}
