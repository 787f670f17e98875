package engine

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

var (
	errFn      = errors.New("simulated panic of a function")
	errSilent  = errors.New("false")
	errRefused = &Rejection{Key: "inner", Err: limiter.ErrLimited} // of another engine
)

// tokens is how many tokens a caller asks for.
func (w *world) tokens() int64 {
	n := int64(1)
	if w.oneIn(3) {
		n += int64(w.below(8))
	}
	for i := range w.limits {
		n = min(n, w.limits[i].capacity)
	}
	return n
}

// call makes a call of the kind of p.phase.
func (p *person) call() {
	u := p.u
	if p.hope != nil { // it comes back
		p.renew(math.MaxInt64, u.now+32*u.tick)
		p.phase = p.comesBackAs()
	}
	p.mode = limiter.Mode(p.phase != allowing)
	p.asks = p.phase == calling || p.phase == admitting
	p.attempts, p.began, p.waited = 0, 0, 0
	p.kind = p.phase
	for _, c := range p.links {
		c.once = c.w.cfg.PerCall
	}
	k := p.handle()
	for _, c := range p.links {
		c.account = &c.w.keys[c.key]
		if p.hope != nil {
			c.under = naiveProbe{}
		}
	}
	k = p.bounded(k)
	p.decide()
	var err error
	switch p.kind {
	case allowing:
		err = p.allow(k)
	case acquiring:
		err = k.AcquireN(p.ctx, int(p.links[0].n))
	case admitting:
		err = p.admit(k)
	default:
		err = p.run(k)
	}
	u.settle()
	p.over(err)
	p.release()
}

// looks reports whether the call looks at all keys before it asks: calls through chains and, with PerCall or a
// cost, also some for one key.
func (p *person) looks() bool { return len(p.links) > 1 || p.links[0].once || p.weighs() }

// weighs reports whether the call has a cost at its first key.
func (p *person) weighs() bool { return p.asks && p.links[0].n > 1 }

// decide begins to watch an attempt.
func (p *person) decide() {
	p.deciding, p.decided, p.since = true, 0, p.u.reading()
	if p.looks() {
		p.decided = p.since // at the earliest: turns decide, too
	}
	for _, c := range p.links {
		if c.pending = false; c.hasDecided() {
			continue
		}
		c.inShadow = false
		c.passed, c.answered, c.permitted, c.reason = false, false, false, nil
		c.ready = math.MaxInt64
		c.seen, c.was, c.periodWas = c.account.version, c.account.site, c.account.circuit.period
		c.wasShort, c.wasClosed, c.wasFree, c.wasOpen = false, false, false, 0
		c.wasUnlimited, c.wasAbove, c.wasFull, c.rules = false, false, false, c.w.rules
		c.w.watch(c, p.since)
	}
}

// handle is the Key of a call.
func (p *person) handle() Key {
	k := p.links[0].handle()
	switch len(p.links) {
	case 1:
		return k
	case 2:
		return Chain(k, p.links[1].handle())
	default: // a chain may be a member
		return Chain(Chain(k, p.links[1].handle()), p.links[2].handle())
	}
}

// handle is the Key of a call to one engine.
func (c *caller) handle() Key {
	k := Key{handle: &handle{eng: c.w.eng, place: *c.place()}}
	if c.once {
		k.chain = c.w.eng.chainOf(&k.place)
	}
	if c.asks && c.n > 1 {
		k = k.Cost(int(c.n))
	}
	return k
}

// bounded is the Key of a call: some calls do not wait, and some not for long.
func (p *person) bounded(k Key) Key {
	switch p.u.below(16) {
	case 0:
		k = k.NoWait()
	case 1, 2:
		k = k.Within(time.Duration(p.u.spread(1, 16*p.u.tick)))
	}
	p.stay = k.stay
	return k
}

// allow is a call that never waits. Half of these calls say why they were refused.
func (p *person) allow(k Key) error {
	n := p.links[0].n
	if p.u.oneIn(8) {
		if k.AllowN(int(n)) {
			return nil
		}
		return errSilent
	}
	if k.chain != nil {
		return k.chain.acquire(context.Background(), int(n), guard.NoStay, limiter.Immediate)
	}
	d := guard.Demand{Tokens: n, Stay: guard.NoStay, Mode: limiter.Immediate}
	return k.eng.decide(context.Background(), &k.place, &d, new(admission))
}

