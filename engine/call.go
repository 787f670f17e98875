package engine

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/retry"
)

// call is one call for the keys of a chain or, if the call for a single key is not over after its first
// attempt, for that key.
type call struct {
	links   []link
	got     []share // of each link
	details bool    // whether the caller will ask what remains of the limits
	again   bool    // whether engines with PerCall have decided already
	kept    bool    // whether a Hold has the places of the last attempt, so that none can follow
	tokens  bool    // whether the tokens are waited for before a place is looked at
	asked   bool    // whether an actor has been asked for tokens or for a permit
	watch   watch
	limits  *timeLimits // nil without
	begun   int64       // when the last attempt after the first began, by the clock of the engine that tries again

	openFor time.Duration // how long the upstream asked to be left alone at the end of the last attempt
}

// share is what a call has got of one key.
type share struct {
	admission
	now     int64        // the reading of the engine's clock at the last look
	wait    int64        // ns; from then until the tokens are there
	tokens  int64        // that the call takes
	ruling  guard.Ruling // of the last look
	rough   bool         // whether wait may be longer
	outcome Outcome      // of the last attempt
	once    bool         // Config.PerCall, when the call began
}

// chainOf returns the chain of one key.
func (e *Engine) chainOf(p *place) *chain {
	ch := new(chain)
	ch.links = ch.room[:0]
	ch.link(link{eng: e, place: *p, tokens: 1})
	return ch
}

// runOther is run for a call that the gates of its keys alone cannot decide.
//
//go:noinline
func (ch *chain) runOther(ctx context.Context, stay int64, fn func(context.Context) error) error {
	switch {
	case ch.err != nil:
		return ch.err
	case ctx.Err() != nil:
		return ch.links[0].eng.endOf(ctx)
	case stay < guard.NoStay:
		return errStay(stay)
	case len(ch.links) > len(ch.room):
		c := call{links: ch.links, got: make([]share, len(ch.links))}
		return c.perform(ctx, stay, fn)
	case len(ch.links) <= 2: // less to clear
		var got [2]share
		c := call{links: ch.links, got: got[:len(ch.links)]}
		return c.perform(ctx, stay, fn)
	default:
		var got [len(ch.room)]share
		c := call{links: ch.links, got: got[:len(ch.links)]}
		return c.perform(ctx, stay, fn)
	}
}

// perform makes attempts until one succeeds or none is to follow.
func (c *call) perform(ctx context.Context, stay int64, fn func(context.Context) error) (err error) {
	c.start()
	defer c.limits.leave()
	in := c.limits.enter(ctx)
	if stay, err = c.begin(in, stay, guard.Never); err != nil {
		return told(ctx, err)
	}
	c.timed()
	var began int64
	if e, st := retrierOf(c.links); e != nil && st.maxElapsed > 0 {
		began = c.now(e)
	}
	if in.Err() != nil {
		return c.links[0].eng.refused(c.giveUpFor(in))
	}
	c.admitted()
	defer c.reportLast(&err)
	c.again = true
	if err = c.attempt(in, fn, nil); err == nil {
		return nil
	}
	e, st := retrierOf(c.links)
	if e == nil || c.kept {
		return retry.Strip(err)
	}
	return c.rerun(ctx, e, st, stay, fn, err, began)
}

// start takes note of which engines decide once for the call, and whether any is watched.
func (c *call) start() {
	timed := false
	for i := range c.links {
		st := c.links[i].eng.settings.Load()
		c.got[i].once = st.perCall
		c.watch.on = c.watch.on || st.watched
		timed = timed || st.timeLimited
	}
	if timed {
		c.limits = limitsOf(c.links)
	}
	c.watchFrom(&c.watch.ended)
}

// decides reports whether the next attempt is a decision of link i.
func (c *call) decides(i int) bool { return !c.again || !c.got[i].once }

// begin decides about one attempt of a call that may stay in queues for stay. If the error is nil,
// the attempt is admitted, and ctx may have ended meanwhile. An attempt that could not begin within
// left is refused at once. begin returns the rest of stay for further attempts.
func (c *call) begin(ctx context.Context, stay, left int64) (rest int64, err error) {
	c.watchFrom(&c.watch.asked)
	for i := range c.got {
		if c.decides(i) {
			c.got[i] = share{tokens: c.links[i].tokens, once: c.got[i].once}
			c.got[i].detailed = c.details
		}
	}
	e := c.links[0].eng
	if len(c.links) == 1 {
		if !c.decides(0) {
			return stay, nil
		}
		return e.begin(ctx, &c.links[0].place, c.links[0].tokens, stay, left, &c.got[0].admission)
	}
	w := callFor(stay)
	var since int64
	if stay > 0 || left != guard.Never {
		since = e.system.Now()
		w.Stay = guard.Tighter(stay, left)
	}
	err = c.decide(ctx, &w)
	if stay > 0 {
		stay = guard.Tighter(stay, stay-(c.now(e)-since))
	}
	return stay, err
}

