package guard

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestAGrantThatPanicsKeepsNoPlace: a turn has taken the place of a call, and panics before the call hears of it. (The place
// stayed taken for ever.) The grant is that of a probe, at once or behind a wait for a token.
func TestAGrantThatPanicsKeepsNoPlace(t *testing.T) {
	for _, waits := range []bool{false, true} {
		b := behaviorOf(t, settings{
			Places: 1, Mailbox: true, Breaker: &breaker.Policy{FailureThreshold: 1},
			Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 100)},
		})
		var g Gate
		var s State
		b.Init(1, "k", &g, &s)
		s.circuit.Reopen(b.policy().rules, b.generation(), 10)
		now := int64(20)
		ask := func(d Demand) {
			r := &Request{Call: actors.NewCall[Answer]()}
			b.Receive(func() int64 { return now }, &g, &s, &Message{Kind: Ask, Demand: d, Until: Never, Request: r, Answers: r.Answers()})
		}
		call := Demand{Tokens: 1, Mode: limiter.Queued, Breaker: true}
		fault := errors.New("fault")
		b.Renewing = func() { panic(fault) }
		if waits {
			ask(acquire)
			ask(call)
			require.Equal(t, 1, s.Waiters())
			now = 200
			require.PanicsWithValue(t, fault, func() { b.Wake(now, &g, &s) })
		} else {
			require.PanicsWithValue(t, fault, func() { ask(call) })
		}
		require.Zero(t, g.InFlight())
	}
}

// TestALineBeginsAnew: the row that begins a line counts as served last, so that the row which comes next has the next turn,
// whatever the line served before. (A queue that was used again went on where its line had ended.)
func TestALineBeginsAnew(t *testing.T) {
	b := behaviorOf(t, settings{Places: 1})
	from := &Origin{Key: "narrow"}
	queue := b.newQueue(b.policy())
	queue.granted(b.lines(queue, nil))
	for range 100 { // a pool may lose what it is given
		b.policy().queues.Put(queue)
		queue = b.newQueue(b.policy())
		rows := []*Request{b.lines(queue, from), b.lines(queue, nil)}
		require.True(t, rows[1] == queue.line.next())
		queue.granted(rows[0])
		queue.granted(rows[1]) // the last
	}
}

// lines puts a caller at the end of a row of the line of q.
func (b *Behavior) lines(q *queue, from *Origin) *Request {
	r := new(Request)
	q.lineUp(q.came(b.policy(), &Message{Request: r, Demand: Demand{Breaker: true, From: from}, Until: Never}, 1), 1)
	return r
}
