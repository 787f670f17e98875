package engine

import (
	"context"
	"iter"
	"math"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// Key is a handle for one key of an engine. A Key skips the lookup of the key's name, for a
// connection or another caller that calls often.
//
// A Key stays good for as long as its engine, also if the key is forgotten and comes back; a Key does
// not keep the key from being forgotten. Copies are the same handle. [Engine.Key] makes a Key; methods
// of the zero Key panic. Any goroutine may call the methods.
//
// [Key.NoWait], [Key.Within] and [Key.Cost] return a changed copy: the copy is the same handle, and the changes
// hold for the calls that are made through the copy.
type Key struct {
	*handle
	stay  int64  // guard.Demand.Stay of the calls made through the handle
	chain *chain // of more keys than one; nil otherwise
}

// Key returns a handle for key. Key does not make the key known.
func (e *Engine) Key(key string) Key {
	h := &handle{eng: e, place: place{key: key}}
	h.cell = &h.found
	return Key{handle: h}
}

// handle is the part that all copies of a Key share: a call passes one pointer.
type handle struct {
	eng *Engine
	place
	found atomic.Pointer[guard.Cell] // of place.cell
}

// NoWait returns a Key whose calls never wait in the limiter's queue. A call that would have to wait
// is refused at once with a *Rejection that holds limiter.ErrLimited. NoWait undoes [Key.Within].
func (k Key) NoWait() Key {
	k.stay = guard.NoStay
	return k
}

// Within returns a Key whose calls spend at most d in the limiter's queue, all attempts of a call
// together, as far as the wait can be foreseen when the call comes. If the wait would be longer, the
// call is refused at once with a *Rejection that holds limiter.ErrLimited. Config.MaxWait and the call's context hold as well. Within undoes [Key.NoWait].
//
// d must be above 0; otherwise every call through the Key returns a *ConfigError, and Allow is false.
// Allow never waits, with or without Within.
func (k Key) Within(d time.Duration) Key {
	k.stay = stayOf(d)
	return k
}

// Cost returns a Key whose calls take n tokens each instead of one: for work that weighs more than other work, if
// the weight is known before. A retry takes n tokens again. For a weight that is known only afterwards there is
// [Key.Charge]. Cost binds to its own key, also as a member of a [Chain]: the Cost of a chain is that of its
// first key. AllowN and AcquireN name their own number.
//
// n must be at least 1; otherwise every call through the Key returns a *ConfigError, and Allow is false. If n is
// above the capacity, calls are refused with limiter.ErrExceedsCapacity.
func (k Key) Cost(n int) Key {
	return k.weighing(n)
}

// badStay, plus the value, 0 or below, that Within was given, stands for a stay that is an error.
const badStay = guard.NoStay - 1

// stayOf returns guard.Demand.Stay for a bound on the stay that must be above 0.
func stayOf(d time.Duration) int64 {
	if d <= 0 {
		return max(int64(d), math.MinInt64-badStay) + badStay
	}
	return int64(d)
}

// errStay returns the error of stay, below guard.NoStay, which Within was given by mistake.
func errStay(stay int64) error {
	return &ConfigError{Field: "Within", Value: time.Duration(stay - badStay), Reason: "must be above 0 (NoWait never queues)"}
}

// Engines returns the engine of k or, for a [Chain], of each key, from narrow to wide.
func (k Key) Engines() iter.Seq[*Engine] {
	return func(yield func(*Engine) bool) {
		if k.chain == nil {
			yield(k.link(1).eng)
			return
		}
		for i := range k.chain.links {
			if !yield(k.chain.links[i].eng) {
				return
			}
		}
	}
}

// String returns the key.
func (k Key) String() string {
	if k.handle == nil {
		return ""
	}
	return k.key
}

// Run is [Engine.Run] for this key. For a function with a result see [DoKey].
func (k Key) Run(ctx context.Context, fn func(context.Context) error) error {
	return k.eng.run(ctx, &k.place, k.stay, k.chain, fn)
}

// Admit is [Engine.Admit] for this key.
func (k Key) Admit(ctx context.Context) (*Ticket, error) {
	return k.admit(ctx, new(Ticket))
}

// admit fills in t, which Admit makes: see [Engine.ticket].
func (k *Key) admit(ctx context.Context, t *Ticket) (*Ticket, error) {
	if k.chain != nil {
		return k.chain.ticket(ctx, k.stay, t)
	}
	return k.eng.ticket(ctx, &k.place, k.stay, t)
}

// Allow is [Engine.Allow] for this key.
func (k Key) Allow() bool {
	return k.AllowN(k.cost())
}

// AllowN is [Engine.AllowN] for this key. In a chain n is for the first key; each wider key gives one token, or
// its own Cost.
func (k Key) AllowN(n int) bool {
	if k.chain != nil {
		return k.stay >= guard.NoStay && k.chain.acquire(context.Background(), n, guard.NoStay, limiter.Immediate) == nil
	}
	return k.stay >= guard.NoStay && k.eng.allow(&k.place, n)
}

// Acquire is [Engine.Acquire] for this key.
func (k Key) Acquire(ctx context.Context) error { return k.AcquireN(ctx, k.cost()) }

// AcquireN is [Engine.AcquireN] for this key. In a chain n is for the first key; each wider key gives one token,
// or its own Cost.
func (k Key) AcquireN(ctx context.Context, n int) error {
	if k.chain != nil {
		return k.chain.acquire(ctx, n, k.stay, limiter.Queued)
	}
	return k.eng.acquire(ctx, &k.place, n, k.stay)
}

// Inspect is [Engine.Inspect] for this key.
func (k Key) Inspect() (Snapshot, bool) { return k.eng.Inspect(k.key) }

// Reset is [Engine.Reset] for this key.
func (k Key) Reset() { k.eng.Reset(k.key) }