// run is a call with a function.
func (p *person) run(k Key) (err error) {
	defer func() {
		if reason := recover(); reason != nil && reason != errFn {
			panic(reason)
		}
	}()
	if p.stay == guard.AsLong && !p.u.handles && len(p.links) == 1 && !p.weighs() {
		return k.eng.Run(p.ctx, k.key, p.fn)
	}
	_, err = DoKey(p.ctx, k, func(ctx context.Context) (struct{}, error) { return struct{}{}, p.fn(ctx) })
	return err
}

// admit is a call with a ticket.
func (p *person) admit(k Key) error {
	t, err := k.Admit(p.ctx)
	if err != nil {
		return err
	}
	if p.hasPlace() && p.u.oneIn(4) {
		p.lose(t)
		return nil
	}
	ended := p.fn(p.ctx)
	p.phase = admitting
	t.Done(ended)
	return nil
}

// fn is the function of a call.
func (p *person) fn(ctx context.Context) error {
	u := p.u
	u.settle()
	p.begun()
	longest := int64(0)
	for _, c := range p.links {
		longest = max(longest, c.w.circuit.lease)
		if probe, ok := ctx.Value(probeOf{c.w.eng}).(*probe); ok && c.lease != 0 && probe.permit.Lease != c.lease {
			u.fail("caller %d runs as the probe %v, and was let through until %d", c.id, probe.permit, c.lease)
		}
	}
	p.phase, p.fnCtx = inFn, ctx
	switch what := u.below(32); {
	case u.draining:
	case what == 0: // it hangs: a probe's lease ends long before
		p.sleep(min(longest, int64(time.Hour)) + u.spread(1, 256*u.tick))
	case what > 7:
		p.sleep(u.spread(1, u.tick))
	}
	p.phase, p.fnCtx = calling, nil
	err := p.ended()
	for _, c := range p.links {
		c.lease = 0
	}
	return err
}

// begun checks that the attempt may begin.
func (p *person) begun() {
	u := p.u
	if !p.deciding {
		u.fail("caller %d begins an attempt that was not decided", p.id)
	}
	for _, c := range p.links {
		if c.inShadow {
			continue
		}
		if !c.hasDecided() {
			c.checkPlaced()
		}
		if !c.hasDecided() && c.w.eng.settings.Load().shared.Concerns(&guard.Demand{Breaker: true}) && (!c.passed || len(p.links) > 1) {
			c.w.checkAdmitted(c)
		}
	}
	p.deciding = false
	p.attempts++
	p.checkAttempts()
	if p.ctx.err != nil {
		u.fail("an attempt begins, and its context has ended")
	}
	for _, c := range p.links {
		c.begun()
	}
}

// checkAttempts checks the number of attempts and their time, by the first policy that there is.
func (p *person) checkAttempts() {
	most, longest := 1, int64(0)
	for _, c := range p.links {
		if c.w.cfg.Retry != nil {
			most, longest = c.w.attempts, c.w.eng.settings.Load().maxElapsed
			break
		}
	}
	switch {
	case p.attempts > 1 && p.attempts > most:
		p.u.fail("attempt %d of %d", p.attempts, most)
	case longest > 0 && p.attempts == 1:
		p.began = p.given
	case longest > 0 && p.given > guard.Later(p.began, longest):
		p.u.fail("an attempt begins at %d, the first did at %d, and MaxElapsed is %d", p.given, p.began, longest)
	}
}

// begun takes note of what one engine has let the attempt through as.
func (c *caller) begun() {
	c.checkCounted()
	if !c.once || c.attempts == 1 {
		c.ranAt.site, c.ranAt.period, c.ranAt.rules = c.was, c.periodWas, c.rules
		c.ranAt.first, c.ranAt.last = c.since, c.given
		c.checkBegun()
	}
	c.lease, c.period, c.debit = 0, 0, debit{}
	if !c.answered && !c.passed {
		c.cell = nil // without a limit, a cell that has just been retired lets calls pass, too
	}
	if c.answered {
		c.lease = c.answer.Permit.Lease
		c.period = c.w.periodOf[c.answer.Permit.Generation]
		if c.answer.Under {
			c.lease, c.period = c.under.lease, c.under.period
		}
	}
}
