package retry

import (
	"math"
	"time"
)

// unlimited is the remaining time that Next takes for no deadline.
const unlimited = time.Duration(math.MaxInt64)

// Schedule is the pure form of a [Policy]: after each failed attempt of one call, Schedule decides
// what follows. Schedule neither sleeps nor reads a clock. Make a Schedule with [Policy.Schedule];
// the zero Schedule is the schedule of the zero Policy. A Schedule is a small value on the caller's
// stack: making one allocates nothing, and a copy goes on independently. A Schedule belongs to one
// call and to one goroutine.
type Schedule struct {
	policy   Policy // resolved by the first failure, since most calls have none
	random   source
	attempts int           // failed so far
	previous time.Duration // last wait of DecorrelatedJitter; 0 before the first
}

// Schedule returns the schedule of one call. The policy must be valid (see [Policy.Validate]); the
// delays of an invalid policy mean nothing. Any goroutine may call Schedule.
//
// The argument numbers the calls of a policy. With a [Policy.Seed], call n draws the same numbers
// each time, and other calls draw others. Without a Seed the argument is not used.
func (p Policy) Schedule(call uint64) Schedule {
	return Schedule{policy: p, random: seededBy(p.Seed, call)}
}

// Next decides what follows a failed attempt. If ok is true, wait for delay and try again; else
// return final to the caller. Call Next once for each failed attempt, in order, and not again after
// ok was false.
//
// err is the error of the attempt, with its wrappers. elapsed is the time since the first attempt
// began; a negative elapsed counts as 0. remaining is the time left until the caller's deadline,
// and math.MaxInt64 stands for no deadline. All times are in nanoseconds, and no sum of them
// overflows.
//
// If err is [Permanent], or if [Policy.RetryIf] or [Policy.Delay] declines err, final is err without its
// outermost wrappers. If the attempts are used up, if the advice of [After] exceeds MaxDelay, if the delay
// would lead past MaxElapsed or would reach the deadline, final is an [*ExhaustedError]. So ok is
// true only if there is time left after the wait. A nil err ends the call: ok is false and final is
// nil.
//
// Next calls RetryIf and Delay, which may take time. A caller with a slow one looks at the clock again
// before the next attempt.
func (s *Schedule) Next(err error, elapsed, remaining time.Duration) (delay time.Duration, final error, ok bool) {
	if err == nil {
		return 0, nil, false
	}
	delay, worth, plain := s.judge(err)
	switch {
	case !worth:
		return 0, plain, false
	case delay >= 0 && s.affords(delay, elapsed, remaining):
		return delay, nil, true
	}
	return 0, &ExhaustedError{Attempts: s.attempts, Err: plain}, false
}

// judge counts a failed attempt. worth reports whether err may be retried at all, delay is the wait before
// the next attempt, negative if none is left or the advice is too long, and plain is err without its
// outermost wrappers.
func (s *Schedule) judge(err error) (delay time.Duration, worth bool, plain error) {
	s.attempts++
	s.policy = s.policy.resolved()
	plain, advice := Strip(err), adviceOf(err)
	switch {
	case advice.permanent || s.policy.RetryIf != nil && !s.policy.RetryIf(plain):
		return 0, false, plain
	case s.attempts >= s.policy.MaxAttempts || advice.after > s.policy.MaxDelay:
		return -1, true, plain
	}
	delay = s.wait(plain)
	return max(delay, advice.after), delay >= 0, plain
}

// affords reports whether an attempt after delay begins within MaxElapsed and before the deadline.
// affords subtracts, so that no sum can overflow.
func (s *Schedule) affords(delay, elapsed, remaining time.Duration) bool {
	if limit := s.policy.MaxElapsed; limit > 0 && delay > limit-max(elapsed, 0) {
		return false
	}
	return remaining == unlimited || delay < remaining
}

// wait returns the wait after an attempt that failed with err: that of Delay, or else the backoff with
// jitter.
func (s *Schedule) wait(err error) time.Duration {
	switch {
	case s.policy.Delay != nil:
		return min(s.policy.Delay(s.attempts, err), s.policy.MaxDelay)
	case s.policy.Jitter == NoJitter:
		return s.backoff()
	case s.policy.Jitter == EqualJitter:
		d := s.backoff()
		return d/2 + s.random.between(0, d-d/2)
	case s.policy.Jitter == DecorrelatedJitter:
		return s.decorrelated()
	default:
		return s.random.between(0, s.backoff())
	}
}

// backoff returns min(BaseDelay × Backoff^(k-1), MaxDelay) before retry k. The power may become
// infinite but never NaN. So backoff compares floats before the conversion, which would wrap a
// large float to a negative wait.
func (s *Schedule) backoff() time.Duration {
	base, limit := s.policy.BaseDelay, s.policy.MaxDelay
	d := float64(base) * math.Pow(s.policy.Backoff, float64(s.attempts-1))
	if d >= float64(limit) {
		return limit
	}
	return max(time.Duration(d), base) // a float64 may round a long base down
}

// decorrelated draws from three times the last wait of DecorrelatedJitter. A wait that advice has
// lengthened does not count as the last wait: all later waits would grow with the advice.
func (s *Schedule) decorrelated() time.Duration {
	base := s.policy.BaseDelay
	top := max(s.previous, base)
	if top > math.MaxInt64/3 {
		top = math.MaxInt64
	} else {
		top *= 3
	}
	s.previous = min(s.random.between(base, top), s.policy.MaxDelay)
	return s.previous
}
