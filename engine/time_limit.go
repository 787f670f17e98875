package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// The causes (context.Cause) of a context that a time limit of the engine has ended. The Err of such a context is
// context.DeadlineExceeded, as with any deadline.
var (
	// ErrTimeout says that a call took longer than Config.Timeout.
	ErrTimeout = errors.New("engine: the call took longer than Timeout")
	// ErrAttemptTimeout says that an attempt took longer than Config.AttemptTimeout.
	ErrAttemptTimeout = errors.New("engine: the attempt took longer than AttemptTimeout")
)

// timeLimits are the time limits of a call, and the context that they end.
type timeLimits struct {
	call, attempt time.Duration      // 0: none
	until         time.Time          // when the time of the call is over; only if there is a limit of the call
	by            *Engine            // whose attempt it is, and in whose Stats an attempt counts that took too long
	end           context.CancelFunc // of the context of the attempt that runs; nil if none has a context of its own
}

// limitsOf returns the time limits of a call for the keys of links: each that of the first engine that has one. Without
// one the result is nil.
func limitsOf(links []link) (l *timeLimits) {
	for i := range links {
		st := links[i].eng.settings.Load()
		if !st.timeLimited {
			continue
		}
		if l == nil {
			l = new(timeLimits)
		}
		l.add(links[i].eng, st)
	}
	return l
}

// add adds the time limits of e, which has the settings st.
func (l *timeLimits) add(e *Engine, st *settings) {
	if l.by == nil {
		l.by = e
	}
	if l.call == 0 && st.config.Timeout > 0 {
		l.call, l.until = st.config.Timeout, time.Now().Add(st.config.Timeout)
	}
	if l.attempt == 0 {
		l.attempt = st.config.AttemptTimeout
	}
}

// within returns a context that ends after d because of cause, and its end; ctx itself, and nil, if the deadline of ctx
// is not later.
func within(ctx context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return ctx, nil
	}
	return context.WithTimeoutCause(ctx, d, cause)
}

// ofAttempt returns the context of an attempt, and its end, as within does. It is no child of a context of the call: a
// Hold may keep it for longer.
func (l *timeLimits) ofAttempt(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.call > 0 {
		if left := time.Until(l.until); l.attempt == 0 || left < l.attempt {
			return within(ctx, left, ErrTimeout)
		}
	}
	if l.attempt == 0 {
		return ctx, nil
	}
	return within(ctx, l.attempt, ErrAttemptTimeout)
}

// bound bounds ctx, the caller's, by Timeout, for the time between attempts, and returns the end of that. l may be nil.
func (l *timeLimits) bound(ctx *context.Context) context.CancelFunc {
	if l != nil && l.call > 0 {
		if in, end := within(*ctx, time.Until(l.until), ErrTimeout); end != nil {
			*ctx = in
			return end
		}
	}
	return func() {}
}

// tooLate counts an attempt that failed because a time limit has ended ctx, its context.
func (e *Engine) tooLate(ctx context.Context, outcome Outcome) {
	if outcome != Failure || ctx.Err() == nil {
		return
	}
	switch context.Cause(ctx) {
	case ErrTimeout, ErrAttemptTimeout: //nolint:errorlint // the very causes
		e.counters.TimedOut.Add(1)
	}
}

// enter returns the context of an attempt that is about to be decided: that of the caller, until AttemptTimeout or
// Timeout is over. The context of the attempt before ends. l may be nil.
func (l *timeLimits) enter(ctx context.Context) context.Context {
	if l != nil && !guard.Planted("an attempt without its time limit") {
		l.leave()
		ctx, l.end = l.ofAttempt(ctx)
	}
	return ctx
}

// leave ends the context of an attempt. l may be nil.
func (l *timeLimits) leave() {
	if l != nil && l.end != nil {
		l.end()
		l.end = nil
	}
}

// kept returns the end of the context of an attempt, for a Hold, and has leave not end it. l may be nil.
func (l *timeLimits) kept() (end context.CancelFunc) {
	if l != nil {
		end, l.end = l.end, nil
	}
	return end
}

// limitedBy returns the link whose engine has the time limits of the call.
func (c *call) limitedBy() int {
	return slices.IndexFunc(c.links, func(l link) bool { return l.eng == c.limits.by })
}
