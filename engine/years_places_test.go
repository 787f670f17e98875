package engine_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// guards are the guards of a world beside limits and breakers: each world has some of them, or none.
type guards struct{ places, times, charges bool }

// figureGuards shows the figures of guards.
func (y *years) figureGuards(t *testing.T) {
	figure(t, "placed", y.inside.Load())
	figure(t, "crowded", y.crowded.Load())
	figure(t, "places-lost", y.astray.Load())
	figure(t, "timed", y.timed.Load())
	figure(t, "late", y.late.Load())
	figure(t, "charges", y.charged.Load())
}

// draw draws bounds for calls in flight and for their time.
func (g guards) draw(rng *rand.Rand, cfg *engine.Config) {
	cfg.Concurrency, cfg.Timeout, cfg.AttemptTimeout = nil, 0, 0
	if g.places && rng.IntN(4) > 0 {
		cfg.Concurrency = limiter.InFlight{Max: 1 + rng.IntN(4)}
	}
	if g.times {
		cfg.Timeout = []time.Duration{0, time.Duration(1 + rng.Int64N(int64(20*time.Second)))}[rng.IntN(2)]
		cfg.AttemptTimeout = []time.Duration{0, time.Duration(1 + rng.Int64N(int64(10*time.Second)))}[rng.IntN(2)]
	}
}

// modeOf is what callers have to know of cfg.
func modeOf(cfg engine.Config) *mode {
	m := &mode{perCall: cfg.PerCall, shadow: cfg.Shadow, timeout: cfg.Timeout, attempt: cfg.AttemptTimeout}
	if f, ok := cfg.Concurrency.(limiter.InFlight); ok {
		m.places = f.Max
	}
	return m
}

// enters notes that a function of the call begins, and returns what ends that. A call that has a place is one of the
// calls inside, and there are no more of them than places. With PerCall a further attempt has the place of the first.
func (c *worldCall) enters(ctx context.Context) (leave func()) {
	c.checkTime(ctx)
	for i, k := range []*worldKey{c.key, c.api} {
		if k == nil {
			continue
		}
		m := k.mode.Load()
		anew := c.ran == 0 || !c.modes[i].perCall
		if anew {
			c.placed[i] = m.places > 0 && !m.shadow
		}
		if !c.placed[i] {
			continue
		}
		k.mu.Lock()
		if anew && k.inside >= m.places {
			c.crowded.Add(1)
		}
		k.inside++
		k.mu.Unlock()
		c.inside.Add(1)
	}
	return c.leaves
}

// leaves notes that a function has returned.
func (c *worldCall) leaves() {
	for i, k := range []*worldKey{c.key, c.api} {
		if k != nil && c.placed[i] {
			k.mu.Lock()
			k.inside--
			k.mu.Unlock()
		}
	}
}

// checkPlaces counts the places that are taken when all calls have ended, and the calls that are in flight by Stats.
func (s *side) checkPlaces(w *world) {
	for i := range s.keys {
		shown, _ := s.eng.Inspect(s.keys[i].name)
		w.astray.Add(int64(shown.InFlight))
	}
	if w.guards.places { // no ticket was lost
		w.astray.Add(int64(s.eng.Stats().InFlight))
	}
}

// bounds returns the time limits of the call and of each attempt, 0 for none, if they are those of when it began.
func (c *worldCall) bounds() (call, attempt time.Duration, sure bool) {
	for i, k := range []*worldKey{c.key, c.api} {
		if k == nil {
			continue
		}
		if k.mode.Load() != c.modes[i] {
			return 0, 0, false
		}
		if call == 0 {
			call = c.modes[i].timeout
		}
		if attempt == 0 {
			attempt = c.modes[i].attempt
		}
	}
	return call, attempt, true
}

// checkTime checks the deadline that a function of the call gets.
func (c *worldCall) checkTime(ctx context.Context) {
	call, attempt, sure := c.bounds()
	if !sure {
		return
	}
	deadline, ok := ctx.Deadline()
	if attempt > 0 && (!ok || deadline.After(time.Now().Add(attempt))) || call > 0 && (!ok || deadline.After(c.began.Add(call))) {
		c.late.Add(1)
	}
	if call > 0 || attempt > 0 {
		c.timed.Add(1)
	}
}

// checkEnd checks that a call has not taken longer than it may: functions return when their context ends.
func (c *worldCall) checkEnd() {
	if call, _, sure := c.bounds(); sure && call > 0 && time.Since(c.began) > call {
		c.late.Add(1)
	}
}

// weighs draws what the call costs at its key, and returns the handle with that cost.
func (c *worldCall) weighs(rng *rand.Rand) engine.Key {
	if !c.guards.charges || rng.IntN(2) == 0 {
		return c.key.handle
	}
	c.cost = int64(1 + rng.IntN(c.key.most()))
	return c.key.handle.Cost(int(c.cost))
}

// charge charges the key, mostly with what its bucket holds or less.
func (c *worldCall) charge(rng *rand.Rand, k *worldKey) {
	if !c.guards.charges {
		return
	}
	n := 1 + rng.Int64N(int64(k.most()))
	if rng.IntN(4) == 0 {
		n *= 1 + rng.Int64N(20)
	}
	k.handle.Charge(int(n))
	c.charged.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := c.now()
	k.tighten(now)
	// With fewer places than keys, there may have been no room for the key.
	k.account.charge(now, n, !k.tight && !k.mode.Load().shadow)
}

// charge notes that the bucket lacks n tokens more, up to ten times its capacity, for certain or perhaps. Other calls may
// have got tokens before in this instant and not have noted it yet: what the bucket lacks at least is noted later.
func (a *account) charge(now, n int64, sure bool) {
	a.flow(now)
	if a.capacity == 0 {
		return
	}
	deepest := 10 * a.capacity * a.token
	a.high = max(a.high, min(a.high+n*a.token, deepest))
	if sure && now != a.resetAt {
		a.charged, a.deepest = a.charged+n*a.token, deepest
	}
}

// settleCharge notes the charges of the instant that is over.
func (a *account) settleCharge() {
	a.low = max(a.low, min(a.low+a.charged, a.deepest))
	a.charged = 0
}
