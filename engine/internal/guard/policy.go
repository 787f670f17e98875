package guard

import (
	"errors"
	"sync"
	"sync/atomic"

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

// Policy is the rules by which keys of an engine are decided: all keys of a [Version], or those with the
// same limits of their own. A Policy does not change once [New] or [Behavior.Prepare] has been given it.
type Policy struct {
	Limits    limiter.Limits
	Breaker   *breaker.Policy // nil: no breaker
	Publish   bool            // whether callers may decide by gates and notices; else each decision is a message
	NoWait    bool            // whether no caller queues
	MaxWait   int64           // ns; the longest stay in a queue, at most LongestWait
	MaxQueue  int             // callers in one row of a queue
	MaxForced int64           // keys whose breaker may be forced
	Shadow    bool            // whether no caller queues: tokens are taken as of when they are there
	Places    int64           // calls that may be in flight; 0: any number
	Coarse    int64           // ns; without a limit, full-at tells the last use of a key to within Coarse
	// Refuse makes the error of a refusal; at is the instant from which a retry would be admitted,
	// or 0.
	Refuse func(key string, reason error, at int64) error

	version *Version
	rules   *breaker.Rules
	limit   limiter.Limit // the only one
	limited bool          // whether there is one
	windows bool          // whether one of the limits is a limiter.FixedWindow
	rated   bool          // whether a breaker may open because of a share of its calls
	inARow  bool          // whether failures in a row open a breaker
	shares  bool          // whether a gate may be shared: full-at says all there is to know about the limits
	taken   Taking        // the answer of TakeOne if it takes a token
	slow    int64         // ns; how long a call takes at least that is slow, or 0
	clean   Notice        // of every key whose breaker is closed and has nothing counted
	counted Notice        // of every key whose breaker is closed and has a failure counted, without a tally
	probing Notice        // of every key whose breaker is half-open
	queues  *sync.Pool    // of *queue that are empty
	open    Notice        // of every key whose breaker is open, unless callers decide by notices
	slack   int64         // ns; of the limit for TakeOne, see limiter.Limit.Slack
	token   int64         // ns; by how much a token moves full-at

	barred *atomic.Pointer[Version] // not nil if TakeOne may not take a token: a newer version, not one limit, a window
}

// compile fills in the fields that follow from others, for a policy of v.
func (p *Policy) compile(v *Version, generation func() uint64) {
	rules := breaker.Policy{}
	if p.Breaker != nil {
		rules = *p.Breaker
	}
	p.version, p.rules = v, rules.Rules(generation)
	p.prepare()
}

// with returns p with other limits.
func (p *Policy) with(limits limiter.Limits) *Policy {
	other := &Policy{
		Limits: limits, Breaker: p.Breaker, Publish: p.Publish, NoWait: p.NoWait, MaxWait: p.MaxWait, MaxQueue: p.MaxQueue,
		MaxForced: p.MaxForced, Shadow: p.Shadow, Places: p.Places, Coarse: p.Coarse, Refuse: p.Refuse, version: p.version, rules: p.rules,
	}
	other.prepare()
	return other
}

// prepare fills in the fields that follow from the limits, and makes the notices.
func (p *Policy) prepare() {
	if p.limited = len(p.Limits) > 0; p.limited {
		p.limit = p.Limits[0]
	}
	p.windows = p.Limits.Windowed()
	p.shares = p.Publish && len(p.Limits) <= 1
	p.rated, p.inARow, p.slow = p.Breaks() && p.rules.Rated(), p.rules.InARow(), p.rules.SlowAfter()
	p.taken, p.slack, p.token, p.barred = Taken, p.limit.Slack(limiter.Queued), p.limit.After(0, 0, 1), &p.version.next
	if p.rated {
		p.taken = TakenInWindow
	}
	if !p.limited || !p.shares || p.windows {
		p.barred = &barred
	}
	p.queues = new(sync.Pool)
	p.clean = Notice{policy: p, reports: !p.Publish || p.rated}
	p.counted = Notice{policy: p, reports: true}
	p.probing = Notice{policy: p, reports: true, state: breaker.HalfOpen}
	p.open = Notice{policy: p, reports: true, state: breaker.Open}
}

// HasLimit reports whether there is a limit.
func (p *Policy) HasLimit() bool { return p.limited }

// Windowed reports whether one of the limits is a window.
func (p *Policy) Windowed() bool { return p.windows }

// Breaks reports whether there is a breaker.
func (p *Policy) Breaks() bool { return p.Breaker != nil }

// MayAsk reports whether an upstream may ask to be left alone.
func (p *Policy) MayAsk() bool { return p.Breaker != nil && p.Breaker.MaxRecovery > 0 }

// Bounded reports whether calls take places.
func (p *Policy) Bounded() bool { return p.Places > 0 }

// Shares reports whether a gate may be shared.
func (p *Policy) Shares() bool { return p.shares }

// Rated reports whether a breaker may open because of a share of its calls.
func (p *Policy) Rated() bool { return p.rated }

// SlowAfter returns how many nanoseconds a call takes at least that is slow, or 0 if slow calls are not judged.
func (p *Policy) SlowAfter() int64 { return p.slow }

// Concerns reports whether anything is to be asked for d.
func (p *Policy) Concerns(d *Demand) bool {
	return p.limited || d.Breaker && (p.Breaker != nil || p.Places > 0)
}

// Latest returns the latest full-at with which a gate has n tokens at now, by a policy of one limit at
// most. If n is more than the bucket can ever hold, that is before every full-at.
func (p *Policy) Latest(n int64, mode limiter.Mode, now int64) int64 {
	switch {
	case !p.limited:
		return Never
	case n > 1 && n > int64(p.limit.Capacity()):
		return -1
	default:
		return p.limit.Latest(p.limit.Seen(now), n, mode)
	}
}

// Limited reports whether d takes tokens.
func (p *Policy) Limited(d *Demand) bool { return p.limited && d.Tokens > 0 }
