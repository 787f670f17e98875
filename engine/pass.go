package engine

import "github.com/limitpal/limitpal-go/engine/internal/guard"

// pass is the decision for a call that waits in no queue, if every key can be decided at its gate. If pass
// returns false, the call has nothing.
func (c *call) pass() bool {
	returned := false
	defer func() {
		if !returned { // a clock panicked
			c.giveUp()
		}
	}()
	passed := c.mayPass() && c.takeAll()
	returned = true
	return passed
}

// takeAll takes tokens and permits at the gates, of all keys or of none.
func (c *call) takeAll() bool {
	for i := range c.links {
		e, s := c.links[i].eng, &c.got[i]
		if s.cell == nil || len(e.policy.Limits) == 0 {
			continue
		}
		var ruling guard.Ruling
		if ruling, _, s.receipt = s.cell.Published.Pass(e.system, e.policy, &plainCall, s.now); ruling != guard.Admitted {
			c.giveUp()
			return false
		}
	}
	for i := range c.links {
		e, s := c.links[i].eng, &c.got[i]
		if !e.policy.Breaks() {
			continue
		}
		generation, ok := s.cell.Published.Permit(e.policy, s.now)
		if !ok {
			c.giveUp()
			return false
		}
		s.permit.Generation = generation
	}
	return true
}

// mayPass reports whether every key would let the call pass at its gate, and takes nothing. All engines on
// the system's clock go by one reading.
func (c *call) mayPass() bool {
	now := c.links[0].eng.system.Now()
	for i := range c.links {
		l, s := &c.links[i], &c.got[i]
		e, p := l.eng, l.eng.policy
		if s.tokens = 1; e.ended.Load() {
			return false
		}
		if !p.Concerns(&plainCall) {
			continue
		}
		cell, err := e.find(&l.place)
		if err != nil || p.Breaks() && cell.Published.Posted().Refuses() {
			return false
		}
		switch {
		case i == 0:
			s.now = now
		case l.constant:
			s.now = now + l.offset
		default:
			s.now = e.system.Now()
		}
		if !cell.Published.Ready(p, &plainCall, s.now) {
			return false
		}
		s.cell = cell
	}
	return true
}
