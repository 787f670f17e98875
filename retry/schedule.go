package retry

import (
	"math"
	"time"
)

// unlimited is what Next is given as remaining when there is no deadline.
const unlimited = time.Duration(math.MaxInt64)

// Schedule is the pure form of a [Policy]: it decides after each failed attempt
// of one call. It neither sleeps nor reads a clock. It is a small value that
// lives on the caller's stack; making one allocates nothing. It belongs to one
// goroutine and to one call, and a copy is a schedule of its own. Make it with
// [Policy.Schedule]; the zero Schedule is that of the zero Policy.
type Schedule struct {
	policy   Policy // resolved by the first failure, for most calls have none
	random   source
	attempts int           // failed so far
	previous time.Duration // last wait of DecorrelatedJitter; 0 before the first
}

// Schedule returns the schedule of one call. The policy must be valid (see
// [Policy.Validate]); of an invalid one the delays mean nothing.
//
// The argument numbers the calls of one user of the policy: with a
// [Policy.Seed], call n draws the same numbers each time, and other calls draw
// others. Without a Seed the number is not used. Any goroutine may call it.
func (p Policy) Schedule(call uint64) Schedule {
	return Schedule{policy: p, random: seededBy(p.Seed, call)}
}

// Next says what follows a failed attempt: wait for delay and try again if ok
// is true, else return final.
//
// The error err is what the attempt returned, with its wrappers. Elapsed is the
// time since the first attempt began; remaining is the time left until the
// caller's deadline, and math.MaxInt64 stands for no deadline. Call it once for
// each failed attempt, in order, and not again after ok was false.
//
// An error that is [Permanent] or that [Policy.RetryIf] declines comes back as
// final itself, without its outermost wrappers. If the attempts are used up, if
// the advice of [After] exceeds MaxDelay, if the delay would lead past
// MaxElapsed or would reach the deadline, final is an [*ExhaustedError]. So ok
// is true only if there is time left after the wait. A nil err ends the call: ok
// is false and final is nil.
func (s *Schedule) Next(err error, elapsed, remaining time.Duration) (delay time.Duration, final error, ok bool) {
	if err == nil {
		return 0, nil, false
	}
	s.attempts++
	s.policy = s.policy.resolved()
	plain, advice := Strip(err), adviceOf(err)
	if advice.permanent || s.policy.RetryIf != nil && !s.policy.RetryIf(plain) {
		return 0, plain, false
	}
	if s.attempts < s.policy.MaxAttempts && advice.after <= s.policy.MaxDelay {
		delay = max(s.wait(), advice.after)
		if s.affords(delay, elapsed, remaining) {
			return delay, nil, true
		}
	}
	return 0, &ExhaustedError{Attempts: s.attempts, Err: plain}, false
}

// affords reports whether an attempt after delay begins within MaxElapsed and
// before the deadline. It subtracts so that no sum can overflow.
func (s *Schedule) affords(delay, elapsed, remaining time.Duration) bool {
	if limit := s.policy.MaxElapsed; limit > 0 && delay > limit-max(elapsed, 0) {
		return false
	}
	return remaining == unlimited || delay < remaining
}

// wait is the backoff before the next attempt with its jitter.
func (s *Schedule) wait() time.Duration {
	switch s.policy.Jitter {
	case NoJitter:
		return s.backoff()
	case EqualJitter:
		d := s.backoff()
		return d/2 + s.random.between(0, d-d/2)
	case DecorrelatedJitter:
		return s.decorrelated()
	default:
		return s.random.between(0, s.backoff())
	}
}

// backoff is min(BaseDelay × Backoff^(k-1), MaxDelay) before retry k. The power
// may become infinite but never NaN, so the comparison is made while it is
// still a float: a conversion first would wrap and turn the wait negative.
func (s *Schedule) backoff() time.Duration {
	base, limit := s.policy.BaseDelay, s.policy.MaxDelay
	d := float64(base) * math.Pow(s.policy.Backoff, float64(s.attempts-1))
	if d >= float64(limit) {
		return limit
	}
	return max(time.Duration(d), base) // a float64 may round a long base down
}

// decorrelated draws from three times its own last wait. Advice does not count
// as a wait of its own: it would drag all later ones up.
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
