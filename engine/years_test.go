package engine_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

var daysFlag = flag.Int("engine.days", max(1, 6/slowdown), "how many simulated days TestYearsOfOutages lives through; 1,827 are five years")

// TestYearsOfOutages has callers use fifty keys for days on end, a few busy minutes several times a
// day, while upstreams go down and come back, flap, slow down and hang: with retries, waits,
// deadlines, cancellations, resets, and fewer places than keys, so that keys are forgotten and
// spilled all the time. Every call has an outcome. No key gets more than its bucket gives, to the
// nanosecond and in every window, and no key gets less. When the upstreams are well again, every
// key is. All of it:
//
//	go test ./engine -run YearsOfOutages -engine.days 1830 -timeout 30m
func TestYearsOfOutages(t *testing.T) {
	seed := random(t).Uint64()
	const together = 1 // days in one bubble
	var bubbles, days atomic.Int64
	var sum years
	inParallel(t, func(t *testing.T, _, _ int) {
		for {
			n := bubbles.Add(1)
			if (n-1)*together >= int64(*daysFlag) {
				return
			}
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				w := newWorld(t, &sum, rand.New(rand.NewPCG(seed, uint64(n))), int(n))
				w.live(t, together)
				days.Add(int64(time.Since(begin) / (24 * time.Hour)))
			})
		}
	})
	figure(t, "calls", sum.begun.Load())
	figure(t, "lost", sum.begun.Load()-sum.ended.Load())
	figure(t, "doubled", sum.doubled.Load())
	t.Attr("simulated-years", strconv.FormatFloat(float64(days.Load())/365.25, 'f', 2, 64))
	figure(t, "excess", sum.excess.Load())
	figure(t, "leaked", sum.leaked.Load())
	figure(t, "wedged", sum.wedged.Load())
	figure(t, "outages", sum.opens.Load())
	figure(t, "recoveries", sum.recoveries.Load())
	figure(t, "waits", sum.waits.Load())
	figure(t, "spills", sum.spills.Load())
	figure(t, "evictions", sum.evictions.Load())
	require.GreaterOrEqual(t, days.Load(), int64(*daysFlag))
	require.Equal(t, sum.begun.Load(), sum.ended.Load(), "one outcome each")
	require.Zero(t, sum.doubled.Load(), "one outcome each")
	require.Zero(t, sum.excess.Load(), "tokens got beyond the bound of some window")
	require.Zero(t, sum.minted.Load(), "tokens in a bucket that were got before")
	require.Zero(t, sum.leaked.Load(), "tokens that nobody got")
	require.Zero(t, sum.wedged.Load(), "keys that did not come back")
	for name, n := range map[string]int64{
		"outages": sum.opens.Load(), "recoveries": sum.recoveries.Load(), "waits": sum.waits.Load(), "spills": sum.spills.Load(),
		"evictions": sum.evictions.Load(), "cancelled calls": sum.cancelled.Load(), "looks at buckets": sum.looks.Load(),
	} {
		require.Greater(t, n, int64(*daysFlag), "too few %s for this to say much", name)
	}
}

// years are the counts of all bubbles.
type years struct {
	begun, ended, doubled, excess, minted, leaked, wedged         atomic.Int64
	opens, recoveries, waits, spills, evictions, cancelled, looks atomic.Int64
}

// world is an engine with callers and upstreams.
type world struct {
	*years
	eng    *engine.Engine
	rng    *rand.Rand
	epoch  time.Time
	rules  breaker.Policy
	bucket bucket
	keys   [50]worldKey
}

// worldKey is a key as callers see the key.
type worldKey struct {
	upstream
	name   string
	handle engine.Key

	mu      sync.Mutex
	account account
	refused bool // by its breaker, since it last came through
}

