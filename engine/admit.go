package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// Allow reports whether the limiter lets one call of key through now, and takes a token if it does. It never waits for
// one, and answers false while others wait. The breaker is not asked. It is true without a limiter, and false after Close.
func (e *Engine) Allow(key string) bool { return e.allow(place{key: key}, 1) }

// AllowN is [Engine.Allow] for n tokens at once: all or none. It is false when n is below 1 or above the capacity.
func (e *Engine) AllowN(key string, n int) bool { return e.allow(place{key: key}, n) }

// Acquire takes a token of key from the limiter, and waits for it in the order of arrival for as long as ctx and
// Config.MaxWait allow. The breaker is not asked. The error is a *Rejection, at once if the wait would be too long, or
// ctx's own.
func (e *Engine) Acquire(ctx context.Context, key string) error {
	return e.acquire(ctx, place{key: key}, 1)
}

// AcquireN is [Engine.Acquire] for n tokens at once. An n below 1 is a *ConfigError; one above the capacity is a
// *Rejection with limiter.ErrExceedsCapacity, at once.
func (e *Engine) AcquireN(ctx context.Context, key string, n int) error {
	return e.acquire(ctx, place{key: key}, n)
}

func (e *Engine) allow(p place, n int) bool {
	if n < 1 || !e.keeper.limits.Holds(int64(n)) {
		return false
	}
	_, _, err := e.decide(context.Background(), p, int64(n), allowing)
	return err == nil
}

func (e *Engine) acquire(ctx context.Context, p place, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n < 1 {
		return &ConfigError{Field: "n", Value: n, Reason: "must be at least 1"}
	}
	if !e.keeper.limits.Holds(int64(n)) && !e.ended.Load() {
		return e.reject(p.key, limiter.ErrExceedsCapacity, 0)
	}
	_, _, err := e.decide(ctx, p, int64(n), acquiring)
	return err
}

// newRequest returns a request that is ready to be asked.
func (e *Engine) newRequest() *request {
	r, ok := e.keeper.requests.Get().(*request)
	if !ok {
		return &request{Call: actors.NewCall[answer]()}
	}
	r.Reset()
	return r
}

// decide reads off the gate of p's key whether n tokens are to be had, and for a call whether the breaker is closed, in one step. It
// asks the key's actor if the gate does not say. The cell is nil when there is nothing to ask. The error is a *Rejection, but to
// those who come by Allow, or ctx's.
func (e *Engine) decide(ctx context.Context, p place, n int64, w way) (*cell, breaker.Permit, error) {
	if e.ended.Load() {
		return nil, breaker.Permit{}, e.reject(p.key, ErrClosed, 0)
	}
	if !e.consults[w] {
		return nil, breaker.Permit{}, nil
	}
	for again := e.dispatch == Published; ; again = false {
		// The cell before the clock is read: a reading holds for the cell that was found before it.
		var c *cell
		if p.cell == nil {
			c, _ = e.system.Find(p.key)
		} else {
			c = p.cell.Load()
		}
		if c == nil {
			var err error
			if c, err = e.find(p); err != nil {
				return nil, breaker.Permit{}, e.reject(p.key, err, 0)
			}
		}
		g := &c.Published
		if r := g.standing.Load(); r != nil && w == calling && r != unsettled && e.dispatch == Published && e.system.Now() < r.at {
			return c, breaker.Permit{}, r // the reading comes after what it is compared with
		}
		v, generation, at := e.pass(g, n, w != allowing)
		switch {
		case v == admitted:
			return c, breaker.Permit{Generation: generation}, nil
		case v == limited && w == allowing:
			return c, breaker.Permit{}, limiter.ErrLimited
		case v == limited && (e.keeper.noWait || at-e.system.Now() > e.keeper.maxWait):
			return c, breaker.Permit{}, e.reject(p.key, limiter.ErrLimited, at) // nobody waits, or the gate would be shut
		case again && g.word.Load() == gone:
			p.lost(c) // look once more; after that ask, which waits until the retired cell is out of the map
			continue
		}
		c, a, err := e.ask(ctx, p, n, w)
		if err == nil && a.err != nil {
			err = e.reject(p.key, a.err, a.at)
		}
		return c, a.permit, err
	}
}

