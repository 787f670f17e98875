package linear_test

import (
	"fmt"
	"math"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// kind is what an operation does.
//
// A call that may wait is two operations, which the model sees as two steps: it enters, and it
// leaves, with what it came to. Both may take effect at any time of the call, the first before the
// second. So the model has the queue that callers stand in.
//
// The end of an admitted call is two operations too: it is reported, and it is counted. What the
// engine sends to a key's actor one way is counted when its turn comes; that may be after the
// report has returned and at a later time, but not after anything that came after it. The same goes
// for the place of a caller who has left the queue. Such a second step has no end, and the model
// sees to it that nothing that begins after the first has returned comes before it.
//
// A call that is admitted and not made, because its context ends or another key of its chain
// refuses, holds the tokens from enter or leave to release. model_hold_test.go has the rules. A
// call for a chain takes its tokens first, and the permit of the breaker in a step of its own. A
// Run through a chain has tried the gates before that, and may have held tokens then.
type kind uint8

const (
	allow   kind = iota // Allow
	pass                // Acquire or Admit without a queue; or, with one, refused at once
	enter               // a call begins that may queue, or that may hold tokens and is not made
	try                 // a Run through a chain tries the gates, and does not pass there
	permit              // a call for a chain has its tokens, and asks the breaker
	release             // a call that is not made gives back what it holds
	leave               // what has entered ends
	report              // Ticket.Done, or the end of a Run
	count               // takes effect
	vacate              // a call that has ended gives its place back
	gauge               // Inspect, of the places that are taken: at a time of its own
	look                // the turn of an Inspect begins, before it looks at the window
	inspect             // Inspect
	reset               // Reset, ResetAll
	force               // Force
	step                // a step of the clock
	change              // Reconfigure, with other limits or with the same
	total               // Stats, at the end
)

// follows reports whether k is a further step of a call.
func (k kind) follows() bool { return k >= try && k <= leave || k >= count && k <= look }

// result is what a call came to.
type result uint8

const (
	refused   result = iota // by the limiter; Allow: false
	granted                 //
	open                    // refused by the breaker
	full                    // the queue is full
	occupied                // no place is free
	crowded                 // no room for the key
	canceled                // the caller left
	elsewhere               // another key of the chain refused or, after Allow, perhaps this one
	wrong                   // something that it must not come to
)

func (r result) String() string {
	return [...]string{"refused", "granted", "breaker open", "queue full", "no place", "too many keys", "left", "refused elsewhere", "an error that must not be"}[r]
}

// forever is the return of an operation that may take effect at any time after its call.
const forever = math.MaxInt64

// operation is one operation on one key, as it was seen.
type operation struct {
	kind      kind
	result    result
	client    int8
	tokens    int8 // asked for
	asks      bool // the breaker is asked too
	chained   bool // the call is for a chain
	nowait    bool // the call does not queue
	place     bool // the call takes a free place of a leaky bucket, as Allow does
	runs      bool // the call is a Run
	steps     uint // of the call, a bit for each kind
	serial    int8 // of the call, and of the ticket that it gets or gives back
	patience  int8 // whole ticks until the deadline of the context; 0: none
	floor     int  // the time before the call, in ticks
	ceil      int  // the time when it had returned
	outcome   engine.Outcome
	d         int           // step: by how many ticks; total: tokens that stayed spent; gauge: calls in flight; change: 1 for rules.others, 0 for rules.limits; force: for how many ticks
	to        breaker.State // force
	shown     shown
	also      also
	call, ret int64 // on the counter of the history
	until     int64 // ret, or forever

	// Known beforehand, to the model.
	index   int  // in the history, by calls
	clean   bool // report, count: no failure is reported at the same time
	doubts  []doubt
	lasted  int   // force: the ticks of all steps forward at the same time
	twofold bool  // report, inspect: the turn has a step of its own
	quiet   bool  // report: nothing else that asks the actor comes at the same time
	supply  int32 // enter: the ticks of all steps forward that may come before it returns
}

// shown is what Inspect answered, durations in ticks.
type shown struct {
	known     bool
	state     breaker.State
	failures  int
	openFor   int
	waiting   int
	available [2]float64
}

// also is what Inspect answered about states by hand and windows.
type also struct {
	forced  bool
	counted counted
}

// String is one line for whoever reads a history.
func (o *operation) String() string {
	what := ""
	switch o.kind {
	case allow:
		what = fmt.Sprintf("AllowN(%d): %v", o.tokens, o.result)
	case pass, enter, try, permit, release, leave:
		name := fmt.Sprintf("AcquireN(%d)", o.tokens)
		switch {
		case o.place:
			name = fmt.Sprintf("AllowN(%d)", o.tokens)
		case o.asks:
			name = "Admit"
		}
		if o.chained {
			name += " through the chain"
		}
		if o.nowait {
			name += " at once"
		}
		if o.patience > 0 {
			name += fmt.Sprintf(" for less than %d ticks", o.patience+1)
		}
		what = fmt.Sprintf("%s: %v", name, o.result)
	case report, count, vacate:
		what = fmt.Sprintf("ticket is done: %v", o.outcome)
	case gauge:
		what = fmt.Sprintf("Inspect: %d in flight", o.d)
	case inspect, look:
		what = fmt.Sprintf("Inspect: %+v", o.shown)
		if o.also != (also{}) {
			what += fmt.Sprintf(" %+v", o.also)
		}
	case force:
		what = fmt.Sprintf("Force(%v) for %d ticks: %v", o.to, o.d, o.result)
	case reset:
		what = "Reset"
	case total:
		what = fmt.Sprintf("%d tokens stayed spent", o.d)
	case step:
		what = fmt.Sprintf("the clock steps by %d", o.d)
	case change:
		what = fmt.Sprintf("Reconfigure: limits %d", o.d)
	}
	return fmt.Sprintf("%5d to %5d  client %d  %s", o.call, o.ret, o.client, what)
}

// part says which of the steps of a call an operation is, if it is one of several.
func (o *operation) part() string {
	return map[kind]string{
		enter: "(enters)", try: "(tries)", permit: "(asks the breaker)", release: "(gives back)", leave: "(leaves)", report: "(reported)",
		count: "(counted)", vacate: "(gives its place back)", gauge: "(in flight)", look: "(begins)",
	}[o.kind]
}

// has reports whether the call of o has a step of kind k.
func (o *operation) has(k kind) bool { return o.steps>>k&1 > 0 }
