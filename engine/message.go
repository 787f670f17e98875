package engine

import (
	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// kind is what a message is about.
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

// message is what is sent to the actor of a key. An ask carries all that a decision takes, so that the actor need not look
// into the request unless its caller may leave or has to queue.
type message struct {
	kind    kind
	outcome breaker.Outcome // report
	reborn  bool            // report: of a call that an earlier cell of the key let through while it was as new
	breaker bool            // ask: whether the breaker is asked too
	wait    bool            // ask: whether to queue
	stays   bool            // ask: whether the caller waits for the answer come what may, and need not be claimed
	mode    limiter.Mode    // ask: how to pass a leaky bucket
	permit  breaker.Permit  // report
	n       int64           // ask: tokens
	until   int64           // ask: the instant at which a grant is of no use any more
	answers chan<- answer   // ask, report: req.Answers()
	req     *request        // nil for a report that is not to be answered
	line    *line           // ask: set when req has been put into it; owned by the actor
}

// request is the caller's end of an ask.
type request struct {
	actors.Call[answer]
	snapshot *Snapshot // inspect: what to fill in

	// Owned by the actor while the request is in its line.
	n        int64
	since    int64 // when it was put there
	breaker  bool
	stays    bool
	queued   bool
	position int
}

// claim reports whether there is still a caller to answer.
func (m *message) claim() bool { return m.stays || m.req.Claim() }

// claim likewise, for a request in the line.
func (r *request) claim() bool { return r.stays || r.Claim() }

// answer is a grant, or the reason why not and the instant from which a retry would be admitted.
type answer struct {
	permit breaker.Permit
	err    error
	at     int64
}
