package engine

import (
	"context"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// acquire takes n tokens of the first key of ch and one of each of the others.
func (ch *chain) acquire(ctx context.Context, n int, stay int64, mode limiter.Mode) error {
	if ch.err != nil {
		return ch.err
	}
	switch {
	case ctx.Err() != nil:
		return ch.links[0].eng.endOf(ctx)
	case stay < guard.NoStay:
		return errStay(stay)
	case n < 1:
		return errTokens(n)
	}
	var got [longestChain]share
	c := call{links: ch.links, got: got[:len(ch.links)]}
	for i := range c.got {
		c.got[i].tokens = ch.links[i].tokens
	}
	c.got[0].tokens = int64(n)
	if err := c.decide(ctx, &guard.Demand{Stay: stay, Mode: mode}); err != nil {
		return told(ctx, err)
	}
	for i := range c.links {
		c.links[i].eng.took(&c.got[i].admission)
	}
	return nil
}

// ticket fills in t with the leave to make one call for the keys of ch.
func (ch *chain) ticket(ctx context.Context, stay int64, t *Ticket) (*Ticket, error) {
	switch {
	case ch.err != nil:
		return nil, ch.err
	case ctx.Err() != nil:
		return nil, ch.links[0].eng.endOf(ctx)
	case stay < guard.NoStay:
		return nil, errStay(stay)
	}
	c := &call{links: ch.links, got: make([]share, len(ch.links)), details: true}
	c.start()
	ctx = c.limits.enter(ctx)
	admitted := false
	defer func() {
		if !admitted {
			c.limits.leave()
		}
	}()
	if _, err := c.begin(ctx, stay, guard.Never); err != nil {
		return nil, told(ctx, err)
	}
	c.timed()
	if ctx.Err() != nil {
		return nil, c.links[0].eng.refused(c.giveUpFor(ctx))
	}
	c.admitted()
	if c.watch.on {
		c.announceTicket(ctx)
	}
	admitted = true
	first := &ch.links[0]
	t.eng, t.ctx, t.place, t.call, t.holds = first.eng, firstAttempt(ctx), first.place, c, keepPlaces(nil, nil, c)
	if t.Probe() {
		t.asProbe()
	}
	return t, nil
}

// announceTicket is announce for a ticket. If it panics, the call has failed.
func (c *call) announceTicket(ctx context.Context) {
	announced := false
	defer func() {
		if !announced {
			defer c.report(true, nil)
			c.fail()
		}
	}()
	c.announce(ctx, nil)
	announced = true
}

// done is the end of a ticket's call.
func (c *call) done(ctx context.Context, err error) {
	defer c.limits.leave()
	defer c.report(true, err)
	c.end(ctx, err)
}
