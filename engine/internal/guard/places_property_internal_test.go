package guard

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/limiter"
)

// crowd is one key with places, its callers, and how many of them are in flight.
type crowd struct {
	*Behavior
	gate    Gate
	state   State
	now     int64
	wake    int64
	inside  int64
	told    int        // messages of leavers that are on their way
	waiting []*Request // that have to get a place, in the order of their coming
	leaving []*Request // have left, and the actor does not know yet
	granted int
}

// turn is the end of a turn.
func (c *crowd) turn(next actors.Next) error {
	c.wake = next.Wake
	return c.answers()
}

func (c *crowd) receive(m *Message) error {
	return c.turn(c.Receive(func() int64 { return c.now }, &c.gate, &c.state, m))
}

// answers takes the answers: the first to come gets the first place.
func (c *crowd) answers() error {
	for len(c.waiting) > 0 {
		select {
		case a := <-c.waiting[0].Answered():
			if a.Err != nil || !a.Placed {
				return fmt.Errorf("answered with %+v", a)
			}
			c.waiting = c.waiting[1:]
			c.inside++
			c.granted++
			continue
		default:
		}
		break
	}
	for _, r := range c.waiting {
		if len(r.Answered()) > 0 {
			return fmt.Errorf("a caller was served before one who came first")
		}
	}
	return c.check()
}

// check is what holds behind every turn.
func (c *crowd) check() error {
	p, q := c.state.policy, c.state.queue
	switch n := int64(c.gate.InFlight()); {
	case n != c.inside:
		return fmt.Errorf("%d places are taken, and %d calls are in flight", n, c.inside)
	case n > p.Places:
		return fmt.Errorf("%d calls are in flight, and %d may be", n, p.Places)
	case c.state.Waiters() < len(c.waiting) || c.state.Waiters() > len(c.waiting)+len(c.leaving):
		return fmt.Errorf("%d callers wait, %d have left, and %d are known", len(c.waiting), len(c.leaving), c.state.Waiters())
	case q.lined() == 0:
	case c.wake == Never:
		return fmt.Errorf("callers wait for a place, and the actor may leave")
	case c.told == 0 && c.gate.free(p) && c.state.due(c.now, q.line.next()) <= c.now:
		return fmt.Errorf("a place is free and the tokens are there, and somebody waits")
	case c.gate.posted.Load().places.Load()&awaited == 0:
		return fmt.Errorf("a leaver would not tell that a place is free")
	}
	return nil
}

// step is one random thing that happens.
func (c *crowd) step(r *rand.Rand) error {
	switch what := r.IntN(10); {
	case what < 4:
		q := &Request{Call: actors.NewCall[Answer]()}
		c.waiting = append(c.waiting, q)
		return c.receive(&Message{
			Kind: Ask, Demand: Demand{Tokens: 1 + int64(r.IntN(2)), Breaker: true, Mode: limiter.Queued}, Request: q, Answers: q.Answers(), Until: Never,
		})
	case what < 7 && c.inside > 0:
		c.inside--
		if c.gate.Posted().Leave() {
			c.told++
		}
	case what == 7 && c.told > 0:
		c.told--
		return c.receive(&Message{Kind: Vacate})
	case what == 9 && len(c.leaving) > 0:
		q := c.leaving[0]
		c.leaving = c.leaving[1:]
		return c.receive(&Message{Kind: CancelWait, Request: q})
	case what == 8 && len(c.waiting) > 0:
		i := r.IntN(len(c.waiting))
		q := c.waiting[i]
		if !q.Leave() {
			return fmt.Errorf("a caller who waits could not leave")
		}
		c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
		c.leaving = append(c.leaving, q)
	default:
		c.now += int64(r.IntN(8))
		if c.wake <= c.now {
			return c.turn(c.Wake(c.now, &c.gate, &c.state))
		}
	}
	return nil
}

// drain lets all calls end, until nobody waits.
func (c *crowd) drain() error {
	for range 10_000 {
		switch {
		case c.inside > 0:
			c.inside--
			if c.gate.Posted().Leave() {
				c.told++
			}
		case c.told > 0:
			c.told--
			if err := c.receive(&Message{Kind: Vacate}); err != nil {
				return err
			}
		case len(c.leaving) > 0:
			q := c.leaving[0]
			c.leaving = c.leaving[1:]
			if err := c.receive(&Message{Kind: CancelWait, Request: q}); err != nil {
				return err
			}
		case len(c.waiting) == 0:
			return nil
		default:
			c.now = max(c.now+1, min(c.wake, c.now+1000))
			if err := c.turn(c.Wake(c.now, &c.gate, &c.state)); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("%d callers wait for ever", len(c.waiting))
}

// TestPlacesAreGivenInTurn: with any tokens, any leavers and any delay of their messages, each caller gets its place and
// its tokens together, in the order of coming; nobody waits while both are there, and no caller waits for ever.
func TestPlacesAreGivenInTurn(t *testing.T) {
	granted := 0
	cases(t, func(_ uint64, r *rand.Rand) error {
		set := settings{Places: 1 + int64(r.IntN(3)), Mailbox: r.IntN(2) == 0}
		if r.IntN(3) > 0 {
			set.Limiter = limiter.TokenBucket{Capacity: 2 + r.IntN(3), RefillRate: limiter.Per(1, 3)}
		}
		c := &crowd{Behavior: behaviorOf(t, set), now: 1, wake: Never}
		if next := c.Init(1, "k", &c.gate, &c.state); next.Clean {
			c.Resume("k", &c.gate, &c.state)
		}
		for range 60 {
			if err := c.step(r); err != nil {
				return err
			}
		}
		granted += c.granted
		return c.drain()
	})
	require.Greater(t, granted, 1000)
}

// TestAWordOfPlaces: who takes, leaves, and has the key go.
func TestAWordOfPlaces(t *testing.T) {
	b := behaviorOf(t, settings{Places: 2})
	var g Gate
	var s State
	b.Init(1, "k", &g, &s)
	n := g.Posted()
	require.True(t, n.Enter())
	require.True(t, n.Enter())
	require.False(t, n.Enter())
	require.True(t, n.Full())
	require.Equal(t, 2, g.InFlight())
	require.False(t, g.vacate(), "calls are in flight")
	require.True(t, g.putAside())
	require.False(t, n.Leave())
	require.True(t, n.Leave(), "the last call brings the key back")
	g.settle(false)
	require.False(t, g.putAside())
	require.True(t, g.vacate())
	require.False(t, n.Enter(), "the key is about to go")
	require.False(t, n.Full(), "and refuses nobody")
	g.stay()
	require.True(t, n.Enter())
	require.Same(t, n, n.placed(n))
	next := b.policy().counted.placed(n)
	require.Same(t, n.places, next.places, "a cell has the same places all its life")
	require.Same(t, next, b.policy().counted.placed(next))
	require.False(t, next.Leave())
	require.False(t, b.policy().clean.placed(&Notice{policy: b.policy()}).Full())
	require.False(t, b.policy().clean.Enter(), "before the first notice of the key there is no place")
}