func newWorld(t *testing.T, sum *years, rng *rand.Rand, n int) *world {
	w := &world{years: sum, rng: rng, epoch: time.Now()}
	w.bucket = bucket{1 + rng.Int64N(10), time.Duration(1 + rng.Int64N(int64(3*time.Second)))}
	w.rules = breaker.Policy{
		FailureThreshold: 1 + rng.IntN(5), RecoveryTimeout: time.Duration(1+rng.IntN(60)) * time.Second,
		HalfOpenProbes: 1 + rng.IntN(3), HalfOpenSuccesses: 1 + rng.IntN(3), ProbeTimeout: time.Duration(1+rng.IntN(60)) * time.Second,
	}
	cfg := engine.Config{
		Limiter: w.bucket.limiter(), Breaker: &w.rules, Dispatch: engine.Dispatch(n % 2),
		Retry:     &retry.Policy{MaxAttempts: worldAttempts, BaseDelay: 200 * time.Millisecond, Seed: rng.Uint64() | 1},
		MaxKeys:   []int{12, 30, 100}[(n-1)%3],
		IdleAfter: []time.Duration{time.Minute, 10 * time.Minute}[rng.IntN(2)],
	}
	if rng.IntN(4) == 0 {
		cfg.Limiter = limiter.All(cfg.Limiter, limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(7, 10*time.Second)})
	}
	var err error
	w.eng, err = engine.New(cfg)
	require.NoError(t, err)
	for i := range w.keys {
		k := &w.keys[i]
		k.name = "tenant-" + strconv.Itoa(i)
		k.handle = w.eng.Key(k.name)
		k.account = newAccount(w.bucket)
		k.rng = rand.New(rand.NewPCG(rng.Uint64(), 0))
		k.until = w.epoch
	}
	return w
}

// now is the instant for the accounts.
func (w *world) now() int64 { return int64(time.Since(w.epoch)) }

// live has the callers live for some days, heals the upstreams and sees whether all is well.
func (w *world) live(t *testing.T, days int) {
	const callers, busyTimes, calls = 20, 8, 60
	var wg sync.WaitGroup
	for range callers {
		rng := rand.New(rand.NewPCG(w.rng.Uint64(), 0))
		wg.Go(func() {
			for busy := range days * busyTimes {
				at := time.Duration(busy)*24*time.Hour/busyTimes + time.Duration(rng.IntN(30))*time.Second
				time.Sleep(time.Until(w.epoch.Add(at)))
				for range calls {
					w.call(rng)
					time.Sleep(time.Duration(rng.ExpFloat64() * float64(time.Second)))
				}
			}
		})
	}
	over := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { w.watch(over) })
	time.Sleep(time.Until(w.epoch.Add(time.Duration(days) * 24 * time.Hour)))
	for i := range w.keys {
		w.keys[i].heal()
	}
	waitFor(t, &wg)
	close(over)
	watcher.Wait()
	time.Sleep(w.rules.ProbeTimeout + w.rules.RecoveryTimeout)
	for i := range w.keys {
		for range w.rules.HalfOpenSuccesses {
			if w.eng.Run(context.Background(), w.keys[i].name, succeed) != nil {
				w.wedged.Add(1)
			}
		}
		if inspect(t, w.eng, w.keys[i].name).Breaker != breaker.Closed {
			w.wedged.Add(1)
		}
		w.excess.Add(w.bucket.tokens(w.keys[i].account.worst))
	}
	stats := w.eng.Stats()
	require.Zero(t, stats.Restarts)
	w.spills.Add(int64(stats.Spilled))    //nolint:gosec // far from the limit
	w.evictions.Add(int64(stats.Evicted)) //nolint:gosec // far from the limit
	require.NoError(t, w.eng.Close(context.Background()))
	require.Zero(t, w.eng.Stats().Actors)
}

// watch checks, now and then, whether every bucket lacks exactly the tokens that were taken.
func (w *world) watch(over <-chan struct{}) {
	rng := rand.New(rand.NewPCG(w.rng.Uint64(), 0))
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(rng.Int64N(int64(10 * time.Minute)))):
		}
		synctest.Wait()
		for i := range w.keys {
			k := &w.keys[i]
			s, known := w.eng.Inspect(k.name)
			if !known {
				continue
			}
			k.mu.Lock()
			leaked, minted := k.account.astray(w.now(), s.Limits[0].Available)
			k.mu.Unlock()
			w.leaked.Add(leaked)
			w.minted.Add(minted)
			w.looks.Add(1)
		}
	}
}
