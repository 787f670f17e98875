package engine_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

var callsFlag = flag.Int64("engine.calls", 20_000/slowdown, "how many calls TestChaos makes")

// weather is a kind of engine for calls, with the rules that must hold there.
type weather struct {
	name    string
	keys    int
	bucket  bucket
	breaker breaker.Policy
	resets  bool // Reset, and tickets that never come back
	single  bool // no call succeeds, so that after the first failure there are only probes: at most one call of a key is under way
	quick   bool // full again all the time, so that keys retire while in use; the admissions are judged over all windows
	scarce  bool // nothing refills, so that all that a key ever gets is its capacity, which goes by the number of calls
	changes bool // policies change all the time; where tokens are scarce, in no way that gives a key any
	forces  bool // somebody forces keys
	places  int  // calls of a key that may be in flight, those in a function of the key included; 0: any number
}

var weathers = []weather{
	{
		name: "all at once", keys: 8, resets: true, forces: true, places: 8,
		bucket: bucket{50, time.Microsecond},
		breaker: breaker.Policy{
			FailureThreshold: 20, RecoveryTimeout: time.Millisecond, ProbeTimeout: 5 * time.Millisecond, ForgetAfter: 2 * time.Millisecond,
			HalfOpenFailures: 1, MaxRecovery: 4 * time.Millisecond, RecoveryJitter: 0.5,
			FailureRate: 0.7, MinCalls: 30, Window: time.Millisecond,
		},
	},
	{
		name: "no token comes back", keys: 40, scarce: true, forces: true,
		bucket: bucket{interval: 1000 * time.Hour},
		breaker: breaker.Policy{
			FailureThreshold: 3, RecoveryTimeout: time.Microsecond, ForgetAfter: time.Microsecond,
			SlowRate: 0.5, SlowAfter: 50 * time.Microsecond, MinCalls: 4, WindowCalls: 10,
		},
	},
	{
		name: "limits change and no token comes back", keys: 40, scarce: true, changes: true,
		bucket:  bucket{interval: 1000 * time.Hour},
		breaker: breaker.Policy{FailureThreshold: 3, RecoveryTimeout: time.Microsecond, ForgetAfter: time.Microsecond},
	},
	{
		name: "anything changes", keys: 16, changes: true, resets: true, places: 5,
		bucket:  bucket{50, time.Microsecond},
		breaker: breaker.Policy{FailureThreshold: 20, RecoveryTimeout: time.Millisecond, ProbeTimeout: 5 * time.Millisecond, ForgetAfter: 2 * time.Millisecond},
	},
	{
		name: "as new all the time", keys: 6, quick: true,
		bucket:  bucket{1, 200 * time.Microsecond},
		breaker: breaker.Policy{FailureThreshold: 1 << 30, FailureRate: 1, MinCalls: 1 << 30, ForgetAfter: time.Microsecond}, // the rate opens nothing either
	},
	{
		name: "half-open for ever", keys: 12, single: true,
		bucket:  bucket{2, 20 * time.Microsecond}, // so that calls queue
		breaker: breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Microsecond, ProbeTimeout: time.Hour, ForgetAfter: 2 * time.Hour, MaxRecovery: 5 * time.Microsecond},
	},
}

