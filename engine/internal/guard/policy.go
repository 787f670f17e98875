package guard

import (
	"errors"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// ErrQueueFull says that as many callers wait for the key as Policy.MaxQueue allows.
var ErrQueueFull = errors.New("engine: queue full")

// ErrSpent answers a GiveBack that came too late: others have taken tokens since.
var ErrSpent = errors.New("guard: the tokens stay spent")

// LongestWait is 73 years in nanoseconds. No stay in a queue is longer, so that sums of instants and
// of tokens fit in an int64.
const LongestWait = 1 << 61

// Policy is the rules by which all keys of an engine are decided. A Policy does not change once
// [New] has been given it.
type Policy struct {
	Limits   limiter.Limits
	Breaker  *breaker.Policy // nil: no breaker
	Publish  bool            // whether callers may decide by gates and notices; else each decision is a message
	NoWait   bool            // whether no caller queues
	MaxWait  int64           // ns; the longest stay in a queue, at most LongestWait
	MaxQueue int             // callers in one row of a queue
	Coarse   int64           // ns; without a limit, full-at tells the last use of a key to within Coarse
	// Refuse makes the error of a refusal; at is the instant from which a retry would be admitted,
	// or 0.
	Refuse func(key string, reason error, at int64) error

	rules   *breaker.Rules
	shares  bool    // whether a gate may be shared: full-at says all there is to know about the limits
	clean   *Notice // of every clean key
	counted *Notice // of every key whose breaker is closed and has a failure counted
	probing *Notice // of every key whose breaker is half-open
	open    *Notice // of every key whose breaker is open, unless callers decide by notices
}

// compile fills in the fields that follow from others.
func (p *Policy) compile(generation func() uint64) {
	rules := breaker.Policy{}
	if p.Breaker != nil {
		rules = *p.Breaker
	}
	p.rules = rules.Rules(generation)
	p.shares = p.Publish && len(p.Limits) <= 1
	p.clean = &Notice{policy: p, reports: !p.Publish}
	p.counted = &Notice{policy: p, reports: true}
	p.probing = &Notice{policy: p, reports: true, state: breaker.HalfOpen}
	p.open = &Notice{policy: p, reports: true, state: breaker.Open}
}

// Breaks reports whether there is a breaker.
func (p *Policy) Breaks() bool { return p.Breaker != nil }

// Concerns reports whether anything is to be asked for d.
func (p *Policy) Concerns(d *Demand) bool { return len(p.Limits) > 0 || d.Breaker && p.Breaker != nil }

// Latest returns the latest full-at with which a gate has n tokens at now, by a policy of one limit at
// most.
func (p *Policy) Latest(n int64, mode limiter.Mode, now int64) int64 {
	if len(p.Limits) == 0 {
		return Never
	}
	return p.Limits[0].Latest(now, n, mode)
}

// Limited reports whether d takes tokens.
func (p *Policy) Limited(d *Demand) bool { return len(p.Limits) > 0 && d.Tokens > 0 }
