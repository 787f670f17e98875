package guard

import (
	"math"

	"github.com/limitpal/limitpal-go/limiter"
)

// Demand is one request's wishes.
type Demand struct {
	Tokens  int64
	Stay    int64        // ns; the longest stay in the queue: AsLong, NoStay, or above 0
	Mode    limiter.Mode // how to pass a leaky bucket
	Breaker bool         // whether the breaker is asked too
	Split   bool         // the breaker is asked, and gives no permit: the permit is asked for later, without tokens
	Details bool         // whether the caller wants to know what remains in every bucket
	From    *Origin      // the key through which the call comes to this one; nil if none
}

// The stays that are no bound in nanoseconds.
const (
	AsLong = 0  // as long as Policy.MaxWait and the caller's context allow
	NoStay = -1 // the request never queues
)

// longest returns the longest stay in the queue that d and p allow.
func (d *Demand) longest(p *Policy) int64 {
	switch {
	case d.Stay < 0:
		return 0
	case d.Stay > 0:
		return min(d.Stay, p.MaxWait)
	default:
		return p.MaxWait
	}
}

// Hopeless reports whether d is refused without a wait if its tokens are there from the instant at
// on.
func (d *Demand) Hopeless(p *Policy, now, at int64) bool {
	return p.NoWait || d.Stay < 0 || at-now > d.longest(p)
}

// Tighter returns the stay that stay and left both allow.
func Tighter(stay, left int64) int64 {
	switch {
	case stay == NoStay || left <= 0:
		return NoStay
	case stay == AsLong:
		return left
	default:
		return min(stay, left)
	}
}

// Never is the instant that does not come.
const Never = math.MaxInt64

// Later returns the instant d after now, at most Never; a negative d counts as 0.
func Later(now, d int64) int64 { return now + min(max(0, d), Never-now) }