// ask has the decision made by the actor of p's key and returns the cell whose actor that was. The error is ctx's, or a
// *Rejection if no actor could be asked.
func (e *Engine) ask(ctx context.Context, p place, n int64, w way) (*cell, answer, error) {
	done := ctx.Done()
	r := e.newRequest()
	m := message{
		kind: ask, n: n, mode: w != allowing, wait: w != allowing, breaker: w == calling && e.keeper.hasBreaker,
		req: r, answers: r.Answers(), stays: done == nil, until: actors.Never,
	}
	if deadline, ok := ctx.Deadline(); ok && m.wait {
		// The deadline is on the system's clock, which may not be ours: what counts is what remains.
		now := e.system.Now()
		m.until = now + min(max(0, int64(time.Until(deadline))), actors.Never-now)
	}
	for {
		c, err := e.find(p)
		if err != nil {
			e.keeper.requests.Put(r)
			return nil, answer{}, e.reject(p.key, err, 0)
		}
		switch err := e.system.Send(ctx, c, m); {
		case err == nil:
			a, err := e.await(ctx, done, c, r)
			return c, a, err
		case errors.Is(err, actors.ErrRetired):
			p.lost(c)
		default:
			e.keeper.requests.Put(r)
			if errors.Is(err, actors.ErrClosed) {
				return nil, answer{}, e.reject(p.key, err, 0)
			}
			return nil, answer{}, ctx.Err() // no room in the mailbox while it lasted
		}
	}
}

// await receives the answer, or leaves when ctx ends. If the two race, the answer wins.
func (e *Engine) await(ctx context.Context, done <-chan struct{}, c *cell, r *request) (answer, error) {
	var a answer
	if done == nil {
		a = <-r.Answered()
	} else {
		select {
		case a = <-r.Answered():
		case <-done:
			if r.Leave() {
				e.forsake(c, r)
				return answer{}, ctx.Err()
			}
			a = <-r.Answered()
		}
	}
	e.keeper.requests.Put(r)
	return a, nil
}

// forsake tells the actor that the caller of r has left, so that its place in the line is free. From here on r is the
// actor's, who has it in its mailbox or in its line.
func (e *Engine) forsake(c *cell, r *request) {
	err := e.system.Send(context.Background(), c, message{kind: cancel, req: r})
	if errors.Is(err, actors.ErrRetired) {
		e.keeper.requests.Put(r) // the cell could not have retired without having seen that r was left
	}
}

// command sends m to the actor of c and waits until it has been carried out. An error says that it was not.
func (e *Engine) command(c *cell, m message, s *Snapshot) error {
	r := e.newRequest()
	r.snapshot = s
	m.req, m.answers = r, r.Answers()
	if err := e.system.Send(context.Background(), c, m); err != nil {
		e.keeper.requests.Put(r)
		return err
	}
	a := <-r.Answered()
	e.keeper.requests.Put(r)
	return a.err
}

// Ticket is the leave to make one call that [Engine.Admit] gave. It goes back with Done.
type Ticket struct {
	eng    *Engine
	ctx    context.Context
	place  place
	cell   *cell
	permit breaker.Permit
	done   atomic.Bool
}

// Admit asks for leave to make one call, for work that does not fit in a function: breaker and limiter as in [Do], without
// retries. It waits for the limiter as Do does. The caller makes the call and then reports its end with [Ticket.Done]. The error is a
// *Rejection, or ctx's own, and the ticket is nil then.
//
// A ticket that is never returned harms nobody else: if it was a probe's, its place is taken back at the breaker's
// ProbeTimeout.
func (e *Engine) Admit(ctx context.Context, key string) (*Ticket, error) {
	return e.ticket(ctx, place{key: key}, new(Ticket))
}

// ticket fills in t. It is its caller who makes t, so that Admit, which is inlined, costs no allocation where the ticket stays in the function
// that has called it.
func (e *Engine) ticket(ctx context.Context, p place, t *Ticket) (*Ticket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, permit, err := e.decide(ctx, p, 1, calling)
	if err != nil {
		return nil, err
	}
	t.eng, t.ctx, t.place, t.cell, t.permit = e, ctx, p, c, permit
	return t, nil
}

// Done records how the call ended, before it returns: nil is a success, and an error is judged together with the context
// that Admit was given, as Do judges it. The first call counts, later ones do nothing.
func (t *Ticket) Done(err error) {
	if t.done.Swap(true) {
		return
	}
	outcome := Failure // should Classify panic
	defer func() { t.eng.report(t.place, t.cell, t.permit, outcome) }()
	outcome = t.eng.judge(t.ctx, err)
}

// String names the key, for logs.
func (t *Ticket) String() string { return fmt.Sprintf("ticket for %q", t.place.key) }