// TestChaos has many goroutines call few keys in real time: failures, panics, Goexit,
// cancellations, calls that hang, calls within calls, waits, resets, evictions and spills, and in
// every second round Close in the midst of the calls. Every call has one outcome. A function runs
// if and only if its call was admitted. No key has a second actor, which would bring a second
// bucket and a second probe. (Hazards A1 to A12, B1, B2.) All of it:
//
//	go test ./engine -run 'TestChaos$' -engine.calls 5000000
func TestChaos(t *testing.T) {
	seed := random(t).Uint64()
	before := runtime.NumGoroutine()
	var sum tally
	round := min(20_000, *callsFlag/16+1)
	for i := int64(0); i*round < *callsFlag; i++ {
		w := weathers[i/2%int64(len(weathers))]
		if w.scarce {
			w.bucket.capacity = round/80 + 1 // so that most keys run dry
		}
		c := newChaos(t, w, engine.Dispatch(i%2), rand.New(rand.NewPCG(seed, uint64(i))), i/2/int64(len(weathers))%2 == 0)
		c.play(t, round)
		sum.add(&c.tally)
	}
	left := goroutinesAbove(before)
	figure(t, "calls", sum.begun.Load())
	figure(t, "lost", sum.lost())
	figure(t, "doubled", sum.doubled.Load())
	figure(t, "excess", sum.excess.Load())
	figure(t, "leaked", sum.leaked.Load())
	figure(t, "second-actors", sum.second.Load())
	figure(t, "wedged", sum.wedged.Load())
	figure(t, "crowded", sum.crowded.Load())
	figure(t, "closes-in-flight", sum.closes.Load())
	figure(t, "evictions", sum.evictions.Load())
	figure(t, "changes", sum.changed.Load())
	figure(t, "goroutines-left", int64(left))
	t.Logf("%d calls came through, %d succeeded", sum.ran.Load(), sum.fine.Load())
	require.Zero(t, sum.lost(), "one outcome each")
	require.Zero(t, sum.doubled.Load(), "one outcome each")
	require.Zero(t, sum.excess.Load(), "tokens got beyond the capacity")
	require.Zero(t, sum.leaked.Load(), "tokens that nobody got")
	require.Zero(t, sum.second.Load(), "calls under way beside the only probe")
	require.Zero(t, sum.wedged.Load(), "keys whose probe was over but not its place, or with places that were lost")
	require.Zero(t, sum.crowded.Load(), "calls that found more in flight than may be")
	require.Zero(t, left)
	require.GreaterOrEqual(t, sum.begun.Load(), *callsFlag)
	require.Greater(t, sum.ran.Load(), *callsFlag/10)
	require.Greater(t, sum.evictions.Load(), *callsFlag/100)
	require.Greater(t, sum.changed.Load(), *callsFlag/1000)
}

// tally is the counts of chaos.
type tally struct {
	begun, ended, ran, fine, doubled, excess, leaked, second, wedged, crowded, closes, evictions, changed atomic.Int64
}

func (s *tally) lost() int64 { return s.begun.Load() - s.ended.Load() }

func (s *tally) add(o *tally) {
	for to, n := range map[*atomic.Int64]*atomic.Int64{
		&s.begun: &o.begun, &s.ended: &o.ended, &s.ran: &o.ran, &s.fine: &o.fine, &s.doubled: &o.doubled, &s.excess: &o.excess,
		&s.crowded: &o.crowded, &s.leaked: &o.leaked, &s.second: &o.second, &s.wedged: &o.wedged, &s.closes: &o.closes, &s.evictions: &o.evictions, &s.changed: &o.changed,
	} {
		to.Add(n.Load())
	}
}

// chaos is an engine in a weather.
type chaos struct {
	tally
	weather
	eng      *engine.Engine
	wide     *engine.Engine // of one key that calls of all keys pass too
	rng      *rand.Rand
	inFlight bool // whether Close comes while calls are made
	byPlan   bool // where tokens are scarce, limits of keys come and go
	epoch    time.Time
	keys     []chaosKey
}

// wideKey is the key of chaos.wide.
const wideKey = "all"

// chaosKey is a key as callers see the key.
type chaosKey struct {
	name     string
	handle   engine.Key
	chain    engine.Key      // handle and the wide key
	granted  atomic.Int64    // tokens
	underWay [3]atomic.Int64 // calls whose function runs, by how many functions of the same key they were made in
	inside   atomic.Int64    // all of them

	mu  sync.Mutex
	all []admission // in quick weather
}

