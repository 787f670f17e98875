package guard

import (
	"errors"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// acquire is the demand of an Acquire that waits for as long as it must.
var acquire = Demand{Tokens: 1, Mode: limiter.Queued}

// TestEveryoneIsAnsweredOnceWhenATurnPanics repeats the steps of the runtime after a panic of a
// turn that has put its request into the queue: the message is refused, and the state from before
// the turn fails. The queue was there before the turn, or the turn began the queue.
func TestEveryoneIsAnsweredOnceWhenATurnPanics(t *testing.T) {
	for _, ahead := range []int{0, 1, 3} {
		b := behaviorOf(t, settings{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1)}, Mailbox: true})
		var g Gate
		var s State
		b.Init(1, "k", &g, &s)
		now := func() int64 { return 2 }
		queue := func() *Message {
			r := &Request{Call: actors.NewCall[Answer]()}
			m := &Message{Kind: Ask, Demand: acquire, Until: actors.Never, Request: r, Answers: r.Answers()}
			b.Receive(now, &g, &s, m)
			return m
		}
		first := queue() // takes the token
		require.NoError(t, (<-first.Request.Answered()).Err)
		var all []*Message
		for range ahead {
			all = append(all, queue())
		}
		before := s
		last := queue()
		s = before // what the runtime restores

		fault := errors.New("fault")
		b.Refuse(last, fault)
		b.Fail(3, &g, &s, fault)
		for _, m := range append(all, last) {
			require.Len(t, m.Request.Answered(), 1, "%d ahead", ahead)
			require.Equal(t, fault, (<-m.Request.Answered()).Err)
			require.False(t, m.Request.queued)
		}
		require.Nil(t, s.queue)
	}
}

// TestAKeyThatOwesSomethingIsNeverSpilled: the rank of a key with a waiter or a probe is Never. The
// runtime asks for no rank while the key has an actor, and the rank must not depend on that.
func TestAKeyThatOwesSomethingIsNeverSpilled(t *testing.T) {
	b := behaviorOf(t, settings{Breaker: &breaker.Policy{FailureThreshold: 1}})
	var g Gate
	var s State
	b.Init(1, "k", &g, &s)
	b.Resume("k", &g, &s)
	require.Less(t, b.SpillRank(&g, &s), int64(actors.Never))
	s.queue = b.newQueue(b.policy())
	require.Equal(t, int64(actors.Never), b.SpillRank(&g, &s))
	s.queue = nil
	s.circuit.Reopen(b.policy().rules, 7, 10)
	require.Less(t, b.SpillRank(&g, &s), int64(actors.Never))
	s.circuit.Admit(b.policy().rules, 10)
	require.Equal(t, int64(actors.Never), b.SpillRank(&g, &s))
}

// TestNobodyIsReckonedFromBeforeTheyCame: a token came for a caller that has just left, and the
// timer of the queue is late. A caller that comes now is served first, and its token counts from
// now on.
func TestNobodyIsReckonedFromBeforeTheyCame(t *testing.T) {
	const second, later = int64(1e9), int64(1e9 + 5e6)
	b := behaviorOf(t, settings{Limiter: limiter.LeakyBucket{Capacity: 9, LeakRate: limiter.PerSecond(1)}, Mailbox: true})
	var g Gate
	var s State
	b.Init(1, "k", &g, &s)
	askAt := func(now int64) *Request {
		r := &Request{Call: actors.NewCall[Answer]()}
		m := &Message{Kind: Ask, Demand: acquire, Until: actors.Never, Request: r, Answers: r.Answers()}
		b.Receive(func() int64 { return now }, &g, &s, m)
		return r
	}
	require.NoError(t, (<-askAt(1).Answered()).Err)
	require.True(t, askAt(2).Leave())
	require.NoError(t, (<-askAt(1 + later).Answered()).Err)
	require.Equal(t, 1+later+second, s.fullAts[0])
}

// TestATurnReadsTheClockBehindAShutGate: a turn reads the clock when the actor owns the gate. If
// the gate were shared at that moment, a call could pass at an instant after the opening of the
// breaker, or after the instant at which the turn decides on the bucket.
func TestATurnReadsTheClockBehindAShutGate(t *testing.T) {
	b := behaviorOf(t, settings{
		Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)}, Breaker: &breaker.Policy{FailureThreshold: 2},
	})
	var g Gate
	var s State
	b.Init(1, "k", &g, &s)
	b.Resume("k", &g, &s)
	permit := breaker.Permit{Generation: s.circuit.Generation()}
	for name, m := range map[string]Message{
		"ask":     {Kind: Ask, Demand: acquiring(1)},
		"failure": {Kind: Report, Permit: permit, Outcome: breaker.Failure},
		"success": {Kind: Report, Permit: permit, Outcome: breaker.Success},
		"inspect": {Kind: Inspect},
		"reset":   {Kind: Reset},
	} {
		b.policy().Limits.Reset(s.fullAts, 1)
		s.circuit.Resume(permit.Generation)
		s.circuit.Report(b.policy().rules, 1, permit, breaker.Failure) // so that a success is something to report
		b.post(1, &g, &s, nil)
		require.GreaterOrEqual(t, g.fullAt.Load(), int64(0), "%s finds the gate open", name)
		m.Request = &Request{Call: actors.NewCall[Answer](), Snapshot: new(Snapshot)}
		m.Answers = m.Request.Answers()
		var read bool
		b.Receive(func() int64 {
			read = true
			require.Equal(t, int64(owned), g.fullAt.Load(), "%s reads the clock while callers may pass", name)
			return 2
		}, &g, &s, &m)
		require.True(t, read, name)
	}
}

// TestACellIsOneCacheLine: a million keys have a million cells.
func TestACellIsOneCacheLine(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(Cell{}), uintptr(64))
}
