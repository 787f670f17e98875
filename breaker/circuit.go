package breaker

import (
	"math"
	"slices"
)

// Permit is the leave to make one call, returned by [Circuit.Admit]. The caller hands the Permit
// back to [Circuit.Report] with the outcome of the call.
type Permit struct {
	Generation uint64 // of the circuit when the call was let through
	Lease      int64  // of a probe: the instant at which its place is taken back; 0 for other calls
}

// Circuit is the breaker of one key, as a state machine. The zero Circuit is closed, has counted no
// failure and is of generation 0; [Circuit.Renew] gives the first generation.
//
// Only one goroutine may use a Circuit at a time. A copy is a circuit of its own, but for the [Tally],
// which both share. Every instant is
// an int64 of nanoseconds, not negative, and never before the instant of an earlier call. A sum of
// an instant and a duration that an int64 cannot hold is 2^63 - 2, the last instant.
//
// The answers depend on the reported outcomes and the instants of the questions alone. A lease
// ends, a recovery begins and failures are forgotten at their instant, however much later a method
// is called.
type Circuit struct {
	generation uint64
	state      State
	growth     uint8   // how many times the next open time doubles
	failed     uint32  // half-open: failures of probes
	count      int     // closed: failures in a row; half-open: successes of probes
	until      int64   // see below
	last       int64   // closed: the instant of the last failure or slow call
	detail     *detail // nil if there is nothing in it

	// until is an instant: of an open circuit that at which a probe is admitted. A half-open
	// circuit keeps it until an outcome of a probe is counted; until is then RecoveryTimeout after
	// that. Of a closed circuit with growth left it is the instant at which the growth steps back.
}

// Renew makes the circuit closed and clean and begins a new generation: outcomes of calls that were
// let through before Renew are not counted.
func (c *Circuit) Renew(r *Rules) { *c = Circuit{generation: r.generation()} }

// Resume makes the circuit closed and clean and continues generation: outcomes of calls that were
// let through in that generation are counted.
func (c *Circuit) Resume(generation uint64) { *c = Circuit{generation: generation} }

// Reopen makes the circuit open until probeAt, an answer of [Circuit.ProbeAt], and continues
// generation. The open time has grown by one trip; see [Circuit.Grow].
func (c *Circuit) Reopen(r *Rules, generation uint64, probeAt int64) {
	*c = Circuit{generation: generation, state: Open, until: probeAt, growth: min(1, r.doublings)}
}

// ProbeAt returns the instant to [Circuit.Reopen] a circuit with after the circuit was dropped, or
// 0 if the circuit is closed. No probe may be in flight.
//
// An open circuit that is reopened, and given its [Circuit.Growth], answers as before, whatever
// rules opened it. A half-open circuit is reopened as if the last counted outcome of a probe had
// opened the circuit, for RecoveryTimeout, and so admits no call that the dropped circuit would
// have refused.
func (c *Circuit) ProbeAt() int64 {
	if c.state == Closed {
		return 0
	}
	return c.until
}

// Generation returns the number of the circuit's present period. Every change of state begins a new
// period, and so does [Circuit.Renew].
func (c *Circuit) Generation() uint64 { return c.generation }

// Clean reports whether the circuit is as after [Circuit.Renew]: closed with no failure and no slow call
// counted, and with no growth of the open time left. Successes in the window do not matter: to forget
// them may open the breaker sooner or, below MinCalls, later.
func (c *Circuit) Clean() bool {
	return c.state == Closed && c.count == 0 && c.growth == 0 && len(c.recent().marks) == 0
}

// Counts reports whether a success may change the circuit, apart from its [Tally]: a failure in a row is
// counted, or the circuit is not closed.
func (c *Circuit) Counts() bool { return c.state != Closed || c.count > 0 }

// OpenUntil returns the instant at which an open circuit admits a probe, or 0 if the circuit is not
// open.
func (c *Circuit) OpenUntil() int64 {
	if c.state != Open {
		return 0
	}
	return c.until
}

