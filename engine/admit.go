package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// Allow reports whether the limiter lets one call of key through now, and takes a token if so. Allow
// skips the breaker, and never waits: it returns false while others wait. Without a limiter Allow
// returns true, and after Close false. A leaky bucket lets a call through as long as it has a free
// place.
func (e *Engine) Allow(key string) bool { return e.AllowN(key, 1) }

// AllowN is [Engine.Allow] for n tokens at once, all or none. AllowN returns false if n is below 1 or
// above the capacity.
func (e *Engine) AllowN(key string, n int) bool { return e.allow(place{key: key}, n) }

// Acquire takes a token of key from the limiter. Acquire skips the breaker. If no token is there,
// Acquire waits, first come, first served, for as long as ctx and Config.MaxWait allow; if the wait
// would be longer, it returns a *Rejection at once. If ctx ends, the error is that of ctx.
func (e *Engine) Acquire(ctx context.Context, key string) error {
	return e.acquire(ctx, place{key: key}, 1, asLong)
}

// AcquireN is [Engine.Acquire] for n tokens at once. If n is below 1, the error is a *ConfigError. If n
// is above the capacity, the error is a *Rejection with limiter.ErrExceedsCapacity, at once.
func (e *Engine) AcquireN(ctx context.Context, key string, n int) error {
	return e.acquire(ctx, place{key: key}, n, asLong)
}

func (e *Engine) allow(p place, n int) bool {
	if n < 1 || !e.keeper.limits.Holds(int64(n)) {
		return false
	}
	_, err := e.decide(context.Background(), p, demand{n: int64(n), way: allowing})
	return err == nil
}

