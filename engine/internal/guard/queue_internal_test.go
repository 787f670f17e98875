package guard

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// severalLimits is a keeper with two limits or more.
func severalLimits(t *testing.T, r *rand.Rand) *Behavior {
	var all []limiter.Limiter
	for range 2 + r.IntN(3) {
		capacity, rate := 3+r.IntN(5), limiter.Per(1+r.Int64N(3), time.Duration(10+r.IntN(1000)))
		if r.IntN(3) == 0 {
			all = append(all, limiter.LeakyBucket{Capacity: capacity, LeakRate: rate})
		} else {
			all = append(all, limiter.TokenBucket{Capacity: capacity, RefillRate: rate})
		}
	}
	return behaviorOf(t, settings{Limiter: limiter.All(all...)})
}

// join puts a caller at the end of a row of l.
func (b *Behavior) join(l *queue, from *Origin, n int64, asks bool) *Request {
	r := new(Request)
	l.push(b.policy(), l.came(b.policy(), &Message{Request: r, Demand: Demand{Tokens: n, Breaker: asks, From: from}, Until: Never}, 1))
	return r
}

// TestATailIsThatOfOneCallerAfterTheOther, for any full-ats, any time, and any order of callers
// that come and leave. A queue also knows the number of its waiters, of the waiters that ask the
// breaker, and of their tokens.
func TestATailIsThatOfOneCallerAfterTheOther(t *testing.T) {
	longest, emptied := 0, 0
	n := cases(t, func(seed uint64, r *rand.Rand) error {
		b := severalLimits(t, r)
		l := b.newQueue(b.policy())
		var waiting []*Request
		steps, coming := 60, 4
		if seed%200 == 0 {
			steps, coming = 3000, 9 // some lines are long
		}
		for range steps {
			switch i := r.IntN(10); {
			case i < coming:
				waiting = append(waiting, b.join(l, nil, 1+r.Int64N(3), r.IntN(2) == 0))
			case len(waiting) == 0:
				require.Nil(t, l.next())
				emptied++
				b.policy().queues.Put(l)
				l = b.newQueue(b.policy())
			default:
				at := []int{0, len(waiting) - 1, r.IntN(len(waiting))}[r.IntN(3)]
				l.remove(waiting[at])
				waiting = slices.Delete(waiting, at, at+1)
			}
			if r.IntN(20) == 0 {
				coming = 10 - coming
			}
			longest = max(longest, len(waiting))
			if !slices.Equal(l.all(), waiting) || len(waiting) > 0 && l.next() != waiting[0] {
				return fmt.Errorf("the queue has other waiters than the %d", len(waiting))
			}
			if err := l.check(b.policy().Limits, r, waiting); err != nil {
				return err
			}
		}
		return nil
	})
	if n >= 3000 {
		require.Greater(t, longest, 500)
		require.Greater(t, emptied, 3000)
	}
}

// check compares l with what follows from those that wait.
func (l *queue) check(limits limiter.Limits, r *rand.Rand, waiting []*Request) error {
	fullAts, now := make([]int64, len(limits)), r.Int64N(10_000)
	for i := range fullAts {
		fullAts[i] = r.Int64N(10_000)
	}
	want, at, tokens, asking := slices.Clone(fullAts), now, int64(0), 0
	for _, r := range waiting {
		at = limits.Follow(want, at, r.demand.Tokens)
		tokens += r.demand.Tokens
		if r.demand.Breaker {
			asking++
		}
	}
	if got := l.tail(limits, fullAts, now); !slices.Equal(got, want) {
		return fmt.Errorf("%+v: the tail of %d is %v, should be %v", limits, len(waiting), got, want)
	}
	if l.waiters != len(waiting) || l.tokens != tokens || l.asking != asking {
		return fmt.Errorf("%d for %d tokens, %d asking, should be %d, %d, %d", l.waiters, l.tokens, l.asking, len(waiting), tokens, asking)
	}
	return nil
}

