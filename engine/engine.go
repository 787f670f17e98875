package engine

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// Engine guards calls. [New] makes an Engine, and [Engine.Close] ends it. Any goroutine may call the
// methods.
type Engine struct {
	// Set in New, never changed.
	name      string
	behavior  *guard.Behavior
	system    *guard.System
	counters  *guard.Counters
	clock     clock.Clock
	dispatch  Dispatch
	driver    driver                 // nil but in simulations
	base      time.Time              // the instant 0 of the system, if monotonic
	monotonic bool                   // whether the clock is the system's
	since     time.Time              // of the system's instants
	prepare   func(*guard.Gate) bool // whether a key may be born with the policy of every key

	settings  atomic.Pointer[settings]
	forced    atomic.Int64             // keys whose breaker is forced; Counters.ForcedKeys
	changes   sync.Mutex               // for one Reconfigure at a time
	latency   atomic.Pointer[measured] // from the first Config.Latency on
	refreshed atomic.Uint64            // calls of Refresh that have begun
	revision  atomic.Uint64            // changes that are in force
	retried   atomic.Uint64            // calls that were tried again, so that each has jitter of its own
	ended     atomic.Bool
	closing   chan struct{} // closed when Close is first called

	background sync.Mutex     // orders the start of a goroutine by Go before or after Close
	calls      sync.WaitGroup // the goroutines of Go
	begun      atomic.Int64   // how many of those have not ended
	joined     chan struct{}  // closed when the last of them has ended
}

// New checks cfg and starts an engine. The error joins one *ConfigError for each field that cannot be
// used.
func New(cfg Config) (*Engine, error) { return newEngine(cfg, nil) }

// newEngine is New for an engine that d drives; nil for goroutines.
func newEngine(cfg Config, d driver) (*Engine, error) {
	policy, ac, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	e := &Engine{
		name:     cfg.Name,
		clock:    cfg.Clock,
		dispatch: cfg.Dispatch,
		driver:   d,
		closing:  make(chan struct{}),
		joined:   make(chan struct{}),
	}
	if e.clock == nil {
		e.clock = clock.System()
	}
	e.since = e.clock.Now()
	st := e.newSettings(cfg, policy)
	e.behavior = guard.New(policy, st.shared == nil)
	st.version = e.behavior.Current()
	e.settings.Store(st)
	e.prepare = func(*guard.Gate) bool { return e.behavior.Current().Shared() != nil }
	e.counters = e.behavior.Counters
	e.counters.ForcedKeys = &e.forced
	ac.Clock = e.clock
	var b behavior = e.behavior
	if d != nil {
		b, ac.Driver = d.Observe(e.behavior), d
	}
	if e.system, err = actors.New(b, ac); err != nil {
		return nil, err
	}
	if base := e.system.Base(); !base.IsZero() {
		e.base, e.monotonic = base.Add(-1), true
	}
	return e, nil
}

// Close ends the engine. It refuses new work, fails the callers that wait for the limiter or sleep
// between two attempts with ErrClosed, and waits until every goroutine of the engine and of [Go] has
// ended. If ctx ends first, Close returns the error of ctx, and the engine goes on closing. Close does
// not wait for functions on their callers' goroutines: these run to their end, and their outcomes are
// dropped. Any goroutine may call Close, also again and at the same time.
//
// Inside a function that Go started, of this engine or another, Close waits for the engine's own
// goroutines alone, because the function could be one of those to wait for. If functions of Go are
// still running then, Close returns ErrCloseInGo.
//
// Give Close a context of its own, with a timeout: with a context that a signal has just cancelled,
// Close returns at once.
func (e *Engine) Close(ctx context.Context) error {
	e.background.Lock()
	first := !e.ended.Swap(true)
	e.background.Unlock()
	if first {
		e.shut()
		close(e.closing)
		if e.driver == nil {
			go e.joinCalls() // ends with the last goroutine of Go
		} else {
			e.joinCalls()
		}
	}
	if err := e.system.Close(ctx); err != nil {
		return cmp.Or(e.endOf(ctx), err)
	}
	select {
	case <-e.joined:
		return nil
	default:
	}
	if e.begun.Load() > 0 && insideGo() {
		return ErrCloseInGo
	}
	select {
	case <-e.joined:
		return nil
	case <-ctx.Done():
		return cmp.Or(e.endOf(ctx), context.Canceled)
	}
}

