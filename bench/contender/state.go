package contender

import (
	"context"
	"errors"
	"time"
)

// rules is Settings as the models use it. It does not change.
type rules struct {
	base      time.Time
	interval  int64 // ns per token
	burst     int64 // ns: capacity × interval; 0: no limiter
	threshold int32
	recovery  int64 // ns
	attempts  int
	delay     time.Duration
}

func newRules(s Settings) rules {
	return rules{
		base:      time.Now(),
		interval:  int64(s.Interval),
		burst:     int64(s.Capacity) * int64(s.Interval),
		threshold: int32(s.FailureThreshold),
		recovery:  int64(s.RecoveryTimeout),
		attempts:  s.Attempts,
		delay:     s.BaseDelay,
	}
}

// now is monotonic: time.Since reads nothing else of a base that time.Now has made.
func (r *rules) now() int64 { return int64(time.Since(r.base)) }

// outcome is what the end of a call means for the breaker.
type outcome uint8

const (
	failure outcome = iota // first, so that a call that panics has failed
	success
	ignored
)

// judge is the engine's rule: a caller that left says nothing about what it called.
func judge(ctx context.Context, err error) outcome {
	switch {
	case err == nil:
		return success
	case errors.Is(ctx.Err(), context.Canceled):
		return ignored
	default:
		return failure
	}
}

// state is bucket and breaker of one key, for one goroutine at a time. The zero state is a full bucket and a closed breaker.
type state struct {
	full       int64  // the instant at which the bucket is full again
	opens      int64  // while open, the instant from which a probe may go
	generation uint32 // moved by every transition, so that a late result does not count
	failures   int32  // in a row, while closed
	phase      phase
}

type phase uint8

const (
	closed phase = iota
	open
	probing // one probe is out
)

// take takes a token. A reading of the clock from before the lock was taken is safe, because it is only stricter; but a
// refusal should rest on one from after it.
func (s *state) take(r *rules, now int64) bool {
	if r.burst == 0 {
		return true
	}
	full := max(s.full, now) + r.interval
	if full-now > r.burst {
		return false
	}
	s.full = full
	return true
}

// admit lets a call through breaker and bucket in one step, and returns the generation to report it with. The reading of
// the clock is as in take.
func (s *state) admit(r *rules, now int64) (uint32, error) {
	if s.phase != closed && (s.phase == probing || now < s.opens) {
		return 0, ErrOpen
	}
	if !s.take(r, now) {
		return 0, ErrLimited
	}
	if s.phase == open {
		s.turn(probing)
	}
	return s.generation, nil
}

// report counts the outcome of a call that was admitted in generation.
func (s *state) report(r *rules, generation uint32, o outcome) {
	if generation != s.generation {
		return
	}
	switch {
	case o == success && s.phase == probing:
		s.turn(closed)
	case o == success:
		s.failures = 0
	case o == ignored && s.phase == probing:
		s.turn(open) // for the next probe, at once
	case o == ignored:
	case s.phase == probing || s.failures+1 >= r.threshold:
		s.opens = r.now() + r.recovery
		s.turn(open)
	default:
		s.failures++
	}
}

func (s *state) turn(to phase) {
	s.phase = to
	s.failures = 0
	s.generation++
}

// again makes the attempts after the first, which failed with err, after a backoff each. A refusal is not tried again.
func (r *rules) again(ctx context.Context, err error, attempt func() error) error {
	delay := r.delay
	for range r.attempts - 1 {
		if refused(err) || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(err, ctx.Err())
		}
		if err = attempt(); err == nil {
			return nil
		}
		delay *= 2
	}
	return err
}

func refused(err error) bool { return errors.Is(err, ErrLimited) || errors.Is(err, ErrOpen) }

// model is a contender that is written by hand and has every stage.
func model(name, cannot string, guard func(Settings) Guard) Contender {
	return Contender{
		Name: name, Kind: Model, Does: Pipeline | Panics, Algorithm: TokenBucket, Cannot: cannot,
		Limited: ErrLimited, Open: []error{ErrOpen},
		New: func(s Settings) (Guard, error) { return guard(s), nil },
	}
}

// whatModelsCannot is what all models leave out that the engine has.
const whatModelsCannot = "no queue for tokens; keys are never evicted; a probe that hangs keeps the breaker shut"
