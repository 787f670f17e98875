package guard

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// changeTo puts another limit into force as of the instant at, and returns its policy.
func (b *Behavior) changeTo(t *testing.T, l limiter.Limiter, at int64) *Policy {
	t.Helper()
	limits, err := limiter.Compile(l)
	require.NoError(t, err)
	p := b.policy().with(limits)
	v := b.Prepare(p, false)
	b.Install(v, at)
	b.Date(v, at)
	b.Settle()
	return p
}

// changed returns a key with 4 of 5 tokens, the policy by which a token was taken, and its receipt, after a change
// to another rate that the key has followed.
func changed(t *testing.T, rate limiter.Rate) (g *Gate, s *State, old *Policy, r Receipt) {
	t.Helper()
	b := behaviorOf(t, settings{Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)}})
	g, s = new(Gate), new(State)
	b.Init(1, "k", g, s)
	old = g.Policy()
	r, ok := g.Take(old, 1, old.Latest(1, limiter.Immediate, 2), 2)
	require.True(t, ok)
	p := b.changeTo(t, limiter.TokenBucket{Capacity: 5, RefillRate: rate}, 3)
	require.True(t, old.Stale())
	require.True(t, b.Stale(0, g))
	require.Equal(t, Undecided, g.GiveBack(r), "the actor brings the key up to date first")
	b.Resume("k", g, s)
	b.Update(4, g, s)
	require.Same(t, p, g.Policy())
	return g, s, old, r
}

// TestADebitByAnOldPolicyFails: a caller that read the policy before a change takes nothing after it, also if
// full-at is where it was.
func TestADebitByAnOldPolicyFails(t *testing.T) {
	g, _, old, receipt := changed(t, limiter.PerSecond(1e9))
	g.fullAt.Store(receipt.To) // a coincidence
	_, _, taking := g.TakeOne(&old.clean, 5e9)
	require.Equal(t, NotTaken, taking)
	require.Equal(t, receipt.To, g.FullAt())
	_, ok := g.Take(old, 1, old.Latest(1, limiter.Immediate, 5e9), 5e9)
	require.False(t, ok)
	require.Equal(t, receipt.To, g.FullAt())
}

// TestATokenOfAnOldPolicyIsNotGivenBack, by the gate or by the actor.
func TestATokenOfAnOldPolicyIsNotGivenBack(t *testing.T) {
	g, s, _, receipt := changed(t, limiter.PerSecond(2))
	g.fullAt.Store(receipt.To) // a coincidence
	require.Equal(t, Limited, g.GiveBack(receipt))
	s.fullAts[0] = receipt.To
	require.False(t, s.Undoes(receipt))
}

// TestKeysWithTheSameLimitsShareAPolicy, and a policy goes with its last key.
func TestKeysWithTheSameLimitsShareAPolicy(t *testing.T) {
	b := New(&Policy{Publish: true}, true)
	v := b.Current()
	limits := func(capacity int) limiter.Limits {
		l, err := limiter.Compile(limiter.TokenBucket{Capacity: capacity, RefillRate: limiter.PerSecond(1)})
		require.NoError(t, err)
		return l
	}
	pro := v.PolicyWith(limits(10))
	require.Same(t, pro, v.PolicyWith(limits(10)))
	require.NotSame(t, pro, v.PolicyWith(limits(11)))
	require.Same(t, v.PolicyWith(nil), v.PolicyWith(nil))
	known := func() int {
		v.own.Lock()
		defer v.own.Unlock()
		return len(v.known)
	}
	for deadline := time.Now().Add(time.Minute); known() > 1 && time.Now().Before(deadline); {
		runtime.GC() // cleanups run after a collection
		runtime.Gosched()
	}
	require.Equal(t, 1, known())
	runtime.KeepAlive(pro)
}

// TestASpilledKeyComesBackEmptyAsOfTheChange, also over several changes, until it would be full.
func TestASpilledKeyComesBackEmptyAsOfTheChange(t *testing.T) {
	const second = int64(time.Second)
	b := behaviorOf(t, settings{Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)}})
	spill := func(key string, now, tokens int64) {
		var g Gate
		var s State
		b.Init(now, key, &g, &s)
		if tokens > 0 {
			_, ok := g.Take(g.Policy(), tokens, g.Policy().Latest(tokens, limiter.Immediate, now), now)
			require.True(t, ok)
		}
		b.Spill(key, &g, nil)
	}
	born := func(key string, now int64) int64 {
		var g Gate
		var s State
		require.True(t, b.Init(now, key, &g, &s).Clean)
		return g.FullAt()
	}
	spill("owes", second, 1)
	b.changeTo(t, limiter.TokenBucket{Capacity: 4, RefillRate: limiter.PerSecond(1)}, 2*second)
	require.Equal(t, 6*second, born("owes", 3*second))
	require.Equal(t, 3*second, born("other", 3*second))
	spill("later", 3*second, 2)
	b.changeTo(t, limiter.TokenBucket{Capacity: 20, RefillRate: limiter.PerSecond(1)}, 4*second)
	require.Equal(t, 24*second, born("owes", 4*second))
	require.Equal(t, 24*second, born("later", 4*second))
	require.Equal(t, 20*second, born("other", 4*second), "16 tokens more than it can have had")
	b.changeTo(t, limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1)}, 25*second)
	require.Equal(t, 25*second, born("owes", 25*second), "it was full before the change")
}

// TestAChangeOfNoLimitDatesNoOther: a change that leaves the limits alone begins at the instant of one that did not, and counts from
// later on. (The debts of keys that were spilled before counted as of the later instant.)
func TestAChangeOfNoLimitDatesNoOther(t *testing.T) {
	const second = int64(time.Second)
	b := behaviorOf(t, settings{Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)}})
	var g Gate
	var s State
	b.Init(second, "owes", &g, &s)
	_, ok := g.Take(g.Policy(), 1, g.Policy().Latest(1, limiter.Immediate, second), second)
	require.True(t, ok)
	b.Spill("owes", &g, nil)
	b.changeTo(t, limiter.TokenBucket{Capacity: 4, RefillRate: limiter.PerSecond(1)}, 2*second)
	v := b.Prepare(&Policy{Publish: true, Limits: b.policy().Limits}, false)
	b.Install(v, 2*second)
	b.Date(v, 4*second)
	b.Settle()
	var again Gate
	b.Init(4*second, "owes", &again, new(State))
	require.Equal(t, 6*second, again.FullAt())
}

// TestASpilledBreakerIsForgottenWhenTheBreakerIsSwitchedOff, and on again.
func TestASpilledBreakerIsForgottenWhenTheBreakerIsSwitchedOff(t *testing.T) {
	b := behaviorOf(t, settings{Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour}})
	on := b.policy()
	var g Gate
	var s State
	b.Init(1, "k", &g, &s)
	b.Resume("k", &g, &s)
	s.circuit.Reopen(on.rules, 7, 1e12)
	b.Spill("k", &g, &s)
	require.EqualValues(t, 1e12, b.sketch.look("k", nil, nil).probeAt)
	for at, change := range []*breaker.Policy{nil, on.Breaker} {
		v := b.Prepare(&Policy{Publish: true, Breaker: change}, false)
		b.Install(v, int64(2+at))
		b.Date(v, int64(2+at))
		b.Settle()
		require.Zero(t, b.sketch.look("k", nil, nil))
	}
}
