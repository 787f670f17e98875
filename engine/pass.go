package engine

import (
	"context"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// taken is what a call has got at the gate of one key.
type taken struct {
	cell       *guard.Cell   // nil if there was nothing to ask
	notice     *guard.Notice // by which the tokens were taken
	now        int64         // the reading of the clock by which they were taken
	from       int64         // full-at before that
	generation uint64
	took       bool // whether they were taken
	once       bool // Config.PerCall
}

// take takes tokens at the gate, by notice and now. A gate that is not as at the look may have no answer.
func (t *taken) take(tokens int64) bool {
	g, p := &t.cell.Published, t.notice.Policy()
	if tokens == 1 && !p.Windowed() || guard.Planted("a cost that is one token at a gate") {
		var answer guard.Taking
		t.from, t.generation, answer = g.TakeOne(t.notice, t.now)
		t.took = answer == guard.Taken || g.Opened(answer, t.now)
		return t.took
	}
	var receipt guard.Receipt
	receipt, t.took = g.Take(p, tokens, p.Latest(tokens, limiter.Queued, t.now), t.now)
	t.from, t.generation = receipt.From, receipt.Epoch
	if t.took && p.Rated() {
		g.Open(t.now)
	}
	return t.took
}

// receipt returns the receipt of the tokens, if they were taken.
func (t *taken) receipt(tokens int64) guard.Receipt {
	if !t.took {
		return guard.Receipt{}
	}
	return t.notice.Receipt(t.from, t.now, tokens, t.generation)
}

// run makes a call for the keys of ch. Nearly every call passes at the gates of all keys and succeeds. For
// such a call run is all there is, as with [Engine.run].
func (ch *chain) run(ctx context.Context, stay int64, fn func(context.Context) error) error {
	var got [len(ch.room)]taken
	if !ch.gated || stay < guard.NoStay || ctx.Err() != nil || !ch.pass(&got) {
		return ch.runOther(ctx, stay, fn)
	}
	if ctx.Err() != nil {
		return ch.giveUpFor(ctx, &got)
	}
	stripe := guard.Spread()
	for i := range ch.links {
		ch.links[i].eng.counters.At(stripe).Admitted.Add(1)
	}
	returned := false // no recover: the panic goes on, and recover does not see Goexit
	defer func() {
		if !returned {
			ch.fail(&got)
		}
	}()
	err := fn(firstAttempt(ctx))
	returned = true
	quiet, counts := ch.quiet(&got)
	if err != nil || !quiet {
		return ch.over(ctx, &got, stay, fn, err)
	}
	if counts {
		ch.succeed(&got)
	}
	for i := range ch.links {
		ch.links[i].eng.counters.At(stripe).Successes.Add(1)
	}
	return nil
}

// pass takes a token at the gate of every key, if all can be decided there. If pass returns false, the
// call has nothing. The breaker of a gate at which a token can be taken is closed.
func (ch *chain) pass(got *[3]taken) bool {
	if !ch.seek(got) {
		return false
	}
	// The clock is read after the cells are found: a reading holds for a cell that was found before it.
	first := ch.links[0].eng.instant()
	for i := range ch.links {
		l, t := &ch.links[i], &got[i]
		if t.cell == nil {
			continue
		}
		switch {
		case i == 0:
			t.now = first
		case l.constant:
			t.now = first + l.offset
		default:
			t.now = l.eng.system.Now()
		}
		t.notice = t.cell.Published.Posted()
		if fullAt := t.cell.Published.FullAt(); fullAt < 0 || fullAt > t.notice.Policy().Latest(l.tokens, limiter.Queued, t.now) {
			return false
		}
	}
	for i := range ch.links {
		if got[i].cell != nil && !got[i].take(ch.links[i].tokens) {
			got[i].cell = nil
			ch.giveUp(got)
			return false
		}
	}
	return true
}

// seek finds the cells of the keys. It returns false if an engine has ended, or if a cell is not to be had.
func (ch *chain) seek(got *[3]taken) bool {
	for i := range ch.links {
		l := &ch.links[i]
		e := l.eng
		st := e.settings.Load()
		if !st.chained { // or the engine has ended
			return false
		}
		got[i].once = st.perCall
		if !st.gated { // there is nothing to ask, unless a person has forced a key
			if e.forces() {
				return false
			}
			continue
		}
		if l.cell != nil {
			got[i].cell = l.cell.Load() // if it has been retired, pass sees that
		}
		if got[i].cell == nil {
			c, h := e.system.Lookup(l.key)
			if c == nil && i > 0 {
				return false // a refused call makes no wider key known
			}
			var err error
			if got[i].cell, err = e.keep(&l.place, c, h); err != nil {
				return false
			}
		}
	}
	return true
}

// quiet reports whether a success changes nothing at any engine, but for what it counts in a tally.
func (ch *chain) quiet(got *[3]taken) (quiet, counts bool) {
	for i := range ch.links {
		t := &got[i]
		if t.cell == nil {
			continue
		}
		switch n := t.cell.Published.Posted(); {
		case !t.once && !n.Reports() && t.cell.Published.Shared():
		case !n.Policy().Breaks():
		case t.once || !t.cell.Published.Counts():
			return false, false
		default:
			counts = true
		}
	}
	return true, counts
}

// succeed counts a success in the tallies of the keys.
//
//go:noinline
func (ch *chain) succeed(got *[3]taken) {
	for i := range ch.links {
		if t := &got[i]; t.cell != nil {
			l := &ch.links[i]
			l.eng.report(&l.place, &admission{cell: t.cell, permit: breaker.Permit{Generation: t.generation}}, Success, nil)
		}
	}
}

// call returns the call that has got what got says; it uses room.
func (ch *chain) call(got *[3]taken, room *[3]share) call {
	c := call{links: ch.links, got: room[:len(ch.links)]}
	for i := range c.got {
		s, t := &c.got[i], &got[i]
		s.cell, s.receipt, s.tokens, s.once = t.cell, t.receipt(ch.links[i].tokens), ch.links[i].tokens, t.once
		s.permit.Generation = t.generation
	}
	return c
}

// giveUp gives back what a call has got.
//
//go:noinline
func (ch *chain) giveUp(got *[3]taken) {
	var room [len(got)]share
	c := ch.call(got, &room)
	c.giveUp()
}

// giveUpFor is giveUp for a call whose context has ended, and returns the call's error.
//
//go:noinline
func (ch *chain) giveUpFor(ctx context.Context, got *[3]taken) error {
	ch.giveUp(got)
	e := ch.links[0].eng
	return e.refused(e.leftFor(ctx, &plainCall))
}

// fail is the end of a call whose function has not returned.
//
//go:noinline
func (ch *chain) fail(got *[3]taken) {
	var room [len(got)]share
	c := ch.call(got, &room)
	var none error
	defer c.reportLast(&none)
	c.fail()
}

// over is the rest of a call that passed at the gates, after its first attempt, which ended with err.
//
//go:noinline
func (ch *chain) over(ctx context.Context, got *[3]taken, stay int64, fn func(context.Context) error, err error) error {
	var room [len(got)]share
	c := ch.call(got, &room)
	defer c.reportLast(&err)
	c.again = true
	c.end(ctx, err)
	e, st := retrierOf(ch.links)
	if err = advised(err); err == nil || e == nil || c.kept {
		return retry.Strip(err)
	}
	return c.rerun(ctx, e, st, stay, fn, err, 0)
}
