package engine

import (
	"cmp"
	"context"
	"errors"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/mailbox"
)

// admission is the leave to make one call, from the decision to the report.
type admission struct {
	cell     *guard.Cell    // whose gate or actor decided; nil if there was nothing to ask
	permit   breaker.Permit // of the breaker, or that of under
	under    *probe         // the probe in whose function the call passed the breaker; nil otherwise
	receipt  guard.Receipt  // of the tokens taken
	at       int64          // of the decision, or 0
	left     []int64        // guard.Answer.Left
	placed   bool           // the call has a place
	detailed bool           // whether the caller will ask what remains
	began    int64          // when the call began, if the breaker judges slow calls; else 0
	shadowed bool           // the call would have been refused, but for Config.Shadow; then there is nothing else
}

// plainCall is the demand of a call that stays in the queue for as long as its context allows.
var plainCall = callFor(guard.AsLong)

// callFor returns the demand of a call that stays in the queue for at most stay.
func callFor(stay int64) guard.Demand {
	return guard.Demand{Tokens: 1, Stay: stay, Mode: limiter.Queued, Breaker: true}
}

// decide reads off the gate of p's key whether the tokens of d are there and, for a call, whether the
// breaker is closed, in one step. If the gate does not say, decide asks the key's actor. If the error is
// nil, a is the admission; a.cell may have been found before. The error is a *Rejection, except for Allow, or the error of ctx.
func (e *Engine) decide(ctx context.Context, p *place, d *guard.Demand, a *admission) error {
	st := e.settings.Load()
	switch concerned := st.concerns(d); {
	case e.ended.Load():
		return e.refuse(p.key, ErrClosed, 0)
	case !concerned && !e.forces():
		return nil
	case !concerned:
		return e.decideByHand(ctx, p, d, a)
	case st.apart:
		return e.decideApart(ctx, p, d, a)
	}
	if err := e.exceedsAll(st, p.key, d); err != nil {
		return e.refused(err)
	}
	// The cell is found before the clock is read: a reading holds for a cell that was found before it.
	if a.cell == nil || a.cell.Published.Retired() {
		c, err := e.find(p)
		if err != nil {
			return e.refused(e.asRefusal(p.key, err))
		}
		a.cell = c
	}
	if err := e.openFor(a.cell, d); err != nil {
		e.counters.CountRefusal(&e.counters.Stripe().Open, a.cell)
		return err
	}
	g := &a.cell.Published
	policy := g.Policy()
	if err := e.exceeds(p.key, policy, d); err != nil {
		return e.refused(err)
	}
	switch ruling, now, at, receipt := g.Pass(e.system, policy, d, 0); {
	case ruling == guard.Admitted:
		a.permit.Generation, a.receipt, a.at = receipt.Epoch, receipt, now
		return nil
	case ruling == guard.Limited && d.Mode == limiter.Immediate: // Allow needs no reason
		e.counters.CountRefusal(&e.counters.Stripe().Limited, a.cell)
		return limiter.ErrLimited
	case ruling == guard.Limited && d.Hopeless(policy, now, at): // nobody waits, or the actor would own the gate
		e.counters.CountRefusal(&e.counters.Stripe().Limited, a.cell)
		return e.refuse(p.key, limiter.ErrLimited, at)
	}
	if err := e.consult(ctx, p, d, a, nil); err != nil {
		return e.refused(err)
	}
	return nil
}

// exceeds returns the refusal of a call that asks for more tokens than there can ever be by the policy that its
// key follows; nil if a newer policy is in force.
func (e *Engine) exceeds(key string, policy *guard.Policy, d *guard.Demand) error {
	if d.Tokens <= 1 || policy.Limits.Holds(d.Tokens) || policy.Stale() {
		return nil
	}
	return e.refuse(key, limiter.ErrExceedsCapacity, 0)
}

// exceedsAll is exceeds for a key that may not be known: a call that can never pass makes no key known.
func (e *Engine) exceedsAll(st *settings, key string, d *guard.Demand) error {
	if st.shared == nil {
		return nil
	}
	return e.exceeds(key, st.shared, d)
}

// openFor returns the refusal of a breaker that is open, as the notice says, if d asks the breaker; else nil.
func (e *Engine) openFor(c *guard.Cell, d *guard.Demand) error {
	n := c.Published.Posted()
	if !d.Breaker || !n.Refuses() || n.Policy().Stale() || e.system.Now() >= n.Until() { // the clock is read after the notice
		return nil
	}
	return n.Refusal()
}

