package engine

import (
	"context"
	"time"
)

// Trace is hooks for single calls; see Config.Trace. The engine calls a hook on the caller's goroutine, with the
// context of the call, and waits for it. A nil hook is not called. A panic of Attempt counts as one of the
// attempt's function.
type Trace struct {
	// Attempt is called before each attempt: before its function is called, and before Admit returns a ticket.
	// In a [Chain] each engine that decides about the attempt calls its own hook, with its own key.
	Attempt func(ctx context.Context, key string, a Attempt)
	// Rejected is called when the engine has refused an attempt, an Admit, an Acquire or a Check. In a [Chain]
	// only the engine that refused calls its hook. Allow has no context, and calls none.
	Rejected func(ctx context.Context, r *Rejection)
}

// watch is the part of a call that Config.Trace and Config.Latency look at. All instants are of the first engine.
type watch struct {
	on     bool
	number int   // of the attempt
	ended  int64 // when the call began or the attempt before ended
	asked  int64 // when the decision began
	begun  int64 // when the attempt began
}

// watchFrom takes note of the present instant, if anybody watches.
func (c *call) watchFrom(at *int64) {
	if c.watch.on {
		*at = c.now(c.links[0].eng)
	}
}

// announce tells the watchers that an attempt begins. last is the error of the attempt before.
func (c *call) announce(ctx context.Context, last error) {
	w := &c.watch
	w.begin(c.links[0].eng)
	for i := range c.links {
		if c.heard(i) {
			c.links[i].eng.announce(ctx, c.links[i].key, w, last, c.got[i].isProbe())
		}
	}
}

// begin takes note that an attempt begins, by the clock of e.
func (w *watch) begin(e *Engine) {
	w.begun = e.nowOr(w.asked)
	w.number++
}

// announce tells the watchers of e that an attempt for key begins.
func (e *Engine) announce(ctx context.Context, key string, w *watch, last error, probe bool) {
	st := e.settings.Load()
	if st.latency != nil {
		st.latency.waiting.add(w.begun - w.asked)
	}
	if t := st.config.Trace; t != nil && t.Attempt != nil {
		t.Attempt(ctx, key, Attempt{Number: w.number, Waited: time.Duration(w.begun - w.ended), Last: last, Probe: probe})
	}
}

// heard reports whether link i decided about the present attempt.
func (c *call) heard(i int) bool { return c.watch.number == 1 || !c.got[i].once }

// conclude tells the watchers that an attempt has ended.
func (c *call) conclude() {
	c.watch.end(c.links[0].eng)
	for i := range c.links {
		if c.heard(i) {
			c.links[i].eng.measure(&c.watch)
		}
	}
}

// conclude tells the watchers of e, if w is on, that an attempt has ended.
func (e *Engine) conclude(w *watch) {
	if w.on {
		w.end(e)
		e.measure(w)
	}
}

// end takes note that an attempt has ended, by the clock of e. A clock that panics takes no outcome away.
func (w *watch) end(e *Engine) { w.ended = e.nowOr(w.begun) }

// measure counts the duration of an attempt that has ended.
func (e *Engine) measure(w *watch) {
	if m := e.settings.Load().latency; m != nil {
		m.attempts.add(w.ended - w.begun)
	}
}

// told calls the hook of the engine that refused, if err is a refusal, and returns err.
func told(ctx context.Context, err error) error {
	if r, ok := err.(*Rejection); ok { //nolint:errorlint // made by a decision, not wrapped
		if t := r.eng.settings.Load().config.Trace; t != nil && t.Rejected != nil {
			t.Rejected(ctx, r)
		}
	}
	return err
}