// Admits reports whether the circuit is closed, with or without failures counted: every call
// passes.
func (c *Circuit) Admits() bool { return c.state == Closed }

// Advance brings the circuit to now. A lease that has ended is a failure at its end, and a circuit
// whose [Circuit.CleanAt] has come is clean. Every other method with an argument now calls Advance.
func (c *Circuit) Advance(r *Rules, now int64) {
	if c.Clean() {
		return
	}
	for ends := c.leases(); len(ends) > 0 && ends[0] <= now; ends = c.leases() {
		c.lease(slices.Clone(ends[1:]))
		c.fail(r, ends[0], 0, false)
	}
	if c.state != Closed {
		if now >= c.CleanAt(r) {
			c.Renew(r)
		}
		return
	}
	if c.count > 0 && now >= after(c.last, r.forget) {
		c.count = 0
	}
	c.slide(r, now)
	c.recede(r, now)
}

// CleanAt returns the instant from which the circuit is clean if nothing is reported. While closed
// that is ForgetAfter after the last failure or slow call or, if no failure in a row is counted, the
// instant at which the last of them leaves the window, if that is earlier. If the open time is back at
// RecoveryTimeout later than that, it is that instant. While open or half-open it is ForgetAfter, less RecoveryTimeout,
// or ten times RecoveryTimeout, the longer of both, after the instant that [Circuit.ProbeAt]
// returns. CleanAt returns math.MinInt64 if the circuit is clean, and math.MaxInt64 while a probe
// is in flight.
func (c *Circuit) CleanAt(r *Rules) int64 {
	switch {
	case len(c.leases()) > 0:
		return math.MaxInt64
	case c.state == Closed:
		return c.cleanAt(r)
	case planted("an open breaker that closes without a probe"):
		return after(c.until-r.recovery, r.forget)
	default:
		return after(c.until, r.abandon)
	}
}

// cleanAt is CleanAt of a closed circuit.
func (c *Circuit) cleanAt(r *Rules) int64 {
	at := int64(math.MinInt64)
	if c.count > 0 {
		at = after(c.last, r.forget)
	}
	if len(c.recent().marks) > 0 && !planted("slow calls forgotten with their key") {
		at = max(at, c.recentUntil(r))
	}
	if c.growth > 0 {
		at = max(at, after(c.until, int64(c.growth-1)*r.recovery))
	}
	return at
}

// LeaseEnds returns the instant at which the first lease of the probes in flight ends, or
// math.MaxInt64 if no probe is in flight.
func (c *Circuit) LeaseEnds() int64 {
	if ends := c.leases(); len(ends) > 0 {
		return ends[0]
	}
	return math.MaxInt64
}

// Admit lets a call through at now and returns the permit. A probe takes a place until the permit
// is reported or its lease ends. The caller must have asked [Circuit.Ready], whose answer must not
// be after now.
func (c *Circuit) Admit(r *Rules, now int64) Permit {
	c.Advance(r, now)
	if c.state == Closed {
		if t := c.Tally(); t != nil {
			t.Open(r, now)
		}
		return Permit{Generation: c.generation}
	}
	if c.state == Open {
		c.state, c.generation = HalfOpen, r.generation()
	}
	p := Permit{Generation: c.generation, Lease: after(now, r.lease)}
	ends := c.leases()
	at, _ := slices.BinarySearch(ends, p.Lease) // by other rules leases may have been longer
	if planted("a lease that ends with a longer one") {
		at = len(ends)
	}
	c.lease(slices.Insert(slices.Clip(ends), at, p.Lease))
	return p
}

// Ending is how a call ended.
type Ending struct {
	Outcome Outcome
	Slow    bool // whether the call took SlowAfter or longer; of no effect without SlowRate
	// OpenFor is for how many nanoseconds from now on the upstream asked to be left alone, with a Failure.
	// Then the failure opens the circuit, however few came before, for OpenFor or, if that is longer, for
	// the open time that was due anyway. OpenFor counts as MaxRecovery at most. Without MaxRecovery, or if
	// OpenFor is not above 0, the failure is one like any other.
	OpenFor int64
}

