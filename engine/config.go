package engine

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// Config is the pipeline. A nil stage is off; the zero value of any other field is its default, and a negative one, but NoWait, an
// error. [New] takes a copy.
type Config struct {
	// Limiter is how much may start: a limiter.TokenBucket, a limiter.LeakyBucket, or several through limiter.All.
	Limiter limiter.Limiter
	// Breaker is when to stop calling.
	Breaker *breaker.Policy
	// Retry is when to try again. It holds for Do, Run and Go.
	Retry *retry.Policy

	// MaxWait is the longest that a call may stay in the limiter's queue. 0 means as long as its context allows; NoWait
	// means never to queue. A call whose wait would be longer is refused at once. More than 2^61 ns (73 years) is as much as that.
	MaxWait time.Duration
	// MaxQueue is how many callers may queue for one key. Default 1024.
	MaxQueue int
	// Classify says what an error means for the breaker. It is asked about errors of fn while the caller's context lives,
	// except a *Rejection, which is Ignore. Default: every error is a Failure, also one that is not worth a retry: return
	// Ignore for an answer that is the caller's own fault, as a 404 or a 429, so that it does not open the breaker.
	Classify func(error) Outcome

	// MaxKeys is how many keys are known at a time. When there are as many, one that equals a new key is forgotten to make
	// room. If none is found, one is spilled: what it may not gain by being forgotten goes into a sketch of fixed size (2 MB for
	// each limit, 2 MB for the breakers), and the key begins with it should it come back. It never has more tokens than if it
	// had stayed, and its breaker, if it was open, is open until the same instant; failures counted by a closed breaker are lost.
	// Keys that collide in the sketch may have less than is theirs for a while, see docs/gates.md.
	// Keys with callers in the queue or probes out are never spilled; if only such are found, the call is refused with
	// ErrKeyLimit. Default 1,048,576, at most 2,147,483,647.
	MaxKeys int
	// IdleAfter is how long a key goes unused before it is forgotten, if its state equals that of a new key (bucket full, breaker
	// closed and clean). With Mailbox, and with several limits, it is also how long its goroutine stays; the goroutine of any other
	// key, if it has one, ends when the key is clean again, or unused for a quarter of this at most. Default 5 min.
	IdleAfter time.Duration

	// Clock is where time comes from. Default clock.System(), which also works inside a testing/synctest bubble.
	Clock clock.Clock
	// Dispatch is how decisions reach callers. Default Published.
	Dispatch Dispatch
}

// NoWait as Config.MaxWait means that no call ever queues.
const NoWait time.Duration = -1

// Dispatch is how decisions of an actor reach the callers. Both give the same answers.
type Dispatch uint8

const (
	// Published has callers read what the actor has already published, and asks it only when there is something to
	// decide: while the breaker is closed and nobody waits, a token is taken with one compare-and-swap, and a success with no
	// failure counted sends no message; while it is open, a call is refused without one. With several limits (limiter.All)
	// only that last is so, and tokens are always asked for.
	Published Dispatch = iota
	// Mailbox makes every decision and every outcome a message to the key's actor: the plain design, against which the
	// other is tested and measured.
	Mailbox
)

// String is "published" or "mailbox".
func (d Dispatch) String() string {
	switch d {
	case Published:
		return "published"
	case Mailbox:
		return "mailbox"
	default:
		return fmt.Sprintf("Dispatch(%d)", uint8(d))
	}
}

// Outcome is what an error means for the breaker.
type Outcome = breaker.Outcome

// The outcomes. Ignore counts neither way.
const (
	Success = breaker.Success
	Failure = breaker.Failure
	Ignore  = breaker.Ignore
)

// ConfigError names a field that cannot be used, its value and why. Field is the path from Config, such as
// "Limiter.Capacity" or "Limiter[1].RefillRate"; an argument of a method goes by its name.
type ConfigError struct {
	Field  string
	Value  any
	Reason string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("engine: %s = %v: %s", e.Field, e.Value, e.Reason)
}

