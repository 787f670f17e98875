package retry_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/retry"
)

var (
	propertySeed = flag.Uint64("retry.seed", 0, "replay TestR6DelayBoundsHoldForRandomPolicies with this seed")
	casesFlag    = flag.Int("retry.cases", 4000, "how many random policies the delays of a call are checked for")
)

// randomPolicy draws fields from all magnitudes; one in four is left zero.
func randomPolicy(rng *rand.Rand) retry.Policy {
	some := func(top int64) int64 {
		if rng.IntN(4) == 0 {
			return 0
		}
		return 1 + rng.Int64N(top)>>rng.IntN(62)
	}
	p := retry.Policy{
		MaxAttempts: rng.IntN(41),
		BaseDelay:   time.Duration(some(math.MaxInt64)),
		MaxDelay:    time.Duration(some(math.MaxInt64)),
		Jitter:      retry.Jitter(rng.IntN(4)),
		MaxElapsed:  time.Duration(some(math.MaxInt64)),
		Seed:        rng.Uint64(),
	}
	if p.MaxDelay != 0 && p.MaxDelay < p.BaseDelay {
		p.MaxDelay, p.BaseDelay = p.BaseDelay, p.MaxDelay
	}
	if rng.IntN(4) > 0 {
		p.Backoff = 1 + math.Ldexp(rng.Float64(), rng.IntN(40)-20)
	}
	return p
}

// meaning states the documented defaults a second time, on its own.
func meaning(p retry.Policy) (attempts int, base, limit time.Duration, backoff float64) {
	attempts, base, limit, backoff = p.MaxAttempts, p.BaseDelay, p.MaxDelay, p.Backoff
	if attempts == 0 {
		attempts = 3
	}
	if base == 0 {
		base = 100 * time.Millisecond
		if limit != 0 && limit < base {
			base = limit
		}
	}
	if limit == 0 {
		limit = max(base, 5*time.Second)
	}
	if backoff == 0 {
		backoff = 2
	}
	return attempts, base, limit, backoff
}

// checkCall lets one call fail until the schedule ends it, checks every wait and
// counts them. The ceiling grows by repeated multiplication, which the schedule
// does not do.
func checkCall(t *testing.T, p retry.Policy, call uint64, advice time.Duration) int {
	t.Helper()
	attempts, base, limit, backoff := meaning(p)
	s := p.Schedule(call)
	ceiling, elapsed, failed := float64(base), time.Duration(0), 0
	previous := base
	for {
		delay, final, ok := s.Next(retry.After(errBoom, advice), elapsed, noDeadline)
		failed++
		require.LessOrEqual(t, failed, attempts, "%+v", p)
		if !ok {
			requireExhausted(t, final, failed, errBoom)
			if p.MaxElapsed == 0 && advice <= limit {
				require.Equal(t, attempts, failed, "gave up early: %+v", p)
			}
			return failed - 1
		}
		low, high := time.Duration(0), limit
		if grown := min(ceiling*(1+1e-9)+1, float64(limit)); grown < float64(limit) {
			high = time.Duration(grown)
		}
		switch p.Jitter {
		case retry.NoJitter:
			low = time.Duration(min(ceiling*(1-1e-9)-1, float64(limit)*(1-1e-9)))
		case retry.EqualJitter:
			low = time.Duration(min(ceiling*(1-1e-9)-1, float64(limit)*(1-1e-9)) / 2)
		case retry.DecorrelatedJitter:
			low, high = base, limit
			if previous < limit/3 {
				high = 3 * previous
			}
			previous = max(delay, base)
		}
		require.GreaterOrEqual(t, delay, max(low, advice), "wait %d of %+v", failed, p)
		require.LessOrEqual(t, delay, max(high, advice), "wait %d of %+v", failed, p)
		if p.MaxElapsed > 0 {
			require.LessOrEqual(t, delay, p.MaxElapsed-elapsed, "wait %d of %+v", failed, p)
			elapsed += delay
		}
		ceiling *= backoff
	}
}

// R6: jitter stays between its own floor and MaxDelay, whatever the policy.
func TestR6DelayBoundsHoldForRandomPolicies(t *testing.T) {
	seed := *propertySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay: go test ./retry -run '^%s$' -retry.cases=%d -retry.seed=%d", t.Name(), *casesFlag, seed)
		}
	})
	rng := rand.New(rand.NewPCG(seed, 0))
	waits := 0
	for range *casesFlag {
		p := randomPolicy(rng)
		require.NoError(t, p.Validate(), "%+v", p)
		advice := time.Duration(0)
		if rng.IntN(3) == 0 && p.Jitter != retry.DecorrelatedJitter {
			advice = time.Duration(rng.Int64N(math.MaxInt64) >> rng.IntN(62))
		}
		waits += checkCall(t, p, rng.Uint64(), advice)
	}
	t.Attr("cases", fmt.Sprint(*casesFlag))
	t.Attr("waits", fmt.Sprint(waits))
}

// R6: with a seed a call replays exactly, and no two calls are synchronised.
func TestR6SeededCallsReplayAndDiffer(t *testing.T) {
	for _, jitter := range []retry.Jitter{retry.FullJitter, retry.EqualJitter, retry.DecorrelatedJitter} {
		p := retry.Policy{MaxAttempts: 6, MaxDelay: time.Hour, Jitter: jitter, Seed: 42}
		other := p
		other.Seed = 43
		seen := map[time.Duration]bool{}
		for call := range uint64(1000) {
			first, _ := delays(p, call)
			again, _ := delays(p, call)
			require.Equal(t, first, again, "%v, call %d", jitter, call)
			elsewhere, _ := delays(other, call)
			require.NotEqual(t, first, elsewhere, "%v, call %d", jitter, call)
			seen[first[0]] = true
		}
		require.Greater(t, len(seen), 990, "%v: calls are synchronised", jitter)
	}
}

// R6: without a seed even the same call number waits differently each time.
func TestR6UnseededCallsAreNotSynchronised(t *testing.T) {
	for _, jitter := range []retry.Jitter{retry.FullJitter, retry.EqualJitter, retry.DecorrelatedJitter} {
		seen := map[time.Duration]bool{}
		for range 1000 {
			waits, _ := delays(retry.Policy{Jitter: jitter}, 0)
			seen[waits[0]] = true
		}
		require.Greater(t, len(seen), 990, "%v: calls are synchronised", jitter)
	}
}

// R6: the first waits of consecutive calls fill their whole range evenly, also
// where one seed numbers them. The bound is five standard deviations of a bin.
func TestR6JitterIsUniform(t *testing.T) {
	const calls, bins = 64_000, 32
	for name, tc := range map[string]struct {
		jitter retry.Jitter
		lo, hi time.Duration
	}{
		"full":         {retry.FullJitter, 0, 100 * ms},
		"equal":        {retry.EqualJitter, 50 * ms, 100 * ms},
		"decorrelated": {retry.DecorrelatedJitter, 100 * ms, 300 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			var count [bins]int
			for call := range uint64(calls) {
				s := retry.Policy{Jitter: tc.jitter, Seed: 1}.Schedule(call)
				d, _, _ := s.Next(errBoom, 0, noDeadline)
				require.True(t, tc.lo <= d && d <= tc.hi, "%v", d)
				count[int64(d-tc.lo)*bins/int64(tc.hi-tc.lo+1)]++
			}
			mean := float64(calls) / bins
			for bin, n := range count {
				require.InDelta(t, mean, n, 5*math.Sqrt(mean), "bin %d of %v", bin, count)
			}
		})
	}
}
