package breaker

import "math"

// Ready returns the first instant at which the circuit lets a call through if nothing is reported:
// now, or before now, if a call may be made now. While as many probes are in flight as may be, or
// as are still needed, Ready returns the end of the first lease, plus the open time that its
// failure would bring if the failure is not tolerated.
func (c *Circuit) Ready(r *Rules, now int64) int64 {
	c.Advance(r, now)
	switch c.state {
	case Closed:
		return now
	case Open:
		return c.until
	default:
		return c.Passes(r, now)
	}
}

// Passes returns the first instant from at on, which is not before now, at which the circuit would
// let a call through if nothing else happened until then. Passes changes nothing. A circuit that
// lets a call through now may be open later, when the lease of a probe has ended.
func (c *Circuit) Passes(r *Rules, at int64) int64 {
	switch {
	case c.state == Closed || at >= c.CleanAt(r):
		return at
	case c.state == Open:
		return max(at, c.until)
	}
	if opensAt := c.opensAt(r); opensAt <= at {
		return max(at, after(opensAt, r.openTime(c.growth, opensAt)))
	}
	ended, ends := 0, c.leases()
	for ended < len(ends) && ends[ended] <= at {
		ended++
	}
	if len(ends)-ended < r.places(c.count) {
		return at
	}
	return c.Passes(r, ends[ended]) // other rules may have let more probes through than r
}

// opensAt returns the instant at which a half-open circuit opens because of leases that end, or
// math.MaxInt64 if there are too few of them.
func (c *Circuit) opensAt(r *Rules) int64 {
	tolerated := int64(r.tolerated) - int64(min(r.tolerated, c.failed))
	if ends := c.leases(); tolerated < int64(len(ends)) {
		return ends[tolerated]
	}
	return math.MaxInt64
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
