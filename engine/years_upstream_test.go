package engine_test

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// health is how an upstream is for a while.
type health uint8

const (
	well health = iota
	down
	slow
	hanging  // until the caller's context ends
	flapping // well and down by turns
)

// upstream is the target of the calls of a key. An upstream is well half of the time, with outages
// of a minute to three days.
type upstream struct {
	mu     sync.Mutex
	rng    *rand.Rand
	health health
	until  time.Time
	period time.Duration // of flapping
	healed bool          // for good
}

// now returns the health at this instant, and the pause of a call.
func (u *upstream) now() (h health, pause time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	for !u.healed && !now.Before(u.until) {
		u.health = []health{well, well, well, well, down, down, slow, hanging, flapping}[u.rng.IntN(9)]
		u.period = time.Duration(1+u.rng.IntN(20)) * time.Second
		lasts := time.Duration(math.Exp(u.rng.Float64()*math.Log(3*24*60)) * float64(time.Minute))
		u.until = later(u.until, now.Add(-3*24*time.Hour)).Add(lasts)
	}
	h = u.health
	if h == flapping {
		h = []health{well, down}[now.UnixNano()/int64(u.period)%2]
	}
	switch h {
	case slow:
		pause = time.Duration(u.rng.Int64N(int64(10 * time.Second)))
	case well, down:
		pause = time.Duration(u.rng.Int64N(int64(20 * time.Millisecond)))
	}
	return h, pause
}

// heal ends all outages.
func (u *upstream) heal() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.healed, u.health = true, well
}

// serve is a call of the upstream.
func (u *upstream) serve(ctx context.Context) error {
	h, pause := u.now()
	if h == hanging {
		pause = time.Hour // a caller without a deadline gets an error in the end
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if h == down || h == hanging {
		return errDown
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
