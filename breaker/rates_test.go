package breaker_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// TestFourOfFiveCallsFail: today's rule, five in a row, never opens when every fifth call succeeds. A rate does.
func TestFourOfFiveCallsFail(t *testing.T) {
	for name, test := range map[string]struct {
		policy breaker.Policy
		passed int
	}{
		"in a row":         {breaker.Policy{}, 1000},
		"rate, of time":    {breaker.Policy{FailureRate: 0.5}, 21},
		"rate, of calls":   {breaker.Policy{FailureRate: 0.5, WindowCalls: 50}, 21},
		"a short window":   {breaker.Policy{FailureRate: 0.5, WindowCalls: 10}, 11},
		"both, rate first": {breaker.Policy{FailureRate: 0.5, FailureThreshold: 5}, 21},
		"both, in a row":   {breaker.Policy{FailureRate: 0.5, FailureThreshold: 4}, 4},
		"a rate of 80 %":   {breaker.Policy{FailureRate: 0.8}, 21},
		"a rate above":     {breaker.Policy{FailureRate: 0.84}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, test.policy)
			passed := 0
			for i := 1; i <= 1000; i++ {
				m.advance(time.Millisecond)
				p, ok := m.call()
				if !ok {
					continue
				}
				passed++
				if i%5 == 0 {
					m.report(p, breaker.Success)
				} else {
					m.report(p, breaker.Failure)
				}
			}
			require.Equal(t, test.passed, passed)
		})
	}
}

// TestLongCallsAgeNoFasterThanTheirFailures: calls of up to 20 s, in a window of 10 s. One of twenty fails, at random. A success that
// counted in the slice of its admission would have left the window before the failure that was admitted with it.
func TestLongCallsAgeNoFasterThanTheirFailures(t *testing.T) {
	seeds(t, 5, func(r *rand.Rand) error {
		m := newMachine(t, breaker.Policy{FailureRate: 0.5, MinCalls: 20})
		type flight struct {
			ends   int64
			permit breaker.Permit
		}
		var flights []flight
		for range 3000 {
			m.advance(time.Duration(r.Int64N(int64(40 * time.Millisecond))))
			flights = append(flights, flight{m.now + r.Int64N(20*second), m.must(t)})
			for i := 0; i < len(flights); i++ {
				if f := flights[i]; f.ends <= m.now {
					o := breaker.Success
					if r.IntN(20) == 0 {
						o = breaker.Failure
					}
					m.report(f.permit, o)
					flights[i] = flights[len(flights)-1]
					flights = flights[:len(flights)-1]
				}
			}
		}
		require.Equal(t, breaker.Closed, m.look().state)
		return nil
	})
}

// TestABurstOfLongCalls: 1,000 calls are admitted at once and end 20 s later, when no other call comes. 50 of them fail, and these
// end among the others.
func TestABurstOfLongCalls(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureRate: 0.5})
	var permits []breaker.Permit
	for range 1000 {
		permits = append(permits, m.must(t))
	}
	m.advance(20 * time.Second)
	for i, p := range permits {
		o := breaker.Success
		if i%20 == 0 {
			o = breaker.Failure
		}
		m.report(p, o)
		m.advance(time.Millisecond)
	}
	require.Equal(t, breaker.Closed, m.look().state)
	require.Equal(t, breaker.Counts{Calls: 1000, Failures: 50}, m.Window(m.rules, m.now))
}

func TestAWindowOfTimeSlides(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureRate: 0.5, MinCalls: 10, Window: 10 * time.Second})
	m.ends(t, 4, breaker.Failure)
	m.advance(5 * time.Second)
	m.ends(t, 5, breaker.Success)
	require.Equal(t, breaker.Counts{Calls: 9, Failures: 4}, m.Window(m.rules, m.now))
	m.advance(5*time.Second - 1)
	require.Equal(t, breaker.Counts{Calls: 9, Failures: 4}, m.Window(m.rules, m.now))
	require.Equal(t, m.now+1, m.CleanAt(m.rules))
	m.advance(1)
	require.Equal(t, breaker.Counts{Calls: 5}, m.Window(m.rules, m.now))
	require.True(t, m.Clean())
	m.advance(5 * time.Second)
	require.Equal(t, breaker.Counts{}, m.Window(m.rules, m.now))
}