// stale counts the nodes, of i and those below it, that the next tail works out.
func (e *effects) stale(i int) int {
	if i >= len(e.nodes) || !e.nodes[i].stale {
		return 0
	}
	return 1 + e.stale(2*i) + e.stale(2*i+1)
}

// TestATailIsNotWorkedOutAnew: with 16,000 waiters, a look costs nothing, and a caller that comes
// to or leaves any place costs one way up the tree. So neither n looks nor n callers that leave one
// after the other cost the square of n.
func TestATailIsNotWorkedOutAnew(t *testing.T) {
	const callers = 16_000
	height := bits.Len(callers / run)
	r := rand.New(rand.NewPCG(1, 1))
	b := severalLimits(t, r)
	l := b.newQueue(b.policy())
	fullAts, work := make([]int64, len(b.policy().Limits)), 0
	look := func() {
		work += l.plain.effects.stale(1)
		l.tail(b.policy().Limits, fullAts, 1)
		require.True(t, l.waiters == 0 || l.plain.effects.stale(1) == 0, "nobody has come or gone since")
	}
	for range callers {
		b.join(l, nil, 1, false)
		look()
	}
	require.LessOrEqual(t, work, (height+1)*callers, "of so many that come")

	work = 0
	for range callers {
		l.remove(l.next())
		b.join(l, nil, 1, false)
		look()
	}
	require.LessOrEqual(t, work, 3*(height+1)*callers, "of so many that are served, and as many that come, and gaps that are closed")

	waiting := l.all()
	work = 0
	r.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
	for _, r := range waiting {
		l.remove(r)
		look()
	}
	require.LessOrEqual(t, work, 2*(height+1)*callers, "of so many that leave, and gaps that are closed")
	require.Zero(t, l.waiters)
}

// TestAnOpenBreakerLeavesThoseAloneWhoDoNotAskIt: a turn that finds the breaker open does not go
// through a queue of callers that ask the limiter alone.
func TestAnOpenBreakerLeavesThoseAloneWhoDoNotAskIt(t *testing.T) {
	b := behaviorOf(t, settings{
		Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour},
		Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Hour)}, Mailbox: true,
	})
	var g Gate
	s := State{policy: b.policy()}
	b.Init(1, "k", &g, &s)
	b.policy().Limits.Debit(s.fullAts, 1, 3)
	s.circuit.Report(b.policy().rules, 1, s.circuit.Admit(b.policy().rules, 1), breaker.Failure)
	s.queue = b.newQueue(b.policy())
	for range 1000 {
		b.join(s.queue, nil, 1, false)
	}
	require.Zero(t, testing.AllocsPerRun(10, func() { b.serve(2, &g, &s) }), "the list of those that wait was copied")
	require.Equal(t, 1000, s.queue.waiters)
	asks := b.join(s.queue, nil, 1, true)
	asks.Call = actors.NewCall[Answer]()
	b.serve(2, &g, &s)
	require.ErrorIs(t, (<-asks.Answered()).Err, breaker.ErrOpen)
	require.Equal(t, 1000, s.queue.waiters)
}

// TestAWaitForAWindowIsKnownOnlyAmongSingleTokens: the rest of a window may be too little for the next caller.
func TestAWaitForAWindowIsKnownOnlyAmongSingleTokens(t *testing.T) {
	window := limiter.FixedWindow{Max: 3, Per: time.Minute}
	for _, c := range []struct {
		limiter limiter.Limiter
		tokens  []int64 // of those who wait
		exact   bool
	}{
		{window, nil, true},
		{window, []int64{1, 1}, true},
		{window, []int64{1, 2}, false},
		{limiter.All(window, window), []int64{1}, false},
		{limiter.TokenBucket{Capacity: 3, RefillRate: limiter.PerSecond(1)}, []int64{1, 2}, true},
	} {
		b := behaviorOf(t, settings{Limiter: c.limiter})
		s := State{policy: b.policy(), queue: b.newQueue(b.policy())}
		for _, n := range c.tokens {
			b.join(s.queue, nil, n, false)
		}
		require.Equal(t, c.exact, b.exact(&s, &Demand{Tokens: 1}), "%+v", c)
	}
}
