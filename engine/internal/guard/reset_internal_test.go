package guard

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// TestAResetGrantsNobodyWhoseStayIsOver: the tokens of a Reset were not there before, for a waiter that another row has overtaken and
// that has waited for longer than it may.
func TestAResetGrantsNobodyWhoseStayIsOver(t *testing.T) {
	h := newHall(t)
	h.Behavior = behaviorOf(t, settings{Mailbox: true, Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, 1000*time.Nanosecond)}})
	h.Init(h.now, "k", &h.gate, &h.state)
	for range 3 {
		h.come(0)
	}
	ask := func(from *Origin, stay int64) *Request {
		r := h.Request()
		h.turn(Message{Kind: Ask, Request: r, Answers: r.Answers(), Until: Never, Demand: Demand{Tokens: 1, Mode: limiter.Queued, Stay: stay, From: from}})
		require.True(t, r.queued)
		return r
	}
	bounded, overtakes := ask(h.origins[1], 1000), ask(h.origins[2], AsLong)
	h.now = 1500 // the timer is late
	reset := h.Request()
	h.turn(Message{Kind: Reset, Request: reset})
	require.NoError(t, (<-overtakes.Answered()).Err)
	require.Equal(t, limiter.ErrLimited, (<-bounded.Answered()).Err)
	require.NoError(t, (<-reset.Answered()).Err)
}
