package breaker

import (
	"fmt"
	"math"
	"slices"
)

// State is what a breaker does with a call.
type State uint8

// The three states. The zero State is Closed.
const (
	Closed   State = iota // calls pass
	Open                  // calls are refused
	HalfOpen              // probes pass
)

// String is "closed", "open" or "half-open".
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half-open"
	default:
		return fmt.Sprintf("State(%d)", uint8(s))
	}
}

// Outcome is what a call's end says about the health of what was called.
type Outcome uint8

// The outcomes. Ignore says nothing: it gives a probe's place back and counts neither way.
const (
	Success Outcome = iota
	Failure
	Ignore
)

// String is "success", "failure" or "ignore".
func (o Outcome) String() string {
	switch o {
	case Success:
		return "success"
	case Failure:
		return "failure"
	case Ignore:
		return "ignore"
	default:
		return fmt.Sprintf("Outcome(%d)", uint8(o))
	}
}

// Permit is the leave to make one call. It goes back to the circuit with the call's outcome.
type Permit struct {
	Generation uint64 // of the circuit when it let the call through
	Lease      int64  // for a probe, the instant at which its place is taken back; 0 for other calls
}

// Circuit is the breaker of one key. It belongs to one goroutine at a time; instants are int64 nanoseconds that never run
// back. The zero Circuit is closed and of generation 0; see [Circuit.Renew].
//
// What it answers depends on the outcomes reported and the instants of the questions alone: leases that end, a recovery
// that begins and failures that are forgotten take effect at their instant, whenever somebody looks.
type Circuit struct {
	generation uint64
	state      State
	count      int     // closed: failures in a row; half-open: successes of probes
	openUntil  int64   // open: the instant at which a probe is admitted
	last       int64   // the instant of the last outcome that counted
	leases     []int64 // half-open: when the probes in flight end, in order; replaced, never changed in place
}

// Renew makes the circuit closed and clean, with a new generation: nothing that began before counts any more.
func (c *Circuit) Renew(r *Rules) { *c = Circuit{generation: r.generation()} }

// Resume makes the circuit closed and clean, in a period that has begun before: that of generation.
func (c *Circuit) Resume(generation uint64) { *c = Circuit{generation: generation} }

// Reopen makes the circuit open, in the period of generation, as one that lets a probe through at probeAt.
func (c *Circuit) Reopen(r *Rules, generation uint64, probeAt int64) {
	*c = Circuit{generation: generation, state: Open, openUntil: probeAt, last: probeAt - r.recovery}
}

// ProbeAt is what to Reopen a circuit with that has no probe in flight, for one that is open; 0 when it is closed. For a half-open one
// it is as if its last success had opened it, so that what is made of it never admits what it would not have.
func (c *Circuit) ProbeAt(r *Rules) int64 {
	if c.state == Closed {
		return 0
	}
	return c.last + r.recovery
}

// Generation is the number of the circuit's present period. Every transition begins a new one.
func (c *Circuit) Generation() uint64 { return c.generation }

// Clean reports whether the circuit is closed with no failure counted, as a new one is.
func (c *Circuit) Clean() bool { return c.state == Closed && c.count == 0 }

// OpenUntil is the instant until which the circuit, being open, lets no call through; 0 when it is not open.
func (c *Circuit) OpenUntil() int64 {
	if c.state != Open {
		return 0
	}
	return c.openUntil
}

// Admits reports whether the circuit is closed, failures counted or not, so that it lets every call through.
func (c *Circuit) Admits() bool { return c.state == Closed }

// Advance brings the circuit to now: it ends the leases that are over, each a failure, and forgets what is to be
// forgotten. Every other method with an instant does so itself.
func (c *Circuit) Advance(r *Rules, now int64) {
	if c.Clean() {
		return
	}
	if len(c.leases) > 0 && c.leases[0] <= now {
		c.open(r, c.leases[0])
	}
	if now < c.CleanAt(r) {
		return
	}
	if c.state == Closed {
		c.count = 0
		return
	}
	c.Renew(r)
}

