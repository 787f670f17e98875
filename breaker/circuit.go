package breaker

import (
	"fmt"
	"math"
	"slices"
)

// State is the state of a breaker. The state decides about a call.
type State uint8

// The three states. The zero State is Closed.
const (
	Closed   State = iota // calls pass
	Open                  // calls are refused
	HalfOpen              // probes pass
)

// String returns "closed", "open" or "half-open".
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

// Outcome says how a call ended, as far as the health of the called upstream is concerned.
type Outcome uint8

// The outcomes. The zero Outcome is Success.
const (
	Success Outcome = iota // the upstream did its work
	Failure                // the upstream failed
	Ignore                 // neither: a probe's place is free again, and nothing is counted
)

// String returns "success", "failure" or "ignore".
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

// Permit is the leave to make one call, returned by [Circuit.Admit]. The caller hands the Permit
// back to [Circuit.Report] with the outcome of the call.
type Permit struct {
	Generation uint64 // of the circuit when the call was let through
	Lease      int64  // of a probe: the instant at which its place is taken back; 0 for other calls
}

// Circuit is the breaker of one key, as a state machine. The zero Circuit is closed, has counted no
// failure and is of generation 0; [Circuit.Renew] gives the first generation.
//
// Only one goroutine may use a Circuit at a time. A copy is a circuit of its own. Every instant is
// an int64 of nanoseconds, not negative, and never before the instant of an earlier call. A sum of
// an instant and a duration that an int64 cannot hold is 2^63 - 2, the last instant.
//
// The answers depend on the reported outcomes and the instants of the questions alone. A lease
// ends, a recovery begins and failures are forgotten at their instant, however much later a method
// is called.
type Circuit struct {
	generation uint64
	state      State
	count      int     // closed: failures in a row; half-open: successes of probes
	openUntil  int64   // open: the instant at which a probe is admitted
	last       int64   // the instant of the last success or failure that was counted
	leases     []int64 // half-open: the ends of the leases, in order; replaced, never modified
}

// Renew makes the circuit closed and clean and begins a new generation: outcomes of calls that were
// let through before Renew are not counted.
func (c *Circuit) Renew(r *Rules) { *c = Circuit{generation: r.generation()} }

// Resume makes the circuit closed and clean and continues generation: outcomes of calls that were
// let through in that generation are counted.
func (c *Circuit) Resume(generation uint64) { *c = Circuit{generation: generation} }

// Reopen makes the circuit open until probeAt, an answer of [Circuit.ProbeAt], and continues
// generation.
func (c *Circuit) Reopen(r *Rules, generation uint64, probeAt int64) {
	*c = Circuit{generation: generation, state: Open, openUntil: probeAt, last: probeAt - r.recovery}
}

// ProbeAt returns the instant to [Circuit.Reopen] a circuit with after the circuit was dropped, or
// 0 if the circuit is closed. No probe may be in flight.
//
// An open circuit that is reopened answers as before, whatever rules opened it. A half-open circuit is reopened as if the
// last counted success had opened the circuit, and so admits no call that the dropped circuit would
// have refused.
func (c *Circuit) ProbeAt(r *Rules) int64 {
	switch c.state {
	case Closed:
		return 0
	case Open:
		return c.openUntil
	default:
		return after(c.last, r.recovery)
	}
}

// Generation returns the number of the circuit's present period. Every change of state begins a new
// period, and so does [Circuit.Renew].
func (c *Circuit) Generation() uint64 { return c.generation }

// Clean reports whether the circuit is closed with no failure counted, as after [Circuit.Renew].
func (c *Circuit) Clean() bool { return c.state == Closed && c.count == 0 }

// OpenUntil returns the instant at which an open circuit admits a probe, or 0 if the circuit is not
// open.
func (c *Circuit) OpenUntil() int64 {
	if c.state != Open {
		return 0
	}
	return c.openUntil
}

// Admits reports whether the circuit is closed, with or without failures counted: every call
// passes.
func (c *Circuit) Admits() bool { return c.state == Closed }

// Advance brings the circuit to now. The first lease that has ended is a failure at its end, and a
// circuit whose [Circuit.CleanAt] has come is clean. Every other method with an argument now calls
// Advance.
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

