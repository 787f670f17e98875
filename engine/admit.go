package engine

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// Allow reports whether the limiter lets one call of key through now, and takes a token if so. Allow
// skips the breaker, and never waits: it returns false while others wait. Without a limiter Allow
// returns true, and after Close false. A leaky bucket lets a call through as long as it has a free
// place.
func (e *Engine) Allow(key string) bool { return e.AllowN(key, 1) }

// AllowN is [Engine.Allow] for n tokens at once, all or none. AllowN returns false if n is below 1 or
// above the capacity.
func (e *Engine) AllowN(key string, n int) bool { return e.allow(&place{key: key}, n) }

// Acquire takes a token of key from the limiter. Acquire skips the breaker. If no token is there,
// Acquire waits in the queue for as long as ctx and Config.MaxWait allow; if the wait
// would be longer, it returns a *Rejection at once. If ctx ends, the error is that of ctx.
func (e *Engine) Acquire(ctx context.Context, key string) error {
	return e.acquire(ctx, &place{key: key}, 1, guard.AsLong)
}

// AcquireN is [Engine.Acquire] for n tokens at once. If n is below 1, the error is a *ConfigError. If n
// is above the capacity, the error is a *Rejection with limiter.ErrExceedsCapacity, at once.
func (e *Engine) AcquireN(ctx context.Context, key string, n int) error {
	return e.acquire(ctx, &place{key: key}, n, guard.AsLong)
}

func (e *Engine) allow(p *place, n int) bool {
	tokens := int64(n)
	if !e.settings.Load().gated || e.ended.Load() || n < 1 {
		return e.allowOther(p, nil, n)
	}
	// First the cell, then full-at, and then the clock, as in run.
	var c *guard.Cell
	if p.cell != nil {
		c = p.cell.Load()
	} else {
		c, _ = e.system.Lookup(p.key)
	}
	if c == nil {
		return e.allowOther(p, nil, n)
	}
	policy := c.Published.Policy()
	fullAt := c.Published.FullAt()
	if fullAt < 0 || !policy.HasLimit() {
		return e.allowOther(p, c, n)
	}
	var now int64
	if e.monotonic {
		now = int64(time.Since(e.base))
	} else {
		now = e.system.Now()
	}
	latest := policy.Latest(tokens, limiter.Immediate, now)
	if fullAt > latest && c.Published.Follows(policy) && !policy.Stale() {
		if n := e.counters.Stripe().Limited.Add(1); guard.Sampled(n) { // CountRefusal would not be inlined
			e.counters.Refused.Count(c, n)
		}
		return false
	}
	if _, ok := c.Published.Take(policy, tokens, latest, now); !ok { // other callers came first
		return e.allowOther(p, c, n)
	}
	e.counters.Stripe().Taken.Add(1)
	return true
}

// allowOther is allow for a call that its key's gate alone cannot decide. c is the key's cell if that has
// been found.
//
//go:noinline
func (e *Engine) allowOther(p *place, c *guard.Cell, n int) bool {
	if n < 1 {
		return false
	}
	d := guard.Demand{Tokens: int64(n), Stay: guard.NoStay, Mode: limiter.Immediate}
	a := admission{cell: c}
	if e.decide(context.Background(), p, &d, &a) != nil {
		return false
	}
	e.took(&a)
	return true
}

func (e *Engine) acquire(ctx context.Context, p *place, n int, stay int64) error {
	if ctx.Err() != nil {
		return e.endOf(ctx)
	}
	if stay < guard.NoStay {
		return errStay(stay)
	}
	if n < 1 {
		return errTokens(n)
	}
	d := guard.Demand{Tokens: int64(n), Stay: stay, Mode: limiter.Queued}
	var a admission
	if err := e.decide(ctx, p, &d, &a); err != nil {
		return told(ctx, err)
	}
	e.took(&a)
	return nil
}

// errTokens is the error of a number of tokens below 1.
func errTokens(n int) error {
	return &ConfigError{Field: "n", Value: n, Reason: "must be at least 1"}
}

// Ticket is the leave to make one call, given by [Engine.Admit] and given back with [Ticket.Done].
type Ticket struct {
	eng       *Engine
	ctx       context.Context
	place     place
	admission admission
	call      *call // of a chain; nil otherwise
	done      atomic.Bool
	holds     *lost                 // if the ticket has a place; else nil
	probes    *[longestChain]*probe // if the call is a probe; else nil
}

// Admit asks for leave to make one call, for work that does not fit in a function. The breaker and the
// limiter decide as for [Do], without retries, and Admit waits for the limiter as Do does. The caller
// makes the call and then reports its end with [Ticket.Done]. The error is a *Rejection, or that of ctx
// if ctx has ended; the ticket is nil then.
//
// If a ticket is never given back and was a probe's, the breaker takes the probe's place back at
// ProbeTimeout. The call should use [Ticket.Context].
func (e *Engine) Admit(ctx context.Context, key string) (*Ticket, error) {
	return e.ticket(ctx, &place{key: key}, guard.AsLong, new(Ticket))
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
	stay := int64(guard.NoStay)
	if d != 0 {
		stay = stayOf(d)
	}
	return e.ticket(ctx, &place{key: key}, stay, t)
}

// ticket fills in t. The caller makes t, so that Admit, which is inlined, costs no allocation if the
// ticket stays in the function that called Admit.
func (e *Engine) ticket(ctx context.Context, p *place, stay int64, t *Ticket) (*Ticket, error) {
	if ctx.Err() != nil {
		return nil, e.endOf(ctx)
	}
	if stay < guard.NoStay {
		return nil, errStay(stay)
	}
	if st := e.settings.Load(); st.watched || st.timeLimited {
		return e.chainOf(p).ticket(ctx, stay, t)
	}
	t.admission.detailed = true
	if _, err := e.begin(ctx, p, 1, stay, guard.Never, &t.admission); err != nil {
		return nil, err
	}
	e.timed(&t.admission)
	if ctx.Err() != nil {
		return nil, e.refused(e.giveUpFor(ctx, p, &t.admission, 1))
	}
	e.admitted(&t.admission)
	t.eng, t.ctx, t.place, t.holds = e, firstAttempt(ctx), *p, keepPlaces(e, &t.admission, nil)
	if t.Probe() {
		t.asProbe()
	}
	return t, nil
}

// Done records how the call ended, before it returns. A nil err is a success; another err is judged
// together with the context that Admit was given, as Do judges an error of its function. The first call
// of Done counts, later ones do nothing. Any goroutine may call Done.
func (t *Ticket) Done(err error) {
	if t.done.Swap(true) {
		return
	}
	if t.probes != nil {
		endAll(t.probes)
	}
	t.holds.done()
	if t.call != nil {
		t.call.done(t.ctx, err)
		return
	}
	t.eng.reportEnd(t.ctx, &t.place, &t.admission, err)
}

// String names the key for logs, and shows at most 64 bytes of it.
func (t *Ticket) String() string { return "ticket for " + shown(t.place.key) }

// Probe reports whether the call is a probe of a breaker that is half-open, so that the breaker
// waits for [Ticket.Done] or ProbeTimeout. A ticket stays a probe's after that. A call that passes
// under the probe in whose function the call was made is no probe itself.
func (t *Ticket) Probe() bool {
	if t.call != nil {
		for i := range t.call.got {
			if t.call.got[i].isProbe() {
				return true
			}
		}
		return false
	}
	return t.admission.isProbe()
}

// isProbe reports whether the call is a probe of the breaker, and does not just pass under one.
func (a *admission) isProbe() bool { return a.permit.Lease != 0 && a.under == nil }
