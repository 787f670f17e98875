package guard

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
)

// TestASlowSuccessIsAnsweredAlthoughNoRateIsJudgedAnyMore: the rates went while the report was on its way. The caller of a slow call awaits the
// turn of its report, and waited for ever.
func TestASlowSuccessIsAnsweredAlthoughNoRateIsJudgedAnyMore(t *testing.T) {
	b := behaviorOf(t, settings{Breaker: &breaker.Policy{}})
	var g Gate
	var s State
	b.Init(1, "k", &g, &s)
	b.Resume("k", &g, &s)
	r := &Request{Call: actors.NewCall[Answer]()}
	m := &Message{Kind: Report, Outcome: breaker.Success, Slow: true, Permit: breaker.Permit{Generation: g.Generation()}, Request: r, Answers: r.Answers()}
	b.Receive(func() int64 { return 2 }, &g, &s, m)
	require.Len(t, r.Answered(), 1)
}
