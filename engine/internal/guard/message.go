package guard

import (
	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
)

// Kind is the subject of a message.
type Kind uint8

// The kinds.
const (
	Ask        Kind = iota // decide on Demand; answered, now or later
	CancelWait             // the caller of Request has left
	Report                 // the outcome of a call; answered, if there is a Request, once recorded
	Inspect                // fill in Request.Snapshot
	Reset                  // make the key as new
	Look                   // what would become of Demand; nothing is taken
	Explain                // as Look, and how many wait
	GiveBack               // undo the debit of Request.Receipt
	Force                  // the state of the breaker that Request.Forcing wishes
	Charge                 // take the tokens of Demand, whether they are there or not
	Vacate                 // a place is free again; not answered
	Refresh                // follow Message.Policy, also in place of another policy of the same version; answered if there is a Request
)

// Message is a message to the actor of a key. An Ask carries all that a decision takes, so that the
// actor need not look into the Request unless the caller may leave or has to queue.
type Message struct {
	Kind            Kind
	Outcome         breaker.Outcome // Report
	Slow            bool            // Report: whether the call was slow
	FromPredecessor bool            // Report: an earlier cell of the key let the call through, in the cell's last period
	Stays           bool            // Ask: whether the caller cannot leave, and need not be claimed
	Demand          Demand          // Ask, Look, Explain, GiveBack, Charge
	Permit          breaker.Permit  // Report; Ask, Look: of the probe in whose function the call is made
	Until           int64           // Ask, Explain: the instant at which a grant is of no use any more
	Policy          *Policy         // of a key with limits of its own, if the sender found that the key follows an old version
	Answers         chan<- Answer   // Ask, Report: those of Request; nil for a Report that is not to be answered
	Request         *Request        // nil for a Report of a success that was not slow, and for a Vacate

	queue *queue // Ask: the queue that Request has been put into; owned by the actor
}

// Request is the caller's end of a message that is answered.
type Request struct {
	actors.Call[Answer]
	Snapshot *Snapshot // Inspect: to be filled in; Explain: Waiting alone
	Receipt  Receipt   // GiveBack
	Cause    error     // Report of a failure: the error of the call, nil after a panic
	OpenFor  int64     // ns; Report of a failure: how long the upstream asks to be left alone; else 0
	Forcing  Forcing   // Force
	After    int64     // ns; Look: how much later than now the call is to pass at the earliest; below 0: as soon as it gets its tokens

	inARow int            // Report: failures in a row, with this one; 0 if the breaker was not closed
	in     breaker.Counts // Report: the calls in the window, with this one

	// Owned by the actor while the request is a waiter.
	demand   Demand
	since    int64 // the instant at which the waiter came
	until    int64 // the instant from which the waiter has waited for longer than it may
	bounded  bool  // by a stay of its own
	row      *row
	stays    bool
	queued   bool
	lined    bool           // in queue.line
	under    breaker.Permit // of the probe in whose function the call is made
	position int            // in row.slots
}

// claim reports whether there is still a caller to answer.
func (m *Message) claim() bool { return m.Stays || m.Request.Claim() }

// claim reports whether the waiter's caller is still there.
func (r *Request) claim() bool { return r.stays || r.Claim() }

// Answer is a grant, or the reason of a refusal and the instant from which a retry would be
// admitted.
type Answer struct {
	Permit  breaker.Permit
	Placed  bool    // the call has a place
	Under   bool    // admitted under the probe of Message.Permit
	Receipt Receipt // of the tokens taken
	Granted int64   // Demand.Details: the instant of the grant
	Left    []int64 // Demand.Details: the full-ats behind the debit, if there are several
	Rough   bool    // Look: the call may have to wait for longer than until At
	Err     error
	At      int64
}