func (e *Engine) acquire(ctx context.Context, p place, n int, stay int64) error {
	if ctx.Err() != nil {
		return endOf(ctx)
	}
	if stay < noStay {
		return errStay(stay)
	}
	if n < 1 {
		return &ConfigError{Field: "n", Value: n, Reason: "must be at least 1"}
	}
	if !e.keeper.limits.Holds(int64(n)) && !e.ended.Load() {
		return e.reject(p.key, limiter.ErrExceedsCapacity, 0)
	}
	_, err := e.decide(ctx, p, demand{n: int64(n), way: acquiring, stay: stay})
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

// decide reads off the gate of p's key whether the tokens of d are there and, for a call, whether the
// breaker is closed, in one step. If the gate does not say, decide asks the key's actor. The error is a
// *Rejection, except for Allow, or that of ctx.
func (e *Engine) decide(ctx context.Context, p place, d demand) (admission, error) {
	if e.ended.Load() {
		return admission{}, e.reject(p.key, ErrClosed, 0)
	}
	if !e.consults[d.way] {
		return admission{}, nil
	}
	for again := e.dispatch == Published; ; again = false {
		// The cell before the clock is read: a reading holds for the cell that was found before it.
		var c *cell
		var h actors.Hash
		if p.cell == nil {
			c, h = e.system.Lookup(p.key)
		} else {
			c = p.cell.Load()
		}
		if c == nil {
			var err error
			if c, err = e.birth(p, h); err != nil {
				return admission{}, e.reject(p.key, err, 0)
			}
		}
		g := &c.Published
		if r := g.standing.Load(); r != nil && d.way == calling && r != unsettled && e.dispatch == Published && e.system.Now() < r.until {
			return admission{cell: c}, r // the reading comes after the instant that it is compared with was loaded
		}
		v, generation, at := e.pass(g, d.n, d.way != allowing)
		switch {
		case v == admitted:
			return admission{cell: c, permit: breaker.Permit{Generation: generation}}, nil
		case v == limited && d.way == allowing:
			return admission{cell: c}, limiter.ErrLimited
		case v == limited && (e.keeper.noWait || d.stay < 0 || at-e.system.Now() > d.longest(e.keeper.maxWait)):
			return admission{cell: c}, e.reject(p.key, limiter.ErrLimited, at) // nobody waits, or the gate would be shut
		case again && g.word.Load() == gone:
			p.lost(c) // look once more; after that ask, which waits until the retired cell is out of the map
			continue
		}
		return e.consult(ctx, p, c, d)
	}
}

// consult has the decision made by the key's actor; c is the cell that was found last.
func (e *Engine) consult(ctx context.Context, p place, c *cell, d demand) (admission, error) {
	var under *probe
	if d.way == calling && c.Published.standing.Load() != nil { // else no probe is out
		under = probeFor(ctx, e, p.key)
	}
	asked := false
	defer func() {
		if !asked && under != nil { // the clock panicked
			under.free()
		}
	}()
	c, answer, err := e.ask(ctx, p, d, under)
	asked = true
	if err == nil && answer.err != nil {
		err = e.reject(p.key, answer.err, answer.at)
	}
	a := admission{cell: c, permit: answer.permit}
	switch {
	case under == nil:
	case answer.under:
		a.permit, a.under = under.permit, under
	default:
		under.free()
	}
	if err == nil && d.way == calling && endOf(ctx) != nil {
		err = e.giveUpFor(ctx, p, a) // the answer came at the same time
	}
	return a, err
}

// ask has the decision made by the actor of p's key and returns the cell whose actor that was. The error is ctx's, or a
// *Rejection if no actor could be asked.
func (e *Engine) ask(ctx context.Context, p place, d demand, under *probe) (*cell, answer, error) {
	done := ctx.Done()
	if closed(done) {
		return nil, answer{}, d.way.left(ctx)
	}
	r := e.newRequest()
	m := message{
		kind: ask, n: d.n, mode: d.way != allowing, wait: d.waits(), breaker: d.way == calling && e.keeper.hasBreaker,
		req: r, answers: r.Answers(), stays: done == nil, until: actors.Never,
	}
	if under != nil {
		m.permit = under.permit
	}
	if deadline, ok := ctx.Deadline(); ok && m.wait {
		// The deadline is on the system's clock, which may not be ours: only the rest of the time counts.
		m.until = later(e.system.Now(), int64(time.Until(deadline)))
	}
	if m.wait && d.stay > 0 { // a grant at the very end of the stay is in time
		m.until = min(m.until, later(later(e.system.Now(), d.stay), 1))
	}
	for {
		c, err := e.find(p)
		if err != nil {
			e.keeper.requests.Put(r)
			return nil, answer{}, e.reject(p.key, err, 0)
		}
		switch err := e.system.Send(ctx, c, m); {
		case err == nil:
			a, err := e.await(ctx, done, c, r, d.way)
			return c, a, err
		case errors.Is(err, actors.ErrRetired):
			p.lost(c)
		default:
			e.keeper.requests.Put(r)
			if errors.Is(err, actors.ErrClosed) {
				return nil, answer{}, e.reject(p.key, err, 0)
			}
			return nil, answer{}, d.way.left(ctx) // no room in the mailbox while it lasted
		}
	}
}

// later is the instant d after now, at most actors.Never; a negative d counts as 0.
func later(now, d int64) int64 { return now + min(max(0, d), actors.Never-now) }

// await receives the answer, or leaves when ctx ends. If the two race, the answer wins.
func (e *Engine) await(ctx context.Context, done <-chan struct{}, c *cell, r *request, w way) (answer, error) {
	var a answer
	if done == nil {
		a = <-r.Answered()
	} else {
		select {
		case a = <-r.Answered():
		case <-done:
			if r.Leave() {
				e.forsake(c, r)
				return answer{}, w.left(ctx)
			}
			a = <-r.Answered()
		}
	}
	e.keeper.requests.Put(r)
	return a, nil
}

// forsake tells the actor that the caller of r has left, so that the caller's place in the line is free.
// From here on the actor owns r, in the mailbox or in the line.
func (e *Engine) forsake(c *cell, r *request) {
	err := e.system.Send(context.Background(), c, message{kind: cancel, req: r})
	if errors.Is(err, actors.ErrRetired) {
		e.keeper.requests.Put(r) // the cell could not have retired without having seen that r was left
	}
}

// command sends m to the actor of c and waits until the turn of m has ended. An error says that m had no turn.
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

// Ticket is the leave to make one call, given by [Engine.Admit] and given back with [Ticket.Done].
type Ticket struct {
	eng       *Engine
	ctx       context.Context
	place     place
	admission admission
	done      atomic.Bool
}

// Admit asks for leave to make one call, for work that does not fit in a function. The breaker and the
// limiter decide as for [Do], without retries, and Admit waits for the limiter as Do does. The caller
// makes the call and then reports its end with [Ticket.Done]. The error is a *Rejection, or that of ctx
// if ctx has ended; the ticket is nil then.
//
// If a ticket is never given back and was a probe's, the breaker takes the probe's place back at
// ProbeTimeout. A ticket has no context of its own, so that a call for the same key does not pass
// under the ticket's probe, as it does in the function of [Do].
func (e *Engine) Admit(ctx context.Context, key string) (*Ticket, error) {
	return e.ticket(ctx, place{key: key}, asLong, new(Ticket))
}

// AdmitWithin is [Engine.Admit] for a call that stays in the limiter's queue for at most d, and never
// queues if d is 0. Config.MaxWait and ctx hold as well. If the call would have to wait longer, AdmitWithin
// refuses the call at once with a *Rejection that holds limiter.ErrLimited. A negative d is a *ConfigError.
//
// AdmitWithin is for a key that is used once; for a handle there are [Key.Within] and [Key.NoWait].
func (e *Engine) AdmitWithin(ctx context.Context, key string, d time.Duration) (*Ticket, error) {
	return e.ticketWithin(ctx, key, d, new(Ticket))
}

// ticketWithin is ticket for AdmitWithin.
func (e *Engine) ticketWithin(ctx context.Context, key string, d time.Duration, t *Ticket) (*Ticket, error) {
	stay := int64(noStay)
	if d != 0 {
		stay = stayOf(d)
	}
	return e.ticket(ctx, place{key: key}, stay, t)
}

// ticket fills in t. The caller makes t, so that Admit, which is inlined, costs no allocation if the
// ticket stays in the function that called Admit.
func (e *Engine) ticket(ctx context.Context, p place, stay int64, t *Ticket) (*Ticket, error) {
	if ctx.Err() != nil {
		return nil, endOf(ctx)
	}
	if stay < noStay {
		return nil, errStay(stay)
	}
	a, _, err := e.begin(ctx, p, stay, actors.Never)
	if err != nil {
		return nil, err
	}
	t.eng, t.ctx, t.place, t.admission = e, ctx, p, a
	return t, nil
}

// Done records how the call ended, before it returns. A nil err is a success; another err is judged
// together with the context that Admit was given, as Do judges an error of its function. The first call
// of Done counts, later ones do nothing. Any goroutine may call Done.
func (t *Ticket) Done(err error) {
	if t.done.Swap(true) {
		return
	}
	outcome := Failure // in case Classify panics
	defer func() { t.eng.report(t.place, &t.admission, outcome) }()
	outcome = t.eng.judge(t.ctx, err)
}

// String names the key for logs, and shows at most 64 bytes of it.
func (t *Ticket) String() string { return "ticket for " + shown(t.place.key) }

// Probe reports whether the call is a probe of a breaker that is half-open, so that the breaker
// waits for [Ticket.Done] or ProbeTimeout. A ticket stays a probe's after that. A call that passes
// under the probe in whose function the call was made is no probe itself.
func (t *Ticket) Probe() bool { return t.admission.permit.Lease != 0 && t.admission.under == nil }
