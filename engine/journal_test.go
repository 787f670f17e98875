package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// journal takes down the events of a schedule as a number and, if the journal is to be read, in
// words.
type journal struct {
	sum     uint64
	written bool
	lines   []string
}

// note takes down numbers, and values that can be made a number.
func (j *journal) note(format string, args ...any) {
	j.add(uint64(len(format)))
	for _, arg := range args {
		switch arg := arg.(type) {
		case bool:
			if arg {
				j.add(1)
			} else {
				j.add(2)
			}
		case int:
			j.add(uint64(arg))
		case time.Duration:
			j.add(uint64(arg))
		case float64:
			j.add(math.Float64bits(arg))
		case breaker.State:
			j.add(uint64(arg))
		case outcome:
			j.add(uint64(arg.reason))
			j.add(uint64(arg.after))
		default:
			panic(fmt.Sprintf("%T cannot be noted", arg))
		}
	}
	if j.written {
		j.lines = append(j.lines, fmt.Sprintf(format, args...))
	}
}

// add is the step of FNV-1a, for 64 bits at a time.
func (j *journal) add(n uint64) {
	j.sum = (j.sum ^ n) * 1099511628211
	j.sum ^= j.sum >> 29
}

// state takes down a key's state; full is the tokens of a new key. A clean key and a key that is
// not known count as equal: the contract does not say when a key is forgotten.
func (j *journal) state(key int, s engine.Snapshot, known bool, full []int) {
	asNew := s.Breaker == breaker.Closed && !s.Forced && s.Failures == 0 && s.Waiting == 0 && s.InFlight == 0 && s.Window == breaker.Counts{}
	for i, l := range s.Limits {
		asNew = asNew && l.Available == float64(full[i]) && l.Queued == 0
	}
	if !known || asNew {
		j.note("%d is as new", key)
		return
	}
	j.note("%d: %v, forced: %t, %d failures, open for %v, %d waiting", key, s.Breaker, s.Forced, s.Failures, s.OpenFor, s.Waiting)
	j.note("%d in flight", s.InFlight)
	j.note("%d calls in the window, %d failures, %d slow", s.Window.Calls, s.Window.Failures, s.Window.Slow)
	for _, l := range s.Limits {
		j.note("%v available, %d queued, wait %v", l.Available, l.Queued, l.Wait)
	}
}

// outcome is an error in a form that can be compared.
type outcome struct {
	reason int // index in reasons; -1 for any other
	after  time.Duration
	err    error
}

func (o outcome) String() string { return fmt.Sprintf("%v after %v", o.err, o.after) }

var reasons = []error{
	nil, errDown, limiter.ErrLimited, limiter.ErrInFlight, limiter.ErrExceedsCapacity, breaker.ErrOpen, engine.ErrQueueFull, engine.ErrKeyLimit, engine.ErrClosed,
	context.Canceled, context.DeadlineExceeded,
}

func seen(err error) outcome {
	o := outcome{reason: -1, err: err}
	for i, reason := range reasons {
		if errors.Is(err, reason) {
			o.reason = i
			break
		}
	}
	if r, ok := errors.AsType[*engine.Rejection](err); ok {
		o.after = r.RetryAfter()
	}
	return o
}
