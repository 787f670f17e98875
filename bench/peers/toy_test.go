package peers_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/peers"
)

// toy is a limiter and a breaker behind a mutex, right but for one fault, which the check of the same name should find. Further
// faults: "herd" lets everybody through while half-open, "never" never opens.
type toy struct {
	fault    string
	settings contender.Settings
	now      func() time.Time

	mu    sync.Mutex
	keys  map[string]*toyLimit
	state toyBreaker
}

func toyNames() []string {
	names := []string{"right", "herd", "never", "crashes", "blocks", "spins"}
	for _, f := range peers.Faults(0) {
		names = append(names, f.Name)
	}
	return names
}

func toys() []peers.Subject {
	var all []peers.Subject
	for _, name := range toyNames() {
		all = append(all, toyOf(name))
	}
	return all
}

// toyOf is the toy with a fault as a subject that has everything.
func toyOf(fault string) peers.Subject {
	made := func(s contender.Settings, now func() time.Time) *toy {
		return &toy{fault: fault, settings: s, now: now, keys: map[string]*toyLimit{}}
	}
	limit := func(s contender.Settings, now func() time.Time) (peers.Limit, error) {
		g := made(s, now)
		return peers.Limit{Take: func(n int64) bool { return g.take("k", n) == 0 }, Close: g.Close}, nil
	}
	return peers.Subject{
		Contender: contender.Contender{
			Name: "toy-" + fault, Kind: contender.Model, Does: contender.Pipeline | contender.Waits | contender.Panics,
			Open: []error{contender.ErrOpen},
			New:  func(s contender.Settings) (contender.Guard, error) { return made(s, time.Now), nil },
		},
		Stamped:  limit,
		Counted:  func(s contender.Settings) (peers.Limit, error) { return limit(s, time.Now) },
		Crowded:  func(s contender.Settings) (contender.Guard, error) { return made(s, time.Now), nil },
		Callback: func() error { return toyCallback(fault) },
	}
}

// toyLimit is a bucket.
type toyLimit struct {
	full, last time.Time // when the bucket is full again; when it was last asked
	begun      time.Time // of a window
	used       int
}

// take takes n tokens, or says how long it is until they are there.
func (g *toy) take(key string, n int64) time.Duration {
	if g.fault == "contention" {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now, interval, capacity := g.now(), g.settings.Interval, int64(g.settings.Capacity)
	l := g.keys[key]
	if l == nil {
		if g.fault == "eviction" && len(g.keys) == 100 {
			clear(g.keys)
		}
		l = &toyLimit{full: now, last: now, begun: now}
		g.keys[key] = l
	}
	if n < 1 && g.fault != "negative" || n > capacity && g.fault != "overflow" {
		return time.Hour
	}
	if g.fault == "boundary" {
		return l.window(now, interval, g.settings.Capacity)
	}
	if g.fault == "stamps" && now.Before(l.last) {
		l.full = l.full.Add(now.Sub(l.last))
	}
	l.last = now
	from := l.full
	if from.Before(now) && g.fault != "deficit" {
		from = now
	}
	full := from.Add(time.Duration(n) * interval)
	wait := full.Sub(now) - time.Duration(capacity)*interval
	if wait > 0 {
		return wait
	}
	l.full = full
	return 0
}

func (l *toyLimit) window(now time.Time, interval time.Duration, capacity int) time.Duration {
	length := time.Duration(capacity) * interval
	if now.Sub(l.begun) >= length {
		l.begun, l.used = now, 0
	}
	if l.used == capacity {
		return length - now.Sub(l.begun)
	}
	l.used++
	return 0
}

// owe takes a token that is yet to come.
func (g *toy) owe(key string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.keys[key]
	l.full = l.full.Add(g.settings.Interval)
	return time.Until(l.full) - time.Duration(g.settings.Capacity)*g.settings.Interval
}

func (g *toy) Allow(key contender.Key) bool {
	switch g.fault {
	case "crashes":
		os.Exit(3)
	case "blocks":
		<-make(chan struct{})
	case "spins":
		g.mu.Lock() // a bubble does not see that nobody unlocks it
	}
	return g.take(key.Name, 1) == 0
}

func (g *toy) Wait(ctx context.Context, key contender.Key) error {
	if g.fault != "ended" && ctx.Err() != nil {
		return ctx.Err()
	}
	for {
		wait := g.take(key.Name, 1)
		if wait == 0 {
			return nil
		}
		owed := g.fault == "cancelled" || g.fault == "ended"
		if owed {
			wait = g.owe(key.Name)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
			if owed {
				return nil
			}
		}
	}
}

func (g *toy) Close() error { return nil }

// toyBreaker is closed, open until an instant, or half-open while a probe is out.
type toyBreaker struct {
	failures   int
	open       bool
	until      time.Time // from which the next probe goes
	probe      bool
	lease      time.Time // of the probe
	generation int
}

func (g *toy) Run(ctx context.Context, _ contender.Key, fn func(context.Context) error) error {
	generation, ok := g.admit()
	if !ok {
		return contender.ErrOpen
	}
	err := errors.New("toy: the call has not returned")
	report := func() { g.report(generation, err, ctx.Err() != nil) }
	switch g.fault {
	case "panic":
		err = fn(ctx)
		report()
	case "goexit":
		defer func() {
			if thrown := recover(); thrown != nil {
				report()
				panic(thrown)
			}
		}()
		err = fn(ctx)
		report()
	default:
		defer report()
		err = fn(ctx)
	}
	return err
}

func (g *toy) admit() (generation int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := &g.state
	if !b.open {
		return b.generation, true
	}
	now := g.now()
	if now.Before(b.until) {
		return 0, false
	}
	unleased := map[string]bool{"hang": true, "panic": true, "goexit": true, "neutral": true}
	if b.probe && g.fault != "herd" && (unleased[g.fault] || now.Before(b.lease)) {
		return 0, false
	}
	b.probe, b.lease = true, now.Add(30*time.Second)
	b.generation++
	return b.generation, true
}

func (g *toy) report(generation int, err error, left bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := &g.state
	switch {
	case generation != b.generation && g.fault != "stale":
	case left:
		b.probe = b.probe && g.fault == "neutral"
	case err == nil:
		*b = toyBreaker{generation: b.generation + 1}
	default:
		b.failures++
		if (b.open || b.failures >= g.settings.FailureThreshold) && g.fault != "never" {
			*b = toyBreaker{open: true, until: g.now().Add(g.settings.RecoveryTimeout), generation: b.generation + 1}
		}
	}
}

// toyCallback calls back under the lock that the callback takes, or not.
func toyCallback(fault string) error {
	var mu sync.Mutex
	state := func() { mu.Lock(); mu.Unlock() } //nolint:staticcheck // asking is all that it does
	mu.Lock()
	if fault == "callback" {
		state()
	}
	mu.Unlock()
	state()
	return nil
}
