package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

var probesFlag = flag.Int("engine.probes", 60/slowdown, "how many half-open breakers TestNothingKeepsABreakerHalfOpen makes, for each kind of probe and each dispatch")

// kind is the end of the probes of a half-open breaker.
type kind string

var kinds = []kind{"ok", "fail", "panic", "goexit", "hang", "cancelled", "neutral", "limited", "slow"}

var errNeutral = errors.New("the caller's own fault")

// TestNothingKeepsABreakerHalfOpen makes half-open breakers of random policies and sends more
// random probes than there are places, all of one kind. Never are more probes in flight than
// HalfOpenProbes, or than successes are still needed. A failure opens the breaker at once, and so does the
// end of a probe that was slow; a lease opens the breaker at its end. Every other policy judges by rates. A probe that is ignored gives its place back at once. After any end
// of the probes, calls that succeed have closed the breaker by the end of the lease and the
// recovery after the lease. (Hazards B1 to B4 and B6.) All of it:
//
//	go test ./engine -run NothingKeepsABreakerHalfOpen -engine.probes 10000 -timeout 30m
func TestNothingKeepsABreakerHalfOpen(t *testing.T) {
	seed := random(t).Uint64()
	var cases, wedged, above atomic.Int64
	inParallel(t, func(t *testing.T, worker, workers int) {
		const together = 20 // in one bubble
		for from := worker * together; from < *probesFlag; from += workers * together {
			for k, kind := range kinds {
				for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
					synctest.Test(t, func(t *testing.T) {
						for i := from; i < min(from+together, *probesFlag); i++ {
							h := newHalfOpen(t, rand.New(rand.NewPCG(seed, uint64(i*len(kinds)+k))), kind, d)
							h.play(t)
							cases.Add(1)
							wedged.Add(h.wedged)
							above.Add(h.above)
						}
					})
				}
			}
		}
	})
	figure(t, "kinds", int64(len(kinds)))
	figure(t, "cases", cases.Load())
	figure(t, "wedged", wedged.Load())
	figure(t, "probes-above-limit", above.Load())
	require.EqualValues(t, 2*len(kinds)**probesFlag, cases.Load())
	require.Zero(t, wedged.Load())
	require.Zero(t, above.Load())
}

// halfOpen is a key with a breaker, and probes of one kind.
type halfOpen struct {
	kind
	rng    *rand.Rand
	policy breaker.Policy
	trips  int             // failures that open a new breaker
	took   []time.Duration // how long the probe of each caller takes, shorter than its lease unless it hangs
	eng    *engine.Engine

	mu      sync.Mutex
	begun   []time.Time // of the probes in flight, when they began to hold their place; zero when they are back
	opened  time.Time   // when one last failed
	returns []time.Time // when each that got through returns
	fine    int         // probes that succeeded
	wedged  int64
	above   int64
}

func newHalfOpen(t *testing.T, rng *rand.Rand, of kind, d engine.Dispatch) *halfOpen {
	within := func(most time.Duration) time.Duration { return 1 + time.Duration(rng.Int64N(int64(most))) }
	h := &halfOpen{kind: of, rng: rng, policy: breaker.Policy{
		FailureThreshold: 1 + rng.IntN(3), RecoveryTimeout: time.Second + within(9*time.Second), ProbeTimeout: time.Second + within(19*time.Second),
		HalfOpenProbes: 1 + rng.IntN(3), HalfOpenSuccesses: 1 + rng.IntN(3),
		ForgetAfter: 100 * time.Hour, // forgetting must not close the breaker
	}}
	if rng.IntN(2) == 0 {
		h.policy.MaxRecovery = h.policy.RecoveryTimeout + within(2*h.policy.RecoveryTimeout)
	}
	if slices.Contains([]kind{"ok", "neutral", "cancelled", "limited"}, of) {
		h.policy.HalfOpenFailures = rng.IntN(3) // no probe fails
	}
	h.drawRates()
	for range h.policy.HalfOpenProbes + 1 + rng.IntN(3) {
		took := time.Duration(rng.Int64N(int64(h.policy.ProbeTimeout))) * time.Duration(rng.IntN(2)) // every other one takes no time
		if of == "slow" {
			took = h.policy.SlowAfter + time.Duration(rng.Int64N(int64(h.policy.ProbeTimeout-h.policy.SlowAfter)))
		}
		h.took = append(h.took, took)
	}
	cfg := engine.Config{
		Dispatch: d, Breaker: &h.policy, MaxKeys: 2, IdleAfter: []time.Duration{2 * time.Second, time.Hour}[rng.IntN(2)],
		Limiter: limiter.TokenBucket{Capacity: 30, RefillRate: limiter.Per(12, h.policy.RecoveryTimeout)},
		Classify: func(err error) engine.Outcome {
			if errors.Is(err, errNeutral) {
				return engine.Ignore
			}
			return engine.Failure
		},
	}
	if rng.IntN(2) == 0 {
		cfg.MaxWait = engine.NoWait
	}
	var err error
	h.eng, err = engine.New(cfg)
	require.NoError(t, err)
	return h
}

