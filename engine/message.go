package engine

import (
	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// kind is the subject of a message.
type kind uint8

const (
	ask     kind = iota // may req go? It is answered, now or later
	cancel              // the caller of req has left
	report              // the outcome of a call. It is answered if there is a req, when it has been recorded
	inspect             // fill in req.snapshot
	reset               // make the key as new
)

// way is how a caller comes.
type way uint8

const (
	allowing  way = iota // takes a place at once, or goes
	acquiring            // queues for its turn
	calling              // likewise, and asks the breaker too
)

// demand is one request's wishes.
type demand struct {
	n    int64 // tokens
	way  way
	stay int64 // ns; the longest stay in the queue: asLong, or noStay, or above 0
}

// The stays that are no bound in nanoseconds.
const (
	asLong = 0  // as long as Config.MaxWait and the context allow
	noStay = -1 // the request never queues

	badStay = noStay - 1 // plus the value, 0 or below, that Key.Within was given; see errStay
)

// waits reports whether the request may queue.
func (d demand) waits() bool { return d.way != allowing && d.stay >= 0 }

// longest is the longest stay in the queue that d allows, at most most.
func (d demand) longest(most int64) int64 {
	switch {
	case !d.waits():
		return 0
	case d.stay > 0:
		return min(d.stay, most)
	default:
		return most
	}
}

// tighter is stay, which left bounds too.
func tighter(stay, left int64) int64 {
	switch {
	case stay == noStay || left <= 0:
		return noStay
	case stay == asLong:
		return left
	default:
		return min(stay, left)
	}
}

// admission is the leave to make one call, from the decision to the report.
type admission struct {
	cell   *cell          // whose gate or actor decided; nil if there was nothing to ask
	permit breaker.Permit // of the breaker, or that of under
	under  *probe         // the probe in whose function the call passed the breaker; nil otherwise
}

// message is a message to the actor of a key. An ask carries all that a decision takes, so that the actor need not look
// into the request unless its caller may leave or has to queue.
type message struct {
	kind    kind
	outcome breaker.Outcome // report
	reborn  bool            // report: of a call that an earlier cell of the key let through while it was as new
	breaker bool            // ask: whether the breaker is asked too
	wait    bool            // ask: whether to queue
	stays   bool            // ask: whether the caller cannot leave, and need not be claimed
	mode    limiter.Mode    // ask: how to pass a leaky bucket
	permit  breaker.Permit  // report; ask: of the probe under which the call is made
	n       int64           // ask: tokens
	until   int64           // ask: the instant at which a grant is of no use any more
	answers chan<- answer   // ask, report: req.Answers()
	req     *request        // nil for a report that is not to be answered
	line    *line           // ask: set when req has been put into it; owned by the actor
}

// request is the caller's end of an ask.
type request struct {
	actors.Call[answer]
	snapshot *Snapshot // inspect: to be filled in

	// Owned by the actor while the request is in its line.
	n        int64
	since    int64 // when it was put there
	breaker  bool
	stays    bool
	queued   bool
	under    breaker.Permit // of the probe under which the call is made
	position int
}

// claim reports whether there is still a caller to answer.
func (m *message) claim() bool { return m.stays || m.req.Claim() }

// claim likewise, for a request in the line.
func (r *request) claim() bool { return r.stays || r.Claim() }

// answer is a grant, or the reason why not and the instant from which a retry would be admitted.
type answer struct {
	permit breaker.Permit
	under  bool // let through under the probe of message.permit
	err    error
	at     int64
}
