package engine

import (
	"context"
	"sync/atomic"
)

// Key is a handle for one key that skips the lookup, for a connection or whatever else calls often. It stays good for as
// long as the engine does, also when the key is forgotten and comes back; it does not keep the key from being forgotten.
// Copies are the same handle. Make one with [Engine.Key]; methods of the zero Key panic.
type Key struct {
	eng *Engine
	place
}

// Key returns a handle for key. It does not make the key known.
func (e *Engine) Key(key string) Key { return Key{e, place{key: key, cell: new(atomic.Pointer[cell])}} }

// String is the key.
func (k Key) String() string { return k.key }

// Run is [Engine.Run] for this key. For a function with a result see [DoKey].
func (k Key) Run(ctx context.Context, fn func(context.Context) error) error {
	return k.eng.run(ctx, k.place, fn)
}

// Admit is [Engine.Admit] for this key.
func (k Key) Admit(ctx context.Context) (*Ticket, error) {
	return k.eng.ticket(ctx, k.place, new(Ticket))
}

// Allow is [Engine.Allow] for this key.
func (k Key) Allow() bool { return k.eng.allow(k.place, 1) }

// AllowN is [Engine.AllowN] for this key.
func (k Key) AllowN(n int) bool { return k.eng.allow(k.place, n) }

// Acquire is [Engine.Acquire] for this key.
func (k Key) Acquire(ctx context.Context) error { return k.eng.acquire(ctx, k.place, 1) }

// AcquireN is [Engine.AcquireN] for this key.
func (k Key) AcquireN(ctx context.Context, n int) error { return k.eng.acquire(ctx, k.place, n) }

// Inspect is [Engine.Inspect] for this key.
func (k Key) Inspect() (Snapshot, bool) { return k.eng.Inspect(k.key) }

// Reset is [Engine.Reset] for this key.
func (k Key) Reset() { k.eng.Reset(k.key) }