// drawRates has the policy judge by rates, and says how many failures open the breaker. Only the probes of
// the kind "slow" are slow: others end before ProbeTimeout or count for nothing.
func (h *halfOpen) drawRates() {
	p, rng := &h.policy, h.rng
	if h.trips = p.FailureThreshold; h.kind == "slow" {
		p.SlowRate, p.SlowAfter = 0.1+0.9*rng.Float64(), 1+time.Duration(rng.Int64N(int64(p.ProbeTimeout/2)))
	}
	if rng.IntN(2) == 0 {
		return
	}
	p.FailureRate, p.MinCalls = []float64{0.3, 0.5, 1}[rng.IntN(3)], 1+rng.IntN(3)
	if rng.IntN(2) == 0 {
		p.WindowCalls = p.MinCalls + rng.IntN(5)
	}
	if h.kind != "slow" && rng.IntN(2) == 0 {
		p.SlowRate, p.SlowAfter = 0.5, p.ProbeTimeout
	}
	if h.trips = min(h.trips, p.MinCalls); rng.IntN(2) == 0 {
		p.FailureThreshold, h.trips = 0, p.MinCalls
	}
}

// openAgain is the open time of the second trip.
func (h *halfOpen) openAgain() time.Duration {
	return max(h.policy.RecoveryTimeout, min(2*h.policy.RecoveryTimeout, h.policy.MaxRecovery))
}

// play makes the breaker half-open, sends the probes, checks the breaker, and has the breaker
// close.
func (h *halfOpen) play(t *testing.T) {
	var callers sync.WaitGroup
	defer func() {
		callers.Wait()
		require.NoError(t, h.eng.Close(context.Background()))
	}()
	failTimes(t, h.eng, "k", h.trips)
	if h.rng.IntN(16) == 0 {
		for _, other := range []string{"a", "b", "c"} { // push the key out
			failTimes(t, h.eng, other, h.trips)
		}
	}
	time.Sleep(h.policy.RecoveryTimeout + time.Duration(h.rng.Int64N(int64(time.Minute)))*time.Duration(h.rng.IntN(2)))
	if h.kind == "limited" {
		require.True(t, h.eng.Allow("k")) // it may have to come back first
		for h.eng.Allow("k") {
		}
	}
	begin := time.Now()
	for i := range h.took {
		callers.Go(func() { h.call(i) })
	}
	synctest.Wait()
	h.checkProbes(t, begin)
	h.recover(t, begin.Add(h.policy.ProbeTimeout+h.openAgain()))
	callers.Wait()
	if s := h.look(); h.wedged == 0 {
		require.Equal(t, breaker.Closed, s.Breaker, "a late result counts for nothing; %v", h)
		require.Zero(t, s.Failures, "likewise; %v", h)
		require.Zero(t, s.Window.Failures+s.Window.Slow, "likewise; %v", h)
	}
}

// recover makes calls that succeed, at the announced instants, until the breaker has closed. If the
// breaker has not closed by deadline, recover counts h.wedged.
func (h *halfOpen) recover(t *testing.T, deadline time.Time) {
	for h.look().Breaker != breaker.Closed {
		err := h.eng.Run(context.Background(), "k", h.succeed)
		if err == nil {
			continue
		}
		r, ok := errors.AsType[*engine.Rejection](err)
		require.True(t, ok, "%v", err)
		after := r.RetryAfter()
		if time.Now().Add(after).After(deadline) || after == 0 {
			h.wedged++
			t.Logf("%v cannot close, %v before it must: %v", h, time.Until(deadline), err)
			return
		}
		time.Sleep(after)
	}
	if time.Now().After(deadline) {
		h.wedged++
		t.Logf("%v closed %v too late", h, time.Since(deadline))
	}
}

// enter begins a probe that returns after while; leave ends the probe. A failure opens the breaker,
// so that probes that began until then are of an earlier period and hold no place.
func (h *halfOpen) enter(while time.Duration) (leave func(engine.Outcome)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	held := 0
	for _, begun := range h.begun {
		if begun.After(h.opened) && now.Before(begun.Add(h.policy.ProbeTimeout)) {
			held++
		}
	}
	if need := h.policy.HalfOpenSuccesses - h.fine; need > 0 && held >= min(need, h.policy.HalfOpenProbes) { // else it has closed
		h.above++
	}
	h.returns = append(h.returns, now.Add(while))
	i := len(h.begun)
	h.begun = append(h.begun, now)
	return func(o engine.Outcome) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.begun[i] = time.Time{}
		switch o {
		case engine.Success:
			h.fine++
		case engine.Failure:
			h.opened = time.Now()
		}
	}
}

// succeed is a probe that is well at once.
func (h *halfOpen) succeed(context.Context) error {
	h.enter(0)(engine.Success)
	return nil
}

func (h *halfOpen) String() string {
	return fmt.Sprintf("%s %+v %v", string(h.kind), h.policy, h.took)
}
