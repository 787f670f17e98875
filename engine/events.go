package engine

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// EventKind is the subject of an [Event].
type EventKind int

// The kinds. Each change of the state that Stats.OpenKeys and Stats.HalfOpenKeys count is one event of the
// first four kinds.
const (
	// Tripped: a breaker has opened. Until is the instant from which it lets a probe through. Reason says
	// why; errors.Is finds the error of the last attempt.
	Tripped EventKind = iota + 1
	// Probing: a breaker is half-open, and has let its first probe through.
	Probing
	// Recovered: a breaker is closed. Reason is nil if probes succeeded. Otherwise the breaker
	// was closed by a Reset or a change of the Config, the key was forgotten, or a forced state has ended.
	Recovered
	// Forced: Engine.Force has opened or closed a breaker, as To says. Until is the end of the state,
	// or zero with breaker.Forever. The key is forced until its next event of the kind Recovered,
	// whatever From and To are.
	Forced
	// Reconfigured: Engine.Reconfigure or, if Key is set, Engine.Refresh has put limits into force.
	Reconfigured
	// SketchFull: Stats.SketchLoad has risen above 0.5.
	SketchFull
	// Restarted: the actor of a key has panicked and goes on: a fault of this library. Reason is the panic.
	Restarted
	// StoreDown and StoreUp: the store that several processes share does not answer, and answers again. No
	// engine has such a store yet.
	StoreDown
	StoreUp
)

// String returns the kind in lower-case letters, words joined by "_".
func (k EventKind) String() string {
	names := [...]string{
		Tripped: "tripped", Probing: "probing", Recovered: "recovered", Forced: "forced", Reconfigured: "reconfigured",
		SketchFull: "sketch_full", Restarted: "restarted", StoreDown: "store_down", StoreUp: "store_up",
	}
	if k < Tripped || int(k) >= len(names) {
		return fmt.Sprintf("EventKind(%d)", int(k))
	}
	return names[k]
}

// Event is a change in an engine; see [Engine.Events].
type Event struct {
	Seq    uint64        // the number of the event, from 1. A gap is what a slow reader missed
	At     time.Time     // by the engine's clock, without the steps of a clock that is set
	Kind   EventKind     // the subject
	Engine string        // Config.Name
	Key    string        // empty if the event concerns every key
	From   breaker.State // of a breaker: the state before
	To     breaker.State // and after
	Reason error         // see the kinds; else nil. The engine keeps it as long as the event
	Until  time.Time     // of Tripped and Forced: when the state ends; else zero
}

// Events returns the events of e from this call on. The iteration waits for the next event. It ends with ctx or,
// after the last event, with [Engine.Close]. An engine keeps its last 4,096 events, whether there are readers
// or not, and no call waits for a reader: a reader that is further behind misses events, and sees a gap in
// Event.Seq. Any goroutine may iterate.
func (e *Engine) Events(ctx context.Context) iter.Seq[Event] {
	return e.EventsSince(ctx, e.behavior.Events.Last())
}

// EventsSince is [Engine.Events] that begins with the event after number seq; with 0 it begins with the first
// event that is kept. A seq that no event has had yet stands for the last event.
func (e *Engine) EventsSince(ctx context.Context, seq uint64) iter.Seq[Event] {
	next := min(seq, e.behavior.Events.Last()) + 1
	return func(yield func(Event) bool) {
		next := next
		var batch [16]guard.Event
		for ctx.Err() == nil {
			ended := e.ended.Load()
			first, n, more := e.behavior.Events.Read(next, batch[:])
			for i := range batch[:n] {
				if ctx.Err() != nil || !yield(e.event(first+uint64(i), &batch[i])) { //nolint:gosec // not negative
					return
				}
			}
			next = first + uint64(n) //nolint:gosec // not negative
			if n > 0 {
				continue
			}
			if ended {
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
			case <-e.closing:
			}
		}
	}
}

// event returns an event for users.
func (e *Engine) event(seq uint64, g *guard.Event) Event {
	ev := Event{
		Seq: seq, At: e.timeOf(g.At), Kind: EventKind(g.Kind), Engine: e.name, Key: g.Key,
		From: g.From, To: g.To, Reason: g.Reason(),
	}
	if g.Until > 0 {
		ev.Until = e.timeOf(g.Until)
	}
	return ev
}

// timeOf returns an instant of the engine as a time.
func (e *Engine) timeOf(instant int64) time.Time { return e.since.Add(time.Duration(instant - 1)) }

// changed makes known that limits have been put into force: for every key, or for one.
func (e *Engine) changed(now int64, key string) {
	e.behavior.Events.Add(guard.Event{At: now, Kind: guard.Reconfigured, Key: key})
}

// LogEvents writes the events of engines to l, and returns when ctx ends or all engines are closed. It begins with
// the events that the engines have kept, so that none is missed if LogEvents is started with go right after New.
//
// The message of a record is the kind of the event. The attributes, without those that do not apply, are
// engine, key (at most 64 bytes of it), from, to, reason, until and, after a gap, missed: the number of events
// before this one that are lost. Tripped, Forced, SketchFull and StoreDown are warnings, Restarted is an error,
// and all others are for information. The time of a record is that of the event.
func LogEvents(ctx context.Context, l *slog.Logger, engines ...*Engine) {
	var group sync.WaitGroup
	for _, e := range engines {
		group.Go(func() {
			var last uint64
			for ev := range e.EventsSince(ctx, 0) {
				ev.log(ctx, l, ev.Seq-last-1)
				last = ev.Seq
			}
		})
	}
	group.Wait()
}

// log writes the event, before which as many as missed were lost.
func (ev *Event) log(ctx context.Context, l *slog.Logger, missed uint64) {
	level := slog.LevelInfo
	switch ev.Kind {
	case Tripped, Forced, SketchFull, StoreDown:
		level = slog.LevelWarn
	case Restarted:
		level = slog.LevelError
	}
	if !l.Enabled(ctx, level) {
		return
	}
	r := slog.NewRecord(ev.At, level, ev.Kind.String(), 0)
	add := func(is bool, attr slog.Attr) {
		if is {
			r.AddAttrs(attr)
		}
	}
	add(ev.Engine != "", slog.String("engine", ev.Engine))
	add(ev.Key != "", slog.String("key", beginning(ev.Key)))
	changes := ev.From != ev.To || ev.Kind == Forced
	add(changes, slog.String("from", ev.From.String()))
	add(changes, slog.String("to", ev.To.String()))
	if ev.Reason != nil {
		r.AddAttrs(slog.String("reason", ev.Reason.Error()))
	}
	add(!ev.Until.IsZero(), slog.Time("until", ev.Until))
	add(missed > 0, slog.Uint64("missed", missed))
	_ = l.Handler().Handle(ctx, r) // as Logger does
}
