package actors_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// TestACallIsClaimedOrLeftAndNeverBoth lets the actor and the caller decide at the same time.
func TestACallIsClaimedOrLeftAndNeverBoth(t *testing.T) {
	c := actors.NewCall[int]()
	claimed := 0
	for i := range 20_000 {
		var answered bool
		var wg sync.WaitGroup
		start := make(chan struct{})
		wg.Go(func() { // the actor
			<-start
			if answered = c.Claim(); answered {
				c.Answer(i)
			}
		})
		close(start)
		if c.Leave() {
			wg.Wait()
			require.False(t, answered)
			require.True(t, c.Left())
			require.Empty(t, c.Answered())
		} else {
			require.Equal(t, i, <-c.Answered())
			wg.Wait()
			require.False(t, c.Left())
			claimed++
		}
		require.False(t, c.Claim(), "decided")
		require.False(t, c.Leave(), "decided")
		c.Reset()
	}
	t.Logf("claimed %d of 20,000", claimed)
}

func TestManyLeaveAndClaimOneWins(t *testing.T) {
	for range 1000 {
		c := actors.NewCall[int]()
		var mu sync.Mutex
		var wg sync.WaitGroup
		winners := 0
		for i := range 8 {
			wg.Go(func() {
				if i%2 == 0 && c.Claim() || i%2 == 1 && c.Leave() {
					mu.Lock()
					winners++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, winners)
	}
}

func TestAnAnswerNeverBlocks(t *testing.T) {
	c := actors.NewCall[string]()
	require.True(t, c.Claim())
	c.Answer("nobody listens yet") // on this goroutine: had it to wait, the test would hang
	require.False(t, c.Leave(), "the answer is there")
	require.Equal(t, "nobody listens yet", <-c.Answered())

	c.Reset()
	require.True(t, c.Leave())
	c.Reset()
	require.False(t, c.Left())
	require.True(t, c.Claim())
	c.Answer("again")
	require.Equal(t, "again", <-c.Answered())
}

// asks is a Behavior of the plain kind: a call is answered with how many were answered before it.
type asks struct{ dropped int }

type question struct {
	*actors.Call[int]
	at func() // runs in the turn, before the call is claimed
}

func (*asks) Init(now int64, _ string, _ *struct{}, _ *int) actors.Next { return fresh(now) }

func (b *asks) Receive(now func() int64, _ *struct{}, n *int, q *question) actors.Next {
	if q.at != nil {
		q.at()
	}
	if !q.Claim() {
		b.dropped++
		return actors.Next{Same: true}
	}
	*n++
	q.Answer(*n)
	return rest(now())
}

func (*asks) Wake(now int64, _ *struct{}, _ *int) actors.Next { return rest(now) }
func (*asks) Resume(string, *struct{}, *int)                  {}
func (*asks) SpillRank(*struct{}, *int) int64                 { return actors.Never }
func (*asks) Spill(string, *struct{}, *int)                   {}
func (*asks) Retire(int64, *struct{}) bool                    { return true }

func (*asks) Fail(now int64, _ *struct{}, _ *int, _ error) actors.Next { return rest(now) }

func (*asks) Refuse(q *question, _ error) {
	if q.Claim() {
		q.Answer(-1)
	}
}

func TestAMessageWhoseCallerHasLeftIsDroppedUnprocessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &asks{}
		s, err := actors.New(b, actors.Config{})
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close(context.Background())) }()
		cell, err := s.Cell("a")
		require.NoError(t, err)
		release := make(chan struct{})
		ask := func(at func()) *actors.Call[int] {
			c := actors.NewCall[int]()
			require.NoError(t, s.Send(t.Context(), cell, question{&c, at}))
			return &c
		}
		first := ask(func() { <-release })
		left, stays := ask(nil), ask(nil)
		require.True(t, left.Leave())
		close(release)
		require.Equal(t, 1, <-first.Answered())
		require.Equal(t, 2, <-stays.Answered())
		synctest.Wait()
		require.Equal(t, 1, b.dropped)

		left.Reset()
		require.NoError(t, s.Send(t.Context(), cell, question{Call: left}))
		require.Equal(t, 3, <-left.Answered(), "the actor has seen it left, so it may be used again")
	})
}