func TestSlowCallsOpenTheBreaker(t *testing.T) {
	m := newMachine(t, breaker.Policy{SlowRate: 0.5, SlowAfter: time.Second, MinCalls: 10, HalfOpenSuccesses: 1})
	m.ends(t, 5, breaker.Success)
	for range 4 {
		m.slow(m.must(t), breaker.Success, 0)
	}
	m.ends(t, 1, breaker.Failure) // no slow one: 4 of 10
	require.Equal(t, breaker.Counts{Calls: 10, Failures: 1, Slow: 4}, m.Window(m.rules, m.now))
	m.slow(m.must(t), breaker.Success, 0) // 5 of 11
	require.Equal(t, breaker.Closed, m.look().state)
	m.slow(m.must(t), breaker.Failure, 0) // 6 of 12
	require.Equal(t, breaker.Open, m.look().state)
	m.advance(5 * time.Second)
	m.slow(m.must(t), breaker.Success, 0)
	require.Equal(t, breaker.Open, m.look().state, "a slow probe has failed")
	m.advance(5 * time.Second)
	m.ends(t, 1, breaker.Success)
	require.Equal(t, breaker.Closed, m.look().state)
	require.Zero(t, m.Window(m.rules, m.now), "a new period has a window of its own")
}

func TestWithoutASlowRateSlowCallsAreLikeOthers(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 1})
	m.slow(m.must(t), breaker.Success, 0)
	require.True(t, m.Clean())
	m.ends(t, 1, breaker.Failure)
	m.advance(5 * time.Second)
	m.slow(m.must(t), breaker.Success, 0)
	require.Equal(t, breaker.Closed, m.look().state)
}

// TestACopyOfACircuitIsACircuitOfItsOwn: a turn that panics is undone by putting a copy back. Failures that came since are not in the
// copy, and what the copy counts then is not in the other circuit.
func TestACopyOfACircuitIsACircuitOfItsOwn(t *testing.T) {
	for _, p := range []breaker.Policy{{FailureRate: 1, WindowCalls: 100}, {FailureRate: 1, Window: time.Minute}} {
		m := newMachine(t, p)
		m.ends(t, 1, breaker.Success)
		for range 9 {
			m.ends(t, 1, breaker.Failure)
			one, other := *m, *m
			one.ends(t, 2, breaker.Failure)
			before := one.Window(one.rules, one.now)
			other.advance(6 * time.Second)
			other.slow(other.must(t), breaker.Failure, 0)
			require.Equal(t, before.Failures, one.Window(one.rules, one.now).Failures)
			require.Equal(t, before.Failures-1, other.Window(other.rules, other.now).Failures)
			require.NotEqual(t, one.CleanAt(one.rules), other.CleanAt(other.rules))
		}
	}
}

// TestEverySuccessCountsOnce: goroutines add to a tally while slices begin. Nothing is lost as long as no slice leaves the window.
func TestEverySuccessCountsOnce(t *testing.T) {
	const goroutines, each = 4, 20_000
	for _, p := range []breaker.Policy{{FailureRate: 1, WindowCalls: 100_000}, {FailureRate: 1, Window: 10 * time.Second}} {
		m := newMachine(t, p)
		m.ends(t, 1, breaker.Success)
		tally := m.Tally()
		var all sync.WaitGroup
		for g := range uint64(goroutines) {
			all.Go(func() {
				for i := range int64(each) {
					tally.Open(m.rules, i*9*second/each)
					tally.Succeed(m.rules, m.Generation(), g)
					tally.Succeed(m.rules, m.Generation()+1, g) // of another period
				}
			})
		}
		all.Wait()
		m.now = 9 * second
		require.Equal(t, breaker.Counts{Calls: 1 + goroutines*each}, m.Window(m.rules, m.now))
	}
}

