package engine_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
)

var reconfiguredFlag = flag.Duration("engine.reconfigured", 300*time.Millisecond, "how long TestChangesUnderFullLoad goes on, for each number of keys")

// TestChangesUnderFullLoad has 16 goroutines call for 100,000 keys while the limit changes every 10 ms between five
// policies. No window of any key admits more than the capacity at its start plus each rate for as long as it held,
// and every call returns. With few MaxKeys, keys are spilled and born in between. For 10 s:
//
//	go test ./engine -run ChangesUnderFullLoad -engine.reconfigured 10s
func TestChangesUnderFullLoad(t *testing.T) {
	for _, maxKeys := range []int{200_000, 10_000} {
		t.Run(strconv.Itoa(maxKeys), func(t *testing.T) {
			l := newLoaded(t, maxKeys)
			l.run(t)
			admitted, tight := l.check(t)
			t.Logf("%d admitted, %d changes, most of a bound that was used: %.3f; %+v", admitted, len(l.changes)-1, tight, l.eng.Stats())
			figure(t, "admitted", int64(admitted))
			require.NotZero(t, admitted)
		})
	}
}

// loaded is an engine under load.
type loaded struct {
	eng     *engine.Engine
	begun   time.Time
	over    atomic.Bool
	changes []limitChange
	calls   [16][]loadedCall
}

// limitChange is a change of the limit, which counts as of an instant between from and to.
type limitChange struct {
	rule
	from, to time.Duration
}

// loadedCall is a call that was admitted between from and to.
type loadedCall struct {
	key      int32
	from, to time.Duration
}

func newLoaded(t *testing.T, maxKeys int) *loaded {
	rules := []rule{{3, 500 * time.Millisecond, false}, {1, 100 * time.Millisecond, false}, {10, time.Second, true}, {5, 50 * time.Millisecond, false}, {2, 2 * time.Second, true}}
	l := &loaded{begun: time.Now()}
	for _, r := range rules {
		l.changes = append(l.changes, limitChange{rule: r})
	}
	l.eng = start(t, engine.Config{MaxKeys: maxKeys, Limiter: rules[0].limiter(), IdleAfter: 100 * time.Millisecond})
	return l
}

// run calls and changes for the time of the flag.
func (l *loaded) run(t *testing.T) {
	rules := l.changes
	l.changes = []limitChange{rules[0]}
	var callers sync.WaitGroup
	for i := range l.calls {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		callers.Go(func() {
			for !l.over.Load() {
				l.call(rng, &l.calls[i])
			}
		})
	}
	rng := rand.New(rand.NewPCG(0, 2))
	for every := time.NewTicker(10 * time.Millisecond); time.Since(l.begun) < *reconfiguredFlag; <-every.C {
		r := rules[rng.IntN(len(rules))]
		cfg := l.eng.Config()
		cfg.Limiter = r.limiter()
		from := time.Since(l.begun)
		require.NoError(t, l.eng.Reconfigure(cfg))
		l.changes = append(l.changes, limitChange{r.rule, from, time.Since(l.begun)})
	}
	l.over.Store(true)
	callers.Wait()
}

// call makes a call for a key, half of them for one of a few hundred.
func (l *loaded) call(rng *rand.Rand, calls *[]loadedCall) {
	key := rng.IntN(100_000)
	if rng.IntN(2) == 0 {
		key = rng.IntN(300)
	}
	name := strconv.Itoa(key)
	from := time.Since(l.begun)
	admitted := false
	if rng.IntN(50) > 0 {
		admitted = l.eng.Allow(name)
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		admitted = l.eng.Acquire(ctx, name) == nil
		cancel()
	}
	if admitted {
		*calls = append(*calls, loadedCall{int32(key), from, time.Since(l.begun)}) //nolint:gosec // below 100,000
	}
}

// check looks at the windows of every key, and returns the number of calls and the largest share of a bound that
// was used.
func (l *loaded) check(t *testing.T) (n int, tight float64) {
	byKey := map[int32][]loadedCall{}
	for _, calls := range l.calls {
		n += len(calls)
		for _, c := range calls {
			byKey[c.key] = append(byKey[c.key], c)
		}
	}
	gained := l.gained()
	for key, calls := range byKey {
		slices.SortFunc(calls, func(a, b loadedCall) int { return int(a.from - b.from) })
		for i := range calls {
			capacity := l.capacityAt(calls[i].from)
			ends := []time.Duration{}
			for _, c := range calls[i:min(len(calls), i+200)] {
				at, _ := slices.BinarySearch(ends, c.to)
				ends = slices.Insert(ends, at, c.to)
			}
			for j, end := range ends { // j + 1 calls lie between calls[i].from and end
				bound := float64(capacity) + gained(end) - gained(calls[i].from)
				tight = max(tight, float64(j+1)/bound)
				require.LessOrEqual(t, float64(j+1), bound+1e-6, "key %d from %v to %v", key, calls[i].from, end)
			}
		}
	}
	return n, tight
}

// capacityAt returns the largest capacity that may have been in force at an instant.
func (l *loaded) capacityAt(at time.Duration) (capacity int) {
	for i, c := range l.changes {
		if c.from <= at && (i+1 == len(l.changes) || at <= l.changes[i+1].to) {
			capacity = max(capacity, c.capacity)
		}
	}
	return capacity
}

// gained returns the function that says how many tokens a bucket has gained until an instant, at most.
func (l *loaded) gained() func(time.Duration) float64 {
	var instants []time.Duration
	for _, c := range l.changes {
		instants = append(instants, c.from, c.to)
	}
	slices.Sort(instants)
	rate := func(from, to time.Duration) (most float64) {
		for i, c := range l.changes {
			if c.from < to && (i+1 == len(l.changes) || from < l.changes[i+1].to) {
				most = max(most, 1/float64(c.interval))
			}
		}
		return most
	}
	sums, rates := make([]float64, len(instants)), make([]float64, len(instants))
	for i := range instants {
		if i > 0 {
			sums[i] = sums[i-1] + rates[i-1]*float64(instants[i]-instants[i-1])
		}
		to := instants[i] + time.Hour
		if i+1 < len(instants) {
			to = instants[i+1]
		}
		rates[i] = rate(instants[i], max(to, instants[i]+1))
	}
	return func(at time.Duration) float64 {
		i, found := slices.BinarySearch(instants, at)
		if !found {
			i--
		}
		for i+1 < len(instants) && instants[i+1] <= at {
			i++
		}
		return sums[i] + rates[i]*float64(at-instants[i])
	}
}
