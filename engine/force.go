package engine

import (
	"context"
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// ErrForceLimit says that as many keys are forced as may be: half of Config.MaxKeys.
var ErrForceLimit = guard.ErrForceLimit

// longestForce is the longest time of a forced state that ends (73 years).
const longestForce = time.Duration(1 << 61)

// Force has a person decide in place of the breaker of key, for the time d: with breaker.Open the
// key refuses every call that asks the breaker, and with breaker.Closed the breaker lets every call
// pass and counts nothing. With breaker.Forever the state ends only by hand: by another Force, by a
// Force with d = 0, or by [Engine.Reset] and [Engine.ResetAll]. A Force that comes while another
// one is in effect takes its place.
//
// The state is in effect when Force returns, also if Config.Breaker is nil. It replaces the breaker
// alone: the limiter decides about each call as before, Allow and Acquire pass, and with
// Config.Shadow a call that the state would refuse is counted as Stats.ShadowRefused. Callers in
// the queue that ask the breaker are refused at once. A refusal is a *Rejection with
// breaker.ErrOpen, whose RetryAfter is the end of the state, or 0 with Forever.
//
// When a forced state begins or ends, a new period of the breaker begins, closed and with no
// failure counted: the outcome of a call that was let through before does not count.
// [Engine.Reconfigure] does not end the state. A key with a forced state becomes known, and is not
// forgotten until the state has ended. Calls through a breaker that is forced closed ask the key's
// actor, and a state with an end keeps the actor's goroutine.
//
// Force changes nothing and returns an error if it cannot do what it is asked to: a *ConfigError if
// s is neither breaker.Open nor breaker.Closed, or if d is negative or, other than Forever, above
// 2^61 ns (73 years); ErrForceLimit if half of Config.MaxKeys keys are forced; ErrKeyLimit if there
// is no room for the key; and ErrClosed. A Force with d = 0 for a key that is not forced changes
// nothing, and is no error.
//
// Each Force is an event Forced, and the end of the state an event Recovered, see [Engine.Events];
// Stats.ForcedKeys counts the keys, and Snapshot.Forced is true.
func (e *Engine) Force(key string, s breaker.State, d time.Duration) error {
	if err := mayForce(s, d); err != nil {
		return err
	}
	var c *guard.Cell
	var err error
	find := func(*guard.Cell) (*guard.Cell, error) { return e.find(&place{key: key}) }
	if d == 0 {
		find = func(*guard.Cell) (*guard.Cell, error) { return e.known(key) }
	}
	if e.ended.Load() {
		return ErrClosed
	}
	if c, err = find(nil); err == nil {
		r := e.behavior.Request()
		r.Forcing = guard.Forcing{To: s, For: int64(d)}
		m := guard.Message{Kind: guard.Force, Request: r}
		_ = e.catchUp(c, &m) // else the key is as it was before
		err = e.command(c, &m, find)
	}
	switch {
	case errors.Is(err, errUnknown):
		return nil
	case errors.Is(err, actors.ErrClosed):
		return ErrClosed
	case errors.Is(err, actors.ErrKeyLimit):
		return ErrKeyLimit
	default:
		return err
	}
}

// mayForce returns the error of a Force with bad arguments.
func mayForce(s breaker.State, d time.Duration) error {
	var errs []error
	if s != breaker.Open && s != breaker.Closed {
		errs = append(errs, &ConfigError{Field: "s", Value: s, Reason: "must be open or closed: a breaker can only prove by probes that it is half-open"})
	}
	switch {
	case d < 0:
		errs = append(errs, &ConfigError{Field: "d", Value: d, Reason: "must not be negative (0 ends a forced state)"})
	case d > longestForce && d != breaker.Forever:
		errs = append(errs, &ConfigError{Field: "d", Value: d, Reason: "must be at most 2^61 ns (73 years), or breaker.Forever"})
	}
	return errors.Join(errs...)
}

// asks reports whether anything is to be asked about d for key: also if st asks nothing, a person
// may have forced the key.
func (e *Engine) asks(st *settings, key string, d *guard.Demand) bool {
	return st.concerns(d) || e.forces() && e.isForced(key, d)
}

// forces reports whether any key is forced.
func (e *Engine) forces() bool { return e.forced.Load() != 0 }

// decideByHand is decide where nothing is to be asked about d, unless p's key is forced. Other keys
// stay unknown.
//
//go:noinline
func (e *Engine) decideByHand(ctx context.Context, p *place, d *guard.Demand, a *admission) error {
	if !e.isForced(p.key, d) {
		return nil
	}
	if e.settings.Load().shadow {
		return e.decideInShadow(ctx, p, d, a)
	}
	var err error
	if a.cell, err = e.find(p); err != nil {
		return e.refused(e.asRefusal(p.key, err))
	}
	if err = e.openFor(a.cell, d); err == nil {
		err = e.consult(ctx, p, d, a, nil)
	}
	if err != nil {
		return e.refused(err)
	}
	return nil
}

// isForced reports whether d asks the breaker of key, and the key is forced.
//
//go:noinline
func (e *Engine) isForced(key string, d *guard.Demand) bool {
	c, known := e.system.Find(key)
	return d.Breaker && known && c.Published.Posted().Forced()
}

// permits reports whether a call for the key of c needs a permit or a place, or may need one by a policy that has
// begun since the call looked.
func (e *Engine) permits(c *guard.Cell) bool {
	p := c.Published.Policy()
	return p.Bounded() || p.Stale() || e.breaks(c)
}

// breaks reports whether a call for the key of c needs a permit. If c has been retired since the call took its
// tokens there, the key may be forced in a later cell.
func (e *Engine) breaks(c *guard.Cell) bool {
	n := c.Published.Posted()
	return n.Policy().Breaks() || n.Forced() || e.forces() && c.Published.Retired()
}
