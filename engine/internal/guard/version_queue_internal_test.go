package guard

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// ask has the actor of s decide a demand of n tokens at now, and returns the request.
func (b *Behavior) ask(now, n int64, g *Gate, s *State) *Request {
	r := b.Request()
	m := Message{Kind: Ask, Demand: Demand{Tokens: n, Mode: limiter.Queued}, Request: r, Answers: r.Answers(), Stays: true, Until: Never}
	b.Receive(func() int64 { return now }, g, s, &m)
	return r
}

// TestAChangeThatLeavesNobodyInTheQueue: the call whose turn brings the change decides without a queue.
func TestAChangeThatLeavesNobodyInTheQueue(t *testing.T) {
	b := behaviorOf(t, settings{Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)}})
	var g Gate
	var s State
	b.Init(1, "k", &g, &s)
	b.Resume("k", &g, &s)
	require.NoError(t, (<-b.ask(2, 5, &g, &s).Answered()).Err)
	waits := b.ask(3, 5, &g, &s)
	require.Empty(t, waits.Answered())
	require.Equal(t, 1, s.Waiters())

	b.changeTo(t, limiter.TokenBucket{Capacity: 2, RefillRate: limiter.PerSecond(1)}, 4)
	next := b.ask(5, 1, &g, &s)
	require.ErrorIs(t, (<-waits.Answered()).Err, limiter.ErrExceedsCapacity)
	require.Empty(t, next.Answered(), "it waits for its token")
	require.Equal(t, 1, s.Waiters())
}

// TestAWaiterThatMayWaitLessThanThoseBeforeIt, because MaxWait has changed, is refused in time.
func TestAWaiterThatMayWaitLessThanThoseBeforeIt(t *testing.T) {
	b := behaviorOf(t, settings{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 1000)}})
	var g Gate
	var s State
	b.Init(1, "k", &g, &s)
	b.Resume("k", &g, &s)
	require.NoError(t, (<-b.ask(2, 1, &g, &s).Answered()).Err)
	first := b.ask(3, 1, &g, &s)

	p := b.policy().with(b.policy().Limits)
	p.MaxWait = 5000
	b.Install(b.Prepare(p, false), 4)
	b.Settle()
	second := b.ask(5, 1, &g, &s)
	slow, err := limiter.Compile(limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 1_000_000)})
	require.NoError(t, err)
	p = b.policy().with(slow)
	p.MaxWait = 5000
	b.Install(b.Prepare(p, false), 6)
	b.Settle()
	next := b.Wake(7, &g, &s)
	require.LessOrEqual(t, next.Wake, int64(5+5000+1))
	b.Wake(next.Wake, &g, &s)
	require.Empty(t, first.Answered())
	require.ErrorIs(t, (<-second.Answered()).Err, limiter.ErrLimited)
}