// CleanAt returns the instant from which the circuit is clean if nothing is reported: ForgetAfter
// after the last failure while closed, and else ForgetAfter or 11 times RecoveryTimeout after the
// last counted outcome, the longer of both. CleanAt returns math.MinInt64 if the circuit is clean,
// and math.MaxInt64 while a probe is in flight.
func (c *Circuit) CleanAt(r *Rules) int64 {
	switch {
	case c.Clean():
		return math.MinInt64
	case len(c.leases) > 0:
		return math.MaxInt64
	case c.state == Closed:
		return after(c.last, r.forget)
	case planted("an open breaker that closes without a probe"):
		return after(c.last, r.forget)
	default:
		return after(c.last, r.abandon)
	}
}

// LeaseEnds returns the instant at which the first lease of the probes in flight ends, or
// math.MaxInt64 if no probe is in flight.
func (c *Circuit) LeaseEnds() int64 {
	if len(c.leases) == 0 {
		return math.MaxInt64
	}
	return c.leases[0]
}

// Ready returns the first instant at which the circuit lets a call through if nothing is reported:
// now, or before now, if a call may be made now. While as many probes are in flight as may be, or
// as are still needed, Ready returns the end of the first lease plus the recovery that its failure
// would bring.
func (c *Circuit) Ready(r *Rules, now int64) int64 {
	c.Advance(r, now)
	switch {
	case c.state == Open:
		return c.openUntil
	case c.state == HalfOpen && len(c.leases) >= r.places(c.count):
		return after(c.leases[0], r.recovery)
	default:
		return now
	}
}

// Passes returns the first instant from at on, which is not before now, at which the circuit would let a
// call through if nothing else happened until then. Passes changes nothing. A circuit that lets a call
// through now may be open later, when the lease of a probe has ended.
func (c *Circuit) Passes(r *Rules, at int64) int64 {
	switch {
	case at >= c.CleanAt(r):
		return at
	case len(c.leases) > 0 && c.leases[0] <= at:
		return max(at, after(c.leases[0], r.recovery))
	case c.state == Open:
		return max(at, c.openUntil)
	case c.state == HalfOpen && len(c.leases) >= r.places(c.count):
		return after(c.leases[0], r.recovery)
	default:
		return at
	}
}

// Admit lets a call through at now and returns the permit. A probe takes a place until the permit
// is reported or its lease ends. The caller must have asked [Circuit.Ready], whose answer must not
// be after now.
func (c *Circuit) Admit(r *Rules, now int64) Permit {
	c.Advance(r, now)
	if c.state == Closed {
		return Permit{Generation: c.generation}
	}
	if c.state == Open {
		c.state, c.generation, c.count = HalfOpen, r.generation(), 0
	}
	p := Permit{Generation: c.generation, Lease: after(now, r.lease)}
	c.leases = append(slices.Clip(c.leases), p.Lease)
	return p
}

// Report counts the outcome of the call that p let through. A permit must be reported once at most.
// The outcome is not counted if p is of another generation, or if the lease of p has ended.
func (c *Circuit) Report(r *Rules, now int64, p Permit, o Outcome) {
	c.Advance(r, now)
	if p.Generation != c.generation || c.state == Open { // an open circuit let no call through
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
	*c = Circuit{generation: r.generation(), state: Open, openUntil: after(at, r.recovery), last: at}
}

// Leased reports whether p is the permit of a probe of this circuit whose lease has not ended at
// now and whose outcome has not been reported.
func (c *Circuit) Leased(r *Rules, now int64, p Permit) bool {
	c.Advance(r, now)
	return p.Generation == c.generation && slices.Contains(c.leases, p.Lease)
}

// Look describes the circuit at now: the state, the failures counted in a row while closed, and the
// nanoseconds until a call is let through, 0 if a call may be made now. An open circuit whose
// recovery has come is shown as half-open.
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

// latest is the last instant. The int64 above is for answers that are no instant.
const latest = math.MaxInt64 - 1

// after returns the instant d behind at, or latest if an int64 cannot hold the sum. d must not be
// negative.
func after(at, d int64) int64 { return min(at, latest-d) + d }