// CleanAt is the instant from which the circuit equals a new one if nothing is reported to it; math.MaxInt64 while probes
// are in flight.
func (c *Circuit) CleanAt(r *Rules) int64 {
	switch {
	case c.Clean():
		return math.MinInt64
	case len(c.leases) > 0:
		return math.MaxInt64
	case c.state == Closed:
		return c.last + r.forget
	default:
		return max(c.openUntil, c.last+r.forget)
	}
}

// LeaseEnds is the instant at which the first of the probes in flight must be back; math.MaxInt64 without probes.
func (c *Circuit) LeaseEnds() int64 {
	if len(c.leases) == 0 {
		return math.MaxInt64
	}
	return c.leases[0]
}

// Ready is the instant from which a call may be made if nothing else happens: now or earlier when it may be made now.
// While every probe's place is taken it is the end of the first lease plus the recovery that its failure would bring.
func (c *Circuit) Ready(r *Rules, now int64) int64 {
	c.Advance(r, now)
	switch {
	case c.state == Open:
		return c.openUntil
	case c.state == HalfOpen && len(c.leases) >= r.probes:
		return c.leases[0] + r.recovery
	default:
		return now
	}
}

// Admit lets a call through and returns its permit; a probe's takes a place until it is reported or its lease ends. The
// call must be [Circuit.Ready].
func (c *Circuit) Admit(r *Rules, now int64) Permit {
	c.Advance(r, now)
	if c.state == Closed {
		return Permit{Generation: c.generation}
	}
	if c.state == Open {
		c.state, c.generation, c.count = HalfOpen, r.generation(), 0
	}
	p := Permit{Generation: c.generation, Lease: now + r.lease}
	c.leases = append(slices.Clip(c.leases), p.Lease)
	return p
}

// Report counts the outcome of the call that p let through, once for each permit. A permit of another generation counts
// for nothing, and so does any while the circuit is open: it let no call through.
func (c *Circuit) Report(r *Rules, now int64, p Permit, o Outcome) {
	c.Advance(r, now)
	if p.Generation != c.generation || c.state == Open {
		return
	}
	if c.state == HalfOpen {
		i := slices.Index(c.leases, p.Lease)
		if i < 0 {
			return // reported already
		}
		c.leases = slices.Concat(c.leases[:i], c.leases[i+1:])
	}
	switch o {
	case Failure:
		c.fail(r, now)
	case Success:
		c.succeed(r, now)
	}
}

func (c *Circuit) fail(r *Rules, now int64) {
	if c.state == HalfOpen {
		c.open(r, now)
		return
	}
	c.count++
	c.last = now
	if c.count >= r.threshold {
		c.open(r, now)
	}
}

func (c *Circuit) succeed(r *Rules, now int64) {
	if c.state == Closed {
		c.count = 0
		return
	}
	c.count++
	c.last = now
	if c.count >= r.successes {
		c.Renew(r)
	}
}

func (c *Circuit) open(r *Rules, at int64) {
	*c = Circuit{generation: r.generation(), state: Open, openUntil: at + r.recovery, last: at}
}

// Leased reports whether p is the permit of a probe whose lease is out at now.
func (c *Circuit) Leased(r *Rules, now int64, p Permit) bool {
	c.Advance(r, now)
	return c.state == HalfOpen && p.Generation == c.generation && slices.Contains(c.leases, p.Lease)
}

// Look is what the circuit is at now: its state, the failures counted in a row while closed, and the time in nanoseconds
// until a call is let through (0 if one is now). An open circuit whose recovery has come is half-open.
func (c *Circuit) Look(r *Rules, now int64) (s State, failures int, openFor int64) {
	openFor = max(0, c.Ready(r, now)-now)
	switch {
	case c.state == Closed:
		return Closed, c.count, 0
	case c.state == Open && openFor > 0:
		return Open, 0, openFor
	default:
		return HalfOpen, 0, openFor
	}
}