// attempt calls fn and records the outcome with every engine, also if fn panics or ends its goroutine. a is nil for
// the first attempt.
func (c *call) attempt(ctx context.Context, fn func(context.Context) error, a *Attempt) error {
	ctx = a.in(ctx)
	defer a.done()
	for i := range c.got {
		if c.got[i].permit.Lease != 0 {
			return c.attemptAsProbe(ctx, fn, a)
		}
	}
	returned := false // no recover: the panic goes on, and recover does not see Goexit
	defer func() {
		if !returned {
			c.fail()
		}
	}()
	if c.watch.on {
		c.announce(ctx, a.last())
	}
	err := fn(ctx)
	returned = true
	c.end(ctx, err)
	return advised(err)
}

// end judges the end of an attempt, and counts and reports the outcomes.
func (c *call) end(ctx context.Context, err error) {
	for i := range c.got {
		c.got[i].outcome = Failure // in case Classify panics
	}
	defer c.report(false, err)
	if c.watch.on {
		c.conclude()
	}
	c.judge(ctx, err)
	if c.limits != nil {
		c.limits.by.tooLate(ctx, c.got[c.limitedBy()].outcome)
	}
	c.keep(err)
}

// attemptAsProbe is attempt for a call that is a probe of one of its breakers.
func (c *call) attemptAsProbe(ctx context.Context, fn func(context.Context) error, a *Attempt) error {
	inFn := ctx
	var probes [longestChain]*probe
	for i := range c.links {
		l := &c.links[i]
		inFn, probes[i] = l.eng.asProbe(inFn, l.key, c.got[i].permit)
	}
	returned := false
	defer func() {
		if !returned {
			endAll(&probes)
			c.fail()
		}
	}()
	if c.watch.on {
		c.announce(ctx, a.last())
	}
	err := fn(inFn)
	endAll(&probes)
	returned = true
	c.end(ctx, err)
	return advised(err)
}

// admitted counts the admission of an attempt.
func (c *call) admitted() {
	for i := range c.links {
		if c.decides(i) {
			c.links[i].eng.admitted(&c.got[i].admission)
		}
	}
}

// fail is the end of an attempt whose function has not returned.
func (c *call) fail() {
	c.openFor = 0
	for i := range c.got {
		c.got[i].outcome = Failure
	}
	defer c.report(false, nil)
	if c.watch.on {
		c.conclude()
	}
}

// endAll ends the leaves of an attempt's probes.
func endAll(probes *[longestChain]*probe) {
	for _, p := range probes {
		p.end()
	}
}

// judge has each engine judge the end of an attempt.
func (c *call) judge(ctx context.Context, err error) {
	c.openFor = wishIn(err)
	for i := range c.links {
		c.got[i].outcome = c.links[i].eng.judge(ctx, err)
	}
}

// report counts and records the outcomes with the engines that decided about the attempt or, at the end of the call,
// with those that decided once. cause is the error, nil after a panic. All reports are sent before one is awaited.
func (c *call) report(last bool, cause error) {
	defer c.vacate(last) // behind the outcomes, also if a clock panics
	var answered [longestChain]*guard.Request
	for i := range c.links {
		if l, s := &c.links[i], &c.got[i]; s.once == last {
			l.eng.endedAs(&s.admission, s.outcome)
			answered[i] = l.eng.record(&l.place, &s.admission, s.outcome, cause, c.openFor)
		}
	}
	for i := range c.links {
		c.links[i].eng.recorded(answered[i])
	}
}

// reportLast is the last report of engines with PerCall, of a call that ends with *err.
func (c *call) reportLast(err *error) { c.report(true, *err) }

// giveUp ends a call whose attempt is not made, from wide to narrow. Engines with PerCall keep their part
// if an attempt was made before.
func (c *call) giveUp() {
	for i := len(c.links) - 1; i >= 0; i-- {
		if l, s := &c.links[i], &c.got[i]; s.cell != nil && c.decides(i) {
			l.eng.giveUp(&l.place, &s.admission, s.tokens)
		}
	}
}

// giveUpFor is giveUp for a call whose context has ended, and returns the call's error.
func (c *call) giveUpFor(ctx context.Context) error {
	c.giveUp()
	return c.links[0].eng.leftFor(ctx, &plainCall)
}

// now reads the clock of e while the call holds what it has got. If the clock panics, that goes back.
func (c *call) now(e *Engine) int64 {
	read := false
	defer func() {
		if !read {
			c.giveUp()
		}
	}()
	now := e.system.Now()
	read = true
	return now
}