// Report is [Circuit.End] for a call that was not slow and asked for nothing.
func (c *Circuit) Report(r *Rules, now int64, p Permit, o Outcome) {
	c.End(r, now, p, Ending{Outcome: o})
}

// End counts the end of the call that p let through. A permit must be reported once at most. The end is not
// counted if p is of another generation, or if the lease of p has ended. The result is what a closed circuit
// has counted with this call, before the call opens the circuit: failures in a row and, after a failure or a
// slow call, the calls in the window.
func (c *Circuit) End(r *Rules, now int64, p Permit, e Ending) (inARow int, in Counts) {
	if !c.takes(r, now, p) {
		return 0, Counts{}
	}
	slow := e.Slow && r.slowRate > 0
	switch {
	case e.Outcome == Failure:
		return c.fail(r, now, min(e.OpenFor, r.mayAsk), slow)
	case e.Outcome == Success && slow && c.state == HalfOpen && !planted("a slow probe that counts as well"):
		return c.fail(r, now, 0, slow)
	case e.Outcome == Success && slow && c.state == Closed:
		c.count = 0
		in = c.mark(r, now, false, true)
		if r.tooMany(in, false, true) {
			c.open(r, now, r.openTime(c.growth, now))
		}
	case e.Outcome == Success:
		c.succeed(r, now)
	}
	return 0, in
}

// takes reports whether the outcome of the call that p let through counts, and ends the lease of a
// probe.
func (c *Circuit) takes(r *Rules, now int64, p Permit) bool {
	c.Advance(r, now)
	if p.Generation != c.generation || c.state == Open { // an open circuit let no call through
		return false
	}
	if c.state == HalfOpen || p.Lease != 0 {
		ends := c.leases()
		i := slices.Index(ends, p.Lease)
		if i < 0 {
			return false // reported already, or too late: then the circuit may have been forgotten since
		}
		c.lease(slices.Concat(ends[:i], ends[i+1:]))
	}
	return true
}

// fail counts a failure. If the upstream asked to be left alone, asked is for how long, in ns, and
// else not above 0.
func (c *Circuit) fail(r *Rules, now, asked int64, slow bool) (inARow int, in Counts) {
	var trips bool
	if c.state == HalfOpen {
		c.failed++
		c.until = after(now, r.recovery)
		trips = c.failed > r.tolerated || planted("a tolerated failure that opens the breaker")
	} else {
		if r.threshold > 0 {
			c.count++
			trips = c.count >= r.threshold
		}
		inARow, in = c.count, c.mark(r, now, true, slow)
		trips = trips || r.tooMany(in, true, slow)
	}
	switch {
	case trips:
		c.open(r, now, max(asked, r.openTime(c.growth, now)))
	case asked > 0:
		c.open(r, now, asked)
	}
	return inARow, in
}

func (c *Circuit) succeed(r *Rules, now int64) {
	if c.state == Closed {
		c.count = 0
		if r.rated {
			c.counting(r, now).Succeed(r, c.generation, 0)
		}
		return
	}
	c.count++
	c.until = after(now, r.recovery)
	if c.count >= r.successes {
		c.heal(r)
	}
}

// open opens the circuit at the instant at for the next d nanoseconds. Each trip makes the next
// open time grow.
func (c *Circuit) open(r *Rules, at, d int64) {
	*c = Circuit{generation: r.generation(), state: Open, until: after(at, d), growth: min(c.growth+1, r.doublings)}
}

// Leased reports whether p is the permit of a probe of this circuit whose lease has not ended at
// now and whose outcome has not been reported.
func (c *Circuit) Leased(r *Rules, now int64, p Permit) bool {
	c.Advance(r, now)
	return p.Generation == c.generation && slices.Contains(c.leases(), p.Lease)
}

// latest is the last instant. The int64 above is for answers that are no instant.
const latest = math.MaxInt64 - 1

// after returns the instant d behind at, or latest if an int64 cannot hold the sum. d must not be
// negative.
func after(at, d int64) int64 { return min(at, latest-d) + d }
