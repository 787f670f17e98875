package engine

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestEveryoneIsAnsweredOnceWhenATurnPanics does what the runtime does when a turn panics after it has put its request into
// the line: the message is refused, the state as it was before the turn fails. Both for a line that was there already and
// for one that the turn began.
func TestEveryoneIsAnsweredOnceWhenATurnPanics(t *testing.T) {
	for _, ahead := range []int{0, 1, 3} {
		k, _, err := Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1)}, Dispatch: Mailbox}.compile()
		require.NoError(t, err)
		var g gate
		var s state
		k.Init(1, "k", &g, &s)
		now := func() int64 { return 2 }
		queue := func() *message {
			r := &request{Call: actors.NewCall[answer]()}
			m := &message{kind: ask, n: 1, mode: limiter.Turn, wait: true, until: actors.Never, req: r, answers: r.Answers()}
			k.Receive(now, &g, &s, m)
			return m
		}
		first := queue() // takes the token
		require.NoError(t, (<-first.req.Answered()).err)
		var all []*message
		for range ahead {
			all = append(all, queue())
		}
		before := s
		last := queue()
		s = before // what the runtime restores

		fault := errors.New("fault")
		k.Refuse(last, fault)
		k.Fail(3, &g, &s, fault)
		for _, m := range append(all, last) {
			require.Len(t, m.req.Answered(), 1, "%d ahead", ahead)
			require.Equal(t, fault, (<-m.req.Answered()).err)
			require.False(t, m.req.queued)
		}
		require.Nil(t, s.line)
	}
}

// TestAKeyThatOwesSomethingIsNeverSpilled: the runtime does not ask about it while an actor is there for it, and it must not depend on
// that.
func TestAKeyThatOwesSomethingIsNeverSpilled(t *testing.T) {
	k, _, err := Config{Breaker: &breaker.Policy{FailureThreshold: 1}}.compile()
	require.NoError(t, err)
	var g gate
	var s state
	k.Init(1, "k", &g, &s)
	k.Resume("k", &g, &s)
	require.Less(t, k.SpillRank(&g, &s), int64(actors.Never))
	s.line = k.newLine()
	require.Equal(t, int64(actors.Never), k.SpillRank(&g, &s))
	s.line = nil
	s.circuit.Reopen(k.rules, 7, 10)
	require.Less(t, k.SpillRank(&g, &s), int64(actors.Never))
	s.circuit.Admit(k.rules, 10)
	require.Equal(t, int64(actors.Never), k.SpillRank(&g, &s))
}

// TestNobodyIsReckonedFromBeforeTheyCame: the token has been there for a while, for a caller who has just left; the timer is late, and
// who comes now is served first. The token is reckoned from now.
func TestNobodyIsReckonedFromBeforeTheyCame(t *testing.T) {
	const second, later = int64(1e9), int64(1e9 + 5e6)
	k, _, err := Config{Limiter: limiter.LeakyBucket{Capacity: 9, LeakRate: limiter.PerSecond(1)}, Dispatch: Mailbox}.compile()
	require.NoError(t, err)
	var g gate
	var s state
	k.Init(1, "k", &g, &s)
	askAt := func(now int64) *request {
		r := &request{Call: actors.NewCall[answer]()}
		m := &message{kind: ask, n: 1, mode: limiter.Turn, wait: true, until: actors.Never, req: r, answers: r.Answers()}
		k.Receive(func() int64 { return now }, &g, &s, m)
		return r
	}
	require.NoError(t, (<-askAt(1).Answered()).err)
	require.True(t, askAt(2).Leave())
	require.NoError(t, (<-askAt(1 + later).Answered()).err)
	require.Equal(t, 1+later+second, s.words[0])
}

// TestATurnReadsTheClockBehindAShutGate: a turn reckons from an instant after which nobody has come past the gate. With the gate open
// at that moment, a call could be let through at a later instant than the one from which a breaker is open, or a bucket is decided on.
func TestATurnReadsTheClockBehindAShutGate(t *testing.T) {
	k, _, err := Config{
		Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)}, Breaker: &breaker.Policy{FailureThreshold: 2},
	}.compile()
	require.NoError(t, err)
	var g gate
	var s state
	k.Init(1, "k", &g, &s)
	k.Resume("k", &g, &s)
	permit := breaker.Permit{Generation: s.circuit.Generation()}
	for name, m := range map[string]message{
		"ask":     {kind: ask, n: 1},
		"failure": {kind: report, permit: permit, outcome: breaker.Failure},
		"success": {kind: report, permit: permit, outcome: breaker.Success},
		"inspect": {kind: inspect},
		"reset":   {kind: reset},
	} {
		k.limits.Reset(s.words, 1)
		s.circuit.Resume(permit.Generation)
		s.circuit.Report(k.rules, 1, permit, breaker.Failure) // so that a success is something to report
		k.publish(1, &g, &s)
		require.GreaterOrEqual(t, g.word.Load(), int64(0), "%s finds the gate open", name)
		m.req = &request{Call: actors.NewCall[answer](), snapshot: new(Snapshot)}
		m.answers = m.req.Answers()
		var read bool
		k.Receive(func() int64 {
			read = true
			require.Equal(t, int64(shut), g.word.Load(), "%s reads the clock while callers may pass", name)
			return 2
		}, &g, &s, &m)
		require.True(t, read, name)
	}
}