// joinCalls waits for the goroutines of Go.
func (e *Engine) joinCalls() {
	e.calls.Wait()
	close(e.joined)
}

// Name returns Config.Name.
func (e *Engine) Name() string { return e.name }

// Since returns when e was made, by the engine's clock. The counters of [Engine.Stats] count from then on.
func (e *Engine) Since() time.Time { return e.since }

// Keys iterates over the keys known. Keys that come or go during the iteration may be missing.
func (e *Engine) Keys() iter.Seq[string] { return e.system.Keys() }

// place is the way to a key's cell: by the key's name or, for a handle, by the cell that was found last.
type place struct {
	key  string
	cell *atomic.Pointer[guard.Cell] // nil without a handle
}

// held returns the cell that a handle holds, or nil. A handle forgets a cell that has been retired.
func (p *place) held() *guard.Cell {
	if p.cell == nil {
		return nil
	}
	if c := p.cell.Load(); c != nil && !c.Published.Retired() {
		return c
	}
	return nil
}

// instant reads the clock as the Now of the system does, for two calls less. Engine.run has the same written out.
func (e *Engine) instant() int64 {
	if e.monotonic {
		return int64(time.Since(e.base))
	}
	return e.system.Now()
}

// bear returns the cell of a key that has not been found; without a handle, h is what the lookup returned. The
// error is the refusal of a key for which there is no room.
func (e *Engine) bear(p *place, h actors.Hash) (c *guard.Cell, err error) {
	if p.cell == nil {
		c, err = e.keep(p, nil, h)
	} else {
		c, err = e.find(p)
	}
	if err != nil {
		return nil, e.refused(e.asRefusal(p.key, err))
	}
	return c, nil
}

// asRefusal returns the error of a call for a key that has no cell because of err.
func (e *Engine) asRefusal(key string, err error) error {
	if errors.Is(err, actors.ErrKeyLimit) || errors.Is(err, actors.ErrClosed) {
		return e.refuse(key, err, 0)
	}
	return err // LimiterFor gave a limit that cannot be used
}

// find returns the cell, and makes one if there is none.
func (e *Engine) find(p *place) (*guard.Cell, error) {
	if c := p.held(); c != nil {
		return c, nil
	}
	c, h := e.system.Lookup(p.key)
	if c != nil && p.cell == nil {
		return c, nil
	}
	return e.keep(p, c, h)
}

// keep ends a search for the cell: c and h are what the lookup returned. keep makes the cell if c is
// nil, and gives the cell to the handle.
func (e *Engine) keep(p *place, c *guard.Cell, h actors.Hash) (*guard.Cell, error) {
	if c == nil {
		var err error
		if c, err = e.bearCell(p.key, h); err != nil {
			return nil, err
		}
	}
	if p.cell != nil {
		p.cell.Store(c)
	}
	return c, nil
}

// refuse makes the error of a refusal; at is the instant from which a retry would be admitted, or 0.
func (e *Engine) refuse(key string, reason error, at int64) error {
	switch {
	case reason == guard.ErrForced: //nolint:errorlint // never wrapped
		reason, at = breaker.ErrOpen, byHand(at)
	case errors.Is(reason, actors.ErrClosed):
		reason = ErrClosed
	case errors.Is(reason, actors.ErrKeyLimit):
		reason = ErrKeyLimit
	}
	return &Rejection{Engine: e.name, Key: key, Stage: stageOf(reason), Err: reason, at: at, eng: e}
}
