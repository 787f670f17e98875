package engine_test

import (
	"flag"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

var daysFlag = flag.Int("engine.days", max(1, 6/slowdown), "how many simulated days TestYearsOfOutages lives through; 1,827 are five years")

// TestYearsOfOutages has callers use fifty keys for days on end, a few busy minutes several times a
// day, while upstreams go down and come back, flap, slow down and hang: with retries, waits,
// deadlines, cancellations, resets, breakers forced by hand, and fewer places than keys, so that keys are forgotten and
// spilled all the time. A third of the calls go through a chain of such a key and one of five keys
// of another engine. Every call has an outcome. No key gets more than its bucket gives, to the
// nanosecond and in every window, and no key gets less, but for the tokens that Stats counts as
// kept spent. When the upstreams are well again, every key is. In four worlds of five, everything about an
// engine that may change does, many times a day; while an engine is in shadow, it refuses no call. In half of the
// worlds the calls in flight are bounded: no more than the bound are inside, and in the end all places are back. In
// half of the worlds calls and attempts have time limits, and end in time; in half of the worlds some calls cost more
// than a token, and keys are charged, so that their buckets owe up to ten times what they hold. All of it:
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
	figure(t, "chained", sum.chained.Load())
	figure(t, "kept-spent", sum.kept.Load())
	figure(t, "changes", sum.changed.Load())
	figure(t, "forced", sum.forced.Load())
	sum.figureGuards(t)
	require.GreaterOrEqual(t, days.Load(), int64(*daysFlag))
	sum.requireWell(t)
	for name, n := range map[string]int64{
		"outages": sum.opens.Load(), "recoveries": sum.recoveries.Load(), "waits": sum.waits.Load(), "spills": sum.spills.Load(),
		"evictions": sum.evictions.Load(), "cancelled calls": sum.cancelled.Load(), "looks at buckets": sum.looks.Load(), "calls through chains": sum.chained.Load(),
		"changes": sum.changed.Load() / 10, "forced breakers": sum.forced.Load(),
		"calls with a place": sum.inside.Load() / 10, "calls with time limits": sum.timed.Load() / 10, "charges": sum.charged.Load(),
	} {
		require.Greater(t, n, int64(*daysFlag), "too few %s for this to say much", name)
	}
}

// years are the counts of all bubbles.
type years struct {
	begun, ended, doubled, excess, minted, leaked, wedged         atomic.Int64
	opens, recoveries, waits, spills, evictions, cancelled, looks atomic.Int64
	chained, kept, changed, blocked, forced, unforced             atomic.Int64
	inside, crowded, astray, timed, late, charged                 atomic.Int64
}

// requireWell checks the counts of what must not be.
func (y *years) requireWell(t *testing.T) {
	t.Helper()
	require.Equal(t, y.begun.Load(), y.ended.Load(), "one outcome each")
	require.Zero(t, y.doubled.Load(), "one outcome each")
	require.Zero(t, y.excess.Load(), "tokens got beyond the bound of some window")
	require.Zero(t, y.minted.Load(), "tokens in a bucket that were got before")
	require.Zero(t, y.leaked.Load(), "tokens that nobody got")
	require.Zero(t, y.wedged.Load(), "keys that did not come back")
	require.Zero(t, y.blocked.Load(), "refusals in shadow")
	require.Zero(t, y.crowded.Load(), "calls in flight beyond the bound")
	require.Zero(t, y.astray.Load(), "places that are not back")
	require.Zero(t, y.late.Load(), "calls and attempts that took too long")
	require.Zero(t, y.unforced.Load(), "breakers that could not be forced")
}

// world is two engines with callers and upstreams. The keys of the second are the wider ones.
type world struct {
	*years
	rng           *rand.Rand
	epoch         time.Time
	tenants, apis side
	guards        guards
}

func newWorld(t *testing.T, sum *years, rng *rand.Rand, n int) *world {
	w := &world{years: sum, rng: rng, epoch: time.Now()}
	w.tenants.changes, w.apis.changes = n%5 > 0, n%5 > 0
	w.guards = guards{places: n/2%2 == 0, times: n/4%2 == 0, charges: n/3%2 == 0}
	w.tenants.unit = 1 + rng.Int64N(int64(time.Second/2))
	cfg := engine.Config{
		Name: "tenant", Dispatch: engine.Dispatch(n % 2),
		Retry:     &retry.Policy{MaxAttempts: worldAttempts, BaseDelay: 200 * time.Millisecond, Seed: rng.Uint64() | 1},
		MaxKeys:   []int{12, 30, 100}[(n-1)%3],
		IdleAfter: []time.Duration{time.Minute, 10 * time.Minute}[rng.IntN(2)],
	}
	if rng.IntN(4) == 0 {
		cfg.Limiter = secondLimit
	}
	w.tenants.open(t, w, cfg, 50)
	w.apis.unit = 1 + rng.Int64N(int64(time.Second/2))
	w.apis.open(t, w, engine.Config{
		Name: "api", Dispatch: engine.Dispatch(rng.IntN(2)), PerCall: rng.IntN(2) == 0,
		MaxWait: []time.Duration{0, 2 * time.Second, engine.NoWait}[n/2%3], MaxKeys: []int{3, 100}[rng.IntN(2)],
		IdleAfter: time.Minute,
	}, 5)
	return w
}

// secondLimit comes after the limit that the accounts follow.
var secondLimit = limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(7, 10*time.Second)}

// now is the instant for the accounts.
func (w *world) now() int64 { return int64(time.Since(w.epoch)) }

// busyTimes are those of a day.
const busyTimes = 8

// live has the callers live for some days, heals the upstreams and sees whether all is well.
func (w *world) live(t *testing.T, days int) {
	const callers, calls = 20, 48
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
	end := w.epoch.Add(time.Duration(days) * 24 * time.Hour)
	over := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { w.watch(t, over, end.Add(-time.Hour)) })
	time.Sleep(time.Until(end))
	w.tenants.recover()
	w.apis.recover()
	waitFor(t, &wg)
	close(over)
	watcher.Wait()
	w.tenants.close(t, w)
	w.apis.close(t, w)
}

// watch checks, now and then, whether every bucket lacks exactly the tokens that were taken, or makes a
// change, before everything is as at first again for the time from the instant last on.
func (w *world) watch(t *testing.T, over <-chan struct{}, last time.Time) {
	rng := rand.New(rand.NewPCG(w.rng.Uint64(), 0))
	for changes := w.tenants.changes; ; {
		pause := time.Duration(rng.Int64N(int64(10 * time.Minute)))
		if changes && time.Since(w.epoch)%(24*time.Hour/busyTimes) < 3*time.Minute {
			pause /= 40
		}
		select {
		case <-over:
			return
		case <-time.After(pause):
		}
		synctest.Wait()
		s := []*side{&w.tenants, &w.apis}[rng.IntN(2)]
		switch {
		case changes && !time.Now().Before(last):
			for _, s := range []*side{&w.tenants, &w.apis} {
				s.reconfigure(t, w, rng, s.first, s.base)
			}
			changes = false
		case changes && rng.IntN(3) == 0:
			s.change(t, w, rng)
		default:
			w.tenants.look(w)
			w.apis.look(w)
		}
	}
}