// TestAChangeKeepsTheWindow: Follow with other rates, another length, and the other kind of window.
func TestAChangeKeepsTheWindow(t *testing.T) {
	ofTime := breaker.Policy{FailureRate: 1, Window: 10 * time.Second}
	ofCalls := breaker.Policy{FailureRate: 1, WindowCalls: 8}
	for name, test := range map[string]struct {
		from, to breaker.Policy
		want     breaker.Counts
	}{
		"another rate":         {ofTime, breaker.Policy{FailureRate: 0.5, Window: 10 * time.Second}, breaker.Counts{Calls: 9, Failures: 3}},
		"a longer window":      {ofTime, breaker.Policy{FailureRate: 1, Window: time.Minute}, breaker.Counts{Calls: 9, Failures: 3}},
		"a shorter window":     {ofTime, breaker.Policy{FailureRate: 1, Window: time.Second}, breaker.Counts{Calls: 3, Failures: 1}},
		"more calls":           {ofCalls, breaker.Policy{FailureRate: 1, WindowCalls: 100}, breaker.Counts{Calls: 8, Failures: 2}},
		"fewer calls":          {ofCalls, breaker.Policy{FailureRate: 1, WindowCalls: 4}, breaker.Counts{Calls: 4, Failures: 1}},
		"the other kind":       {ofTime, ofCalls, breaker.Counts{}},
		"the other kind again": {ofCalls, ofTime, breaker.Counts{}},
		"no rate any more":     {ofTime, breaker.Policy{}, breaker.Counts{}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, test.from)
			for range 3 {
				m.ends(t, 1, breaker.Failure)
				m.ends(t, 2, breaker.Success)
				m.advance(1500 * time.Millisecond)
			}
			m.now -= int64(1500 * time.Millisecond)
			to := newMachine(t, test.to)
			m.Follow(m.rules, to.rules, m.now)
			m.rules = to.rules
			require.Equal(t, test.want, m.Window(m.rules, m.now))
			m.ends(t, 1, breaker.Failure) // and it goes on
			if test.to.FailureRate > 0 {
				require.Equal(t, min(test.want.Failures+1, 4), m.Window(m.rules, m.now).Failures)
			}
		})
	}
}

func TestATallyIsOverWhenItsSlicesAre(t *testing.T) {
	for _, test := range []struct {
		policy breaker.Policy
		over   time.Duration
	}{
		{breaker.Policy{FailureRate: 1, Window: 10 * time.Second}, 10 * time.Second},
		{breaker.Policy{FailureRate: 1, WindowCalls: 5, ForgetAfter: 20 * time.Second}, 20 * time.Second},
	} {
		m := newMachine(t, test.policy)
		require.Nil(t, m.Tally())
		m.ends(t, 1, breaker.Success)
		require.True(t, m.Clean())
		require.False(t, m.Tally().Over(m.rules, int64(test.over)-1))
		require.True(t, m.Tally().Over(m.rules, int64(test.over)))
		m.Rest(m.rules, int64(test.over)-1)
		require.NotNil(t, m.Tally())
		m.Rest(m.rules, int64(test.over))
		require.Nil(t, m.Tally())
		m.ends(t, 2, breaker.Success)
		require.Equal(t, 2, m.Window(m.rules, m.now).Calls)
	}
}

func TestRulesSayHowTheyJudge(t *testing.T) {
	type judges struct {
		rated, inARow bool
		threshold     int
		slowAfter     time.Duration
		tooMany       bool // with 5 failures of 20 calls
	}
	for name, test := range map[string]struct {
		policy breaker.Policy
		want   judges
	}{
		"in a row": {breaker.Policy{SlowAfter: time.Second}, judges{inARow: true, threshold: 5}},
		"by rate":  {breaker.Policy{FailureRate: 0.25}, judges{rated: true, tooMany: true}},
		"both":     {breaker.Policy{FailureRate: 0.26, FailureThreshold: 7}, judges{rated: true, inARow: true, threshold: 7}},
		"slow":     {breaker.Policy{SlowRate: 0.1, SlowAfter: time.Second}, judges{rated: true, slowAfter: time.Second}},
	} {
		r := test.policy.Rules(counter())
		require.Equal(t, test.want, judges{
			r.Rated(), r.InARow(), r.Threshold(), time.Duration(r.SlowAfter()), r.TooManyFailures(breaker.Counts{Calls: 20, Failures: 5}),
		}, name)
	}
}

// TestATallyOutlivesItsCircuit: a clean circuit is dropped and made anew, and goes on with its tally.
func TestATallyOutlivesItsCircuit(t *testing.T) {
	for _, p := range []breaker.Policy{{FailureRate: 1}, {FailureRate: 1, WindowCalls: 50}} {
		m := newMachine(t, p)
		m.ends(t, 3, breaker.Success)
		tally, generation := m.Tally(), m.Generation()
		_, calls := tally.Newest(m.rules)
		require.EqualValues(t, 3, calls)
		m.Resume(generation)
		m.Count(tally)
		require.Equal(t, breaker.Counts{Calls: 3}, m.Window(m.rules, m.now))
		m.Count(nil)
		require.Zero(t, m.Window(m.rules, m.now))
	}
}
