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
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// Config is the pipeline of an engine. A nil stage is off. The zero value of any other field is the
// field's default, and a negative value is an error, except NoWait. [New] takes a copy.
type Config struct {
	// Name names the engine in errors and figures. It may be empty, and need not be unique.
	Name string

	// Limiter bounds how many calls of a key may start: a limiter.TokenBucket, a limiter.LeakyBucket,
	// a limiter.FixedWindow, or several limits through limiter.All.
	Limiter limiter.Limiter
	// LimiterFor, if not nil, returns the limit of a key in place of Limiter: nil stands for Limiter, and
	// limiter.Unlimited for no limit. The engine asks when a key becomes known, and after
	// [Engine.Refresh] and [Engine.Reconfigure]. LimiterFor runs on a caller's goroutine, at times twice
	// for one answer, and must not call Reconfigure. A panic is that caller's. With a limit that cannot
	// be used, the call's error is a *ConfigError.
	LimiterFor func(key string) limiter.Limiter
	// Concurrency bounds how many calls of a key may be in flight: a limiter.InFlight. A call takes a place when it is let
	// through, together with its tokens, and gives the place back behind its outcome: each attempt of Do, DoKey, Run and Go
	// for itself, also if its function panics; a [Ticket] with Done or, if it is lost, when it is collected. With PerCall a
	// call keeps its place for all attempts. If no place is free, the call waits for one, behind those that wait already, for
	// as long as MaxWait and its context allow; if it may not wait, or has waited for that long, it is refused with
	// limiter.ErrInFlight. Who waits has taken no token. Allow, Acquire and Charge take no place, and wait for none. A call
	// that is made in the function of a call of the same key takes a place of its own. nil is no bound.
	Concurrency limiter.Concurrency
	// Breaker says when the engine stops calling for a key.
	Breaker *breaker.Policy
	// Retry says when a failed call is tried again. Retry holds for Do, DoKey, Run and Go.
	Retry *retry.Policy

	// PerCall has the engine decide once for each call and not once for each attempt: further attempts take
	// no further tokens, and the breaker hears the outcome of the last attempt. It makes a difference where
	// the engine, or another engine of a [Chain], has a Retry.
	PerCall bool

	// Shadow has the engine decide and count, and refuse and queue nothing. Of a call that it would have
	// refused it takes no token, counts the refusal as Stats.ShadowRefused, and hears no outcome. A call
	// that would have waited goes at once, and takes the tokens that it would have waited for. So a limit
	// can be tried on live traffic before it is put into force by [Engine.Reconfigure].
	Shadow bool

	// Timeout is the longest that a call may take with all its attempts, its stays in queues and its backoffs, on the
	// system's clock. It holds for Do, DoKey, Run and Go, and from Admit until Done. The context of the function,
	// or of the ticket, ends then with ErrTimeout as its cause. A call whose function runs at that moment has
	// failed; for a call that waits the outcome is Ignore. A [Hold] keeps the context, and with it the limit, until
	// Release. Timeout does not hold if the caller's deadline is not later. In a [Chain] the first engine with a
	// Timeout bounds the call, and the first with an AttemptTimeout each attempt. Default 0: no limit.
	Timeout time.Duration
	// AttemptTimeout is the longest that one attempt may take, with its stay in queues, in the same way. Its
	// cause is ErrAttemptTimeout. An attempt that took too long may be tried again.
	AttemptTimeout time.Duration

	// MaxWait is the longest stay of a call in the queue, for tokens and for a place. A call that would have to wait
	// longer for its tokens is refused at once. The default, 0, is no bound but the call's context. NoWait means that
	// no call ever queues. A MaxWait above 2^61 ns (73 years) counts as 2^61 ns.
	MaxWait time.Duration
	// MaxQueue is how many callers may queue for one key; callers that come through narrower keys of a
	// [Chain] are counted for each next narrower key alone. Default 1024. For no queue at all set
	// MaxWait to NoWait.
	MaxQueue int
	// Classify says what an error of fn means for the breaker and for Stats. Default: every error is a
	// Failure.
	// Return Ignore for an answer that is the caller's own fault, such as a 404 or a 429.
	//
	// Classify is asked about errors of fn while the caller's context lives. An error that holds
	// refusals of engines and nothing else is Ignore without Classify. For a *StoppedError, Classify is
	// asked about Last.
	Classify func(error) Outcome

	// Trace, if not nil, is called for each attempt and for each refusal: for spans of a tracer. For changes of
	// the engine's state there is [Engine.Events], for figures [Engine.Stats].
	Trace *Trace
	// Latency has the engine measure how long calls wait and how long their attempts take, see
	// [Engine.Latency]. That costs two further readings of the clock for each attempt.
	Latency bool

	// MaxKeys is how many keys the engine knows at a time. Default 1,048,576, at most 2,147,483,647.
	// At MaxKeys a new key takes the place of a key that equals a new one. If the engine finds no such
	// key, it spills one: the engine writes the key's debt of tokens into a sketch of fixed size, 2 MB
	// for each limit, and an open breaker into a cache of 2 MB, and the key starts with both if it
	// comes back. Keys with callers in the queue, probes out or a forced breaker are never spilled. If
	// every key is such a key, the call is refused with ErrKeyLimit.
	//
	// Under a flood of made-up keys every new key may start with fewer tokens than a new key has:
	// Stats.SketchLoad shows how likely that is. The cache forgets the oldest open breakers when many
	// ten thousands of keys were spilled with one. No key ever meets the open breaker of another.
	// docs/gates.md has the figures.
	MaxKeys int
	// IdleAfter is how long a key goes unused before the engine forgets it, provided that the key's
	// state equals that of a new key: bucket full, breaker closed and clean. Default 5 min.
	IdleAfter time.Duration

	// Clock is the source of time. The default, clock.System(), also works inside a testing/synctest
	// bubble.
	Clock clock.Clock
	// Dispatch is how decisions reach callers. Default Published.
	Dispatch Dispatch
}

