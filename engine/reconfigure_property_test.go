package engine_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

var changesFlag = flag.Int("engine.changes", 60/(1+slowdown/5), "how many random schedules of changes TestChangesGiveNothingAway plays")

// TestChangesGiveNothingAway changes limits at random while keys are used, forgotten, spilled and born. No window admits
// more than the capacity at its start plus each rate for as long as it held. Where no key is spilled,
// every key has what a level of tokens says that knows nothing of full-ats.
func TestChangesGiveNothingAway(t *testing.T) {
	seeds := random(t)
	changes, admitted := 0, 0
	for n := range *changesFlag {
		seed := seeds.Uint64()
		for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
			synctest.Test(t, func(t *testing.T) {
				c := newChanging(t, rand.New(rand.NewPCG(seed, 7)), d, n%2 == 1)
				for range 150 {
					c.step(t)
				}
				c.settle()
				for _, key := range c.keys {
					require.NoError(t, key.check(c.versions), "schedule %d", seed)
					admitted += len(key.admissions)
				}
				changes += len(c.versions) - 1
			})
		}
	}
	require.Greater(t, changes, 10**changesFlag)
	require.Greater(t, admitted, 10**changesFlag)
}

// rule is a limit of a schedule; unlimited if the capacity is 0.
type rule struct {
	capacity int
	interval time.Duration // between two tokens
	leaky    bool
}

func (r rule) limiter() limiter.Limiter {
	switch {
	case r.capacity == 0:
		return limiter.Unlimited
	case r.leaky:
		return limiter.LeakyBucket{Capacity: r.capacity, LeakRate: limiter.Per(1, r.interval)}
	default:
		return bucketOf(r.capacity, limiter.Per(1, r.interval))
	}
}

// changing is an engine whose limit changes.
type changing struct {
	*engine.Engine
	rng      *rand.Rand
	rules    []rule
	versions []version
	keys     []*changingKey
	spills   bool
	waiting  []func()
	mu       sync.Mutex // of versions and admissions
}

type version struct {
	rule
	from time.Time
}

type changingKey struct {
	name       string
	level      float64 // tokens, at the instant at
	at         time.Time
	unsure     bool // a caller has waited, so that the level is not known
	admissions []changingAdmission
}

type changingAdmission struct {
	at      time.Time
	n       int
	version int
}

func newChanging(t *testing.T, rng *rand.Rand, d engine.Dispatch, spills bool) *changing {
	c := &changing{rng: rng, spills: spills}
	for range 5 {
		c.rules = append(c.rules, rule{1 + rng.IntN(6), time.Duration(1 + rng.Int64N(int64(3*time.Second))), rng.IntN(3) == 0})
	}
	if rng.IntN(3) == 0 {
		c.rules[4] = rule{}
	}
	cfg := engine.Config{Dispatch: d, IdleAfter: []time.Duration{time.Hour, time.Second}[rng.IntN(2)], Limiter: c.rules[0].limiter()}
	if spills {
		cfg.MaxKeys = 3
	}
	c.Engine = start(t, cfg)
	c.versions = []version{{c.rules[0], time.Now()}}
	for i := range 6 {
		c.keys = append(c.keys, &changingKey{name: fmt.Sprint("key ", i), level: float64(c.rules[0].capacity), at: time.Now()})
	}
	return c
}

// now returns the version in force.
func (c *changing) now() version { return c.versions[len(c.versions)-1] }

func (c *changing) step(t *testing.T) {
	defer synctest.Wait() // a caller that has its token takes note of that now
	key := c.keys[min(c.rng.IntN(6), c.rng.IntN(6))]
	switch c.rng.IntN(8) {
	case 0, 1, 2, 3:
		c.allow(t, key, 1+c.rng.IntN(2))
	case 4:
		c.acquire(key)
	case 5:
		for _, key := range c.keys {
			key.flow(c.now().rule)
		}
		r := c.rules[c.rng.IntN(5)]
		cfg := c.Config()
		cfg.Limiter = r.limiter()
		for _, key := range c.keys {
			if key.level = min(key.level, float64(r.capacity)); c.now().capacity == 0 && r.capacity != 0 {
				key.level, key.unsure = float64(r.capacity), false
			}
		}
		c.mu.Lock()
		c.versions = append(c.versions, version{r, time.Now()}) // before a waiter goes because of it
		c.mu.Unlock()
		require.NoError(t, c.Reconfigure(cfg))
	default:
		synctest.Wait()
		time.Sleep(time.Duration(c.rng.Int64N(int64(time.Second) << c.rng.IntN(4))))
	}
}

// flow brings the level of tokens to now.
func (k *changingKey) flow(r rule) {
	if r.capacity > 0 {
		k.level = min(float64(r.capacity), k.level+float64(time.Since(k.at))/float64(r.interval))
	}
	k.at = time.Now()
}

func (c *changing) allow(t *testing.T, key *changingKey, n int) {
	r := c.now().rule
	key.flow(r)
	got := c.AllowN(key.name, n)
	if got {
		c.admitted(key, n)
	}
	want := key.level >= float64(n) || r.capacity == 0
	if sure := !c.spills && !key.unsure && (r.capacity == 0 || math.Abs(key.level-float64(n)) > 1e-6); sure {
		require.Equal(t, want, got, "%s has %v", key.name, key.level)
	}
	if got && r.capacity != 0 {
		key.level = max(0, key.level-float64(n))
	}
}

// admitted takes note of a call that has n tokens.
func (c *changing) admitted(key *changingKey, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key.admissions = append(key.admissions, changingAdmission{time.Now(), n, len(c.versions) - 1})
}

// acquire waits for a token for a while.
func (c *changing) acquire(key *changingKey) {
	key.unsure = true
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+c.rng.Int64N(int64(5*time.Second))))
	done := inBackground(func() error {
		err := c.Acquire(ctx, key.name)
		if err == nil {
			c.admitted(key, 1)
		}
		return err
	})
	synctest.Wait()
	c.waiting = append(c.waiting, func() {
		err := <-done // any
		cancel()
		_ = err
	})
}

// settle waits for all callers.
func (c *changing) settle() {
	for _, wait := range c.waiting {
		wait()
	}
}

// check looks at every window of the admissions.
func (k *changingKey) check(versions []version) error {
	for i, first := range k.admissions {
		n := 0
		for _, last := range k.admissions[i:] {
			n += last.n
			bound, limited := bound(versions, first, last)
			if limited && float64(n) > bound+1e-6 {
				return fmt.Errorf("%s: %d tokens in %v, should be at most %v: %v", k.name, n, last.at.Sub(first.at), bound, versions[first.version:last.version+1])
			}
		}
	}
	return nil
}

// bound returns the capacity at the first admission, and each rate for as long as it held until the last one;
// false if there was no limit for a time.
func bound(versions []version, first, last changingAdmission) (tokens float64, limited bool) {
	tokens = float64(versions[first.version].capacity)
	for v := first.version; v <= last.version; v++ {
		if versions[v].capacity == 0 {
			return 0, false
		}
		from, to := versions[v].from, last.at
		if v == first.version {
			from = first.at
		}
		if v < last.version {
			to = versions[v+1].from
		}
		tokens += float64(to.Sub(from)) / float64(versions[v].interval)
	}
	return tokens, true
}