func newChaos(t *testing.T, w weather, d engine.Dispatch, rng *rand.Rand, inFlight bool) *chaos {
	cfg := engine.Config{
		Breaker: &w.breaker, Limiter: w.bucket.limiter(), Retry: &retry.Policy{MaxAttempts: chaosAttempts, BaseDelay: 10 * time.Microsecond},
		Classify: chaosOutcome, MaxKeys: w.keys / 2, IdleAfter: 1, Dispatch: d, // 1 ns: a clean key goes with the next sweep, in a millisecond
	}
	switch {
	case w.scarce:
		cfg.MaxWait = time.Millisecond // far less than it takes for a token to come
	case w.quick:
		cfg.MaxWait = engine.NoWait // so that it is known closely when a token was got
	case w.places > 0:
		cfg.Concurrency, cfg.MaxWait = limiter.InFlight{Max: w.places}, time.Millisecond // a call may wait for one that it is made in
	}
	eng, err := engine.New(cfg)
	require.NoError(t, err)
	wide, err := engine.New(engine.Config{ // some calls wait, and some are refused
		Limiter: bucket{50, 10 * time.Microsecond}.limiter(), MaxWait: 200 * time.Microsecond, Dispatch: d,
	})
	require.NoError(t, err)
	c := &chaos{weather: w, epoch: time.Now(), eng: eng, wide: wide, rng: rng, inFlight: inFlight, byPlan: rng.IntN(2) == 0, keys: make([]chaosKey, w.keys)}
	for i := range c.keys {
		k := &c.keys[i]
		k.name = fmt.Sprint("tenant-", i)
		k.handle = eng.Key(k.name)
		k.chain = engine.Chain(k.handle, wide.Key(wideKey))
		if w.single {
			require.ErrorIs(t, eng.Run(t.Context(), k.name, func(context.Context) error { return retry.Permanent(errDown) }), errDown)
		}
	}
	return c
}

// play makes calls from many goroutines and closes the engine, before or after the last call.
func (c *chaos) play(t *testing.T, calls int64) {
	var left atomic.Int64
	left.Store(calls)
	late := make(chan struct{}) // closed when nearly all calls have been made
	var callers sync.WaitGroup
	for range 32 {
		rng := rand.New(rand.NewPCG(c.rng.Uint64(), 0))
		callers.Go(func() {
			for {
				switch n := left.Add(-1); {
				case n < 0:
					return
				case n == calls/20:
					close(late)
				}
				c.call(rng)
			}
		})
	}
	c.operate(t, &callers, &left)
	back := make(chan struct{})
	go func() { // ends with the last caller
		defer close(back)
		callers.Wait()
	}()
	if c.inFlight {
		c.await(t, late)
		c.end(t)
		c.closes.Add(1)
	}
	c.await(t, back)
	if !c.inFlight {
		c.checkTokens()
		c.checkProbes()
		c.checkPlaces()
		c.checkOpened()
		c.end(t)
	}
	for i := range c.keys {
		switch k := &c.keys[i]; {
		case c.scarce:
			c.excess.Add(max(0, k.granted.Load()-c.bucket.capacity))
		case c.quick && len(k.all) > 0:
			c.excess.Add(c.bucket.tokens(c.bucket.excess(k.all)))
		}
	}
}

// chaosHung is the longest time that TestChaos waits for an event. Each event takes about a second,
// so that chaosHung ends a test that hangs, and no busy machine decides a result.
const chaosHung = 5 * time.Minute

// await waits until done is closed, and fails the test after chaosHung.
func (c *chaos) await(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(chaosHung):
		t.Fatalf("%d calls did not come back", c.lost())
	}
}

// end closes the engine.
func (c *chaos) end(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), chaosHung)
	defer cancel()
	require.NoError(t, c.eng.Close(ctx))
	require.NoError(t, c.wide.Close(ctx))
	require.Zero(t, c.wide.Stats().Restarts)
	stats := c.eng.Stats()
	require.Zero(t, stats.Restarts)
	require.Zero(t, stats.Actors)
	require.LessOrEqual(t, stats.Keys, c.weather.keys/2)
	c.evictions.Add(int64(stats.Evicted + stats.Spilled)) //nolint:gosec // far from the limit
}

// checkTokens takes the remaining tokens, where tokens do not come back. The remaining and the
// granted tokens together are the capacity.
func (c *chaos) checkTokens() {
	if !c.scarce {
		return
	}
	for i := range c.keys {
		k := &c.keys[i]
		for k.handle.Allow() {
			k.granted.Add(1)
		}
		c.leaked.Add(max(0, c.bucket.capacity-k.granted.Load()))
	}
	if c.changes { // a key that was spilled before a change comes back empty
		c.leaked.Store(0)
		return
	}
	c.leaked.Add(-int64(c.eng.Stats().KeptSpent)) //nolint:gosec // few: of calls whose context ended before their function began
}