// NoWait as Config.MaxWait means that no call ever queues.
const NoWait time.Duration = -1

// Dispatch is how the decisions of a key's actor reach callers. Both values give the same answers.
type Dispatch uint8

const (
	// Published has callers read the actor's published decision, and asks the actor only if there is
	// something to decide. While the breaker is closed and nobody waits, a token is taken with one
	// compare-and-swap, and a success with no failure counted sends no message. While the breaker is
	// open, a call is refused without a message. With several limits (limiter.All), only the refusals
	// of an open breaker need no message.
	Published Dispatch = iota
	// Mailbox makes every decision and every outcome a message to the key's actor: the plain design,
	// against which Published is tested and measured.
	Mailbox
)

// String returns "published" or "mailbox".
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

// Outcome is the meaning of a call's end for the breaker.
type Outcome = breaker.Outcome

// The outcomes. Ignore is neither a success nor a failure.
const (
	Success = breaker.Success
	Failure = breaker.Failure
	Ignore  = breaker.Ignore
)

// ConfigError names a field that cannot be used, the field's value and the reason. Field is the path
// from Config, such as "Limiter.Capacity" or "Limiter[1].RefillRate", or the name of a method's argument.
type ConfigError struct {
	Field  string
	Value  any
	Reason string
}

// Error names the field, the value and the reason.
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

// compile checks the configuration and returns the policy for all keys and the configuration of their
// actors.
func (c Config) compile() (*guard.Policy, actors.Config, error) {
	var errs []error
	bad := func(field string, value any, reason string) {
		errs = append(errs, &ConfigError{Field: field, Value: value, Reason: reason})
	}
	idle := cmp.Or(c.IdleAfter, 5*time.Minute)
	p := &guard.Policy{
		Publish: c.Dispatch == Published, MaxQueue: 1024, MaxWait: guard.LongestWait, Coarse: int64(idle / 8),
		Shadow: c.Shadow, MaxForced: int64(cmp.Or(c.MaxKeys, 1<<20) / 2),
	}
	if c.Limiter != nil {
		var err error
		p.Limits, err = limiter.Compile(c.Limiter)
		errs = append(errs, lift("Limiter", err)...)
	}
	if c.Concurrency != nil {
		var err error
		p.Places, err = limiter.Places(c.Concurrency)
		errs = append(errs, lift("Concurrency", err)...)
	}
	if c.Breaker != nil {
		rules := *c.Breaker
		p.Breaker = &rules
		errs = append(errs, lift("Breaker", rules.Validate())...)
	}
	if c.Retry != nil {
		errs = append(errs, lift("Retry", c.Retry.Validate())...)
	}

	c.compileBounds(p, bad)
	return p, actors.Config{MaxKeys: c.MaxKeys, IdleAfter: c.IdleAfter, Linger: max(1, idle/8), Clock: c.Clock}, errors.Join(errs...)
}

// compileBounds checks the fields that are numbers, and fills in those of p.
func (c *Config) compileBounds(p *guard.Policy, bad func(field string, value any, reason string)) {
	switch {
	case c.MaxWait == NoWait:
		p.NoWait = true
	case c.MaxWait < 0:
		bad("MaxWait", c.MaxWait, "must not be negative, other than NoWait")
	case c.MaxWait > 0:
		p.MaxWait = min(int64(c.MaxWait), guard.LongestWait)
	}
	if c.MaxQueue < 0 {
		bad("MaxQueue", c.MaxQueue, "must not be negative (0 is the default; MaxWait: NoWait means no queue)")
	} else if c.MaxQueue > 0 {
		p.MaxQueue = c.MaxQueue
	}
	if c.Timeout < 0 {
		bad("Timeout", c.Timeout, "must not be negative (0 is no limit)")
	}
	if c.AttemptTimeout < 0 {
		bad("AttemptTimeout", c.AttemptTimeout, "must not be negative (0 is no limit)")
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
}

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