// clone returns a copy that shares no policy with c.
func (c Config) clone() Config {
	if c.Breaker != nil {
		policy := *c.Breaker
		c.Breaker = &policy
	}
	if c.Retry != nil {
		policy := *c.Retry
		c.Retry = &policy
	}
	return c
}

// compile checks the configuration and returns what the actors' turns and the system of actors need of it.
func (c Config) compile() (*keeper, actors.Config, error) {
	var errs []error
	bad := func(field string, value any, reason string) {
		errs = append(errs, &ConfigError{Field: field, Value: value, Reason: reason})
	}
	k := &keeper{maxQueue: 1024, maxWait: longestWait, hasBreaker: c.Breaker != nil}
	if c.Limiter != nil {
		var err error
		k.limits, err = limiter.Compile(c.Limiter)
		errs = append(errs, lift("Limiter", err)...)
	}
	k.sketch = newSketch(len(k.limits))
	k.newborn = make([]int64, max(1, len(k.limits)))
	k.gated = c.Dispatch == Published && len(k.limits) <= 1
	idle := cmp.Or(c.IdleAfter, 5*time.Minute)
	linger := idle
	k.coarse = int64(idle / 8)
	if k.gated {
		linger = max(1, idle/8) // the actor of a dirty key is there for what may come next; its state stays without it
	}
	rules := breaker.Policy{}
	if c.Breaker != nil {
		rules = *c.Breaker
		errs = append(errs, lift("Breaker", rules.Validate())...)
	}
	k.rules = rules.Rules(k.generation)
	if c.Retry != nil {
		errs = append(errs, lift("Retry", c.Retry.Validate())...)
	}

	switch {
	case c.MaxWait == NoWait:
		k.noWait, k.maxWait = true, 0
	case c.MaxWait < 0:
		bad("MaxWait", c.MaxWait, "must not be negative, other than NoWait")
	case c.MaxWait > 0:
		k.maxWait = min(int64(c.MaxWait), longestWait)
	}
	if c.MaxQueue < 0 {
		bad("MaxQueue", c.MaxQueue, "must not be negative (0 is the default; MaxWait: NoWait means no queue)")
	} else if c.MaxQueue > 0 {
		k.maxQueue = c.MaxQueue
	}
	if c.MaxKeys < 0 || int64(c.MaxKeys) > math.MaxInt32 {
		bad("MaxKeys", c.MaxKeys, "must be 0 (the default) to 2,147,483,647")
	}
	if c.IdleAfter < 0 {
		bad("IdleAfter", c.IdleAfter, "must not be negative (0 is the default)")
	}
	if c.Dispatch > Mailbox {
		bad("Dispatch", c.Dispatch, "must be Published or Mailbox")
	}
	return k, actors.Config{MaxKeys: c.MaxKeys, IdleAfter: c.IdleAfter, Linger: linger, Clock: c.Clock}, errors.Join(errs...)
}

// longestWait, 73 years, bounds every stay in a queue, so that sums of instants and of tokens fit in an int64.
const longestWait = 1 << 61

// lift makes the errors of a stage errors of the engine's configuration.
func lift(stage string, err error) []error {
	if err == nil {
		return nil
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for i, err := range all {
		var c ConfigError
		switch err := err.(type) { //nolint:errorlint // Validate joins them and wraps none
		case *limiter.ConfigError:
			c = ConfigError(*err)
		case *breaker.ConfigError:
			c = ConfigError(*err)
		case *retry.ConfigError:
			c = ConfigError(*err)
		default:
			continue
		}
		switch {
		case c.Field == stage: // the stage itself
		case strings.HasPrefix(c.Field, "["):
			c.Field = stage + c.Field
		default:
			c.Field = stage + "." + c.Field
		}
		all[i] = &c
	}
	return all
}