// consult has the decision made by the actor of a.cell, or of its successor. A wait also ends with the
// engine of any of links.
func (e *Engine) consult(ctx context.Context, p *place, d *guard.Demand, a *admission, links []link) error {
	var under *probe
	if d.Breaker {
		if under, a.under = a.under, nil; under == nil && a.cell.Published.Posted().Reports() { // else no probe is out
			under = probeFor(ctx, e, p.key)
		}
	}
	asked := false
	defer func() {
		if !asked && under != nil { // the clock panicked
			under.free()
		}
	}()
	c, answer, err := e.ask(ctx, p, a.cell, d, under, links)
	asked = true
	if err == nil && answer.Err != nil {
		err = e.refuse(p.key, answer.Err, answer.At)
	}
	if c != nil {
		a.cell = c
	}
	if d.Breaker && !d.Split || answer.Permit.Lease != 0 { // a call that has its place has its permit
		a.permit = answer.Permit
	}
	a.placed = a.placed || answer.Placed
	if d.Tokens > 0 {
		a.receipt, a.at, a.left = answer.Receipt, answer.Granted, answer.Left
	}
	switch {
	case under == nil:
	case answer.Under:
		a.permit, a.under = under.permit, under
	default:
		under.free()
	}
	if err == nil && d.Breaker && links == nil && e.endOf(ctx) != nil {
		err = e.giveUpFor(ctx, p, a, d.Tokens) // the answer came at the same time
	}
	return err
}

// ask has the decision made by the actor of c, or of c's successor, and returns the cell whose actor
// that was. The error is the error of ctx, or a *Rejection if no actor could be asked or the engine of a
// link has ended.
func (e *Engine) ask(
	ctx context.Context, p *place, c *guard.Cell, d *guard.Demand, under *probe, links []link,
) (*guard.Cell, guard.Answer, error) {
	done := ctx.Done()
	if closed(done) {
		return nil, guard.Answer{}, e.leftFor(ctx, d)
	}
	r := e.behavior.Request()
	m := guard.Message{
		Kind: guard.Ask, Demand: *d, Request: r, Answers: r.Answers(), Stays: done == nil && links == nil, Until: e.useless(ctx, d),
	}
	if under != nil {
		m.Permit = under.permit
	}
	if err := e.catchUp(c, &m); err != nil {
		e.behavior.Release(r)
		return nil, guard.Answer{}, err
	}
	c, err := e.deliver(ctx, c, &m, func(*guard.Cell) (*guard.Cell, error) { return e.find(p) })
	switch {
	case err == nil:
		answer, err := e.await(ctx, done, c, r, d, links)
		return c, answer, err
	case errors.Is(err, actors.ErrClosed) || errors.Is(err, actors.ErrKeyLimit):
		err = e.refuse(p.key, err, 0)
	case errors.Is(err, mailbox.ErrExpired):
		err = e.leftFor(ctx, d) // no room in the mailbox while ctx lasted
	}
	e.behavior.Release(r)
	return nil, guard.Answer{}, err
}

// useless returns the instant from which a grant of d is of no use any more.
func (e *Engine) useless(ctx context.Context, d *guard.Demand) int64 {
	var until int64 = guard.Never
	if d.Stay < 0 {
		return until
	}
	if deadline, ok := ctx.Deadline(); ok {
		// The deadline is on the system's clock, which may not be the engine's: only the rest of the time
		// counts.
		until = guard.Later(e.system.Now(), int64(e.until(deadline)))
	}
	if d.Stay > 0 { // a grant at the very end of the stay is in time
		until = min(until, guard.Later(guard.Later(e.system.Now(), d.Stay), 1))
	}
	return until
}

// deliver sends m to the actor of c. When the cell has been retired, again returns the cell to try
// next. deliver returns the cell whose actor has m. The error is that of again, or of Send.
func (e *Engine) deliver(
	ctx context.Context, c *guard.Cell, m *guard.Message, again func(retired *guard.Cell) (*guard.Cell, error),
) (*guard.Cell, error) {
	if e.driver != nil {
		e.driver.Sending(*m)
	}
	for {
		err := e.system.Send(ctx, c, *m)
		if !errors.Is(err, actors.ErrRetired) {
			return c, err
		}
		if c, err = again(c); err != nil {
			return nil, err
		}
	}
}

// inquire is deliver for a message whose answer is awaited, whatever becomes of ctx. An error says that m
// had no turn.
func (e *Engine) inquire(
	ctx context.Context, c *guard.Cell, m *guard.Message, again func(retired *guard.Cell) (*guard.Cell, error),
) (*guard.Cell, guard.Answer, error) {
	r := m.Request
	m.Answers = r.Answers()
	c, err := e.deliver(ctx, c, m, again)
	var a guard.Answer
	if err == nil {
		a = e.answer(r)
	}
	e.behavior.Release(r)
	return c, a, err
}

// command is inquire for a message that is answered with an error or nothing.
func (e *Engine) command(c *guard.Cell, m *guard.Message, again func(retired *guard.Cell) (*guard.Cell, error)) error {
	_, a, err := e.inquire(context.Background(), c, m, again)
	return cmp.Or(err, a.Err)
}
