package actors_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/actors"
)

// A12: no goroutine is left when the tests have ended, and none in any bubble.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// face is the published part of the actors of script.
type face struct{ turns atomic.Int64 }

// state is what an actor of script keeps: a number, and those to whom it owes an answer.
type state struct {
	n    int
	owed []func(error)
}

// turn is what a message of script does.
type turn func(now int64, s *state) actors.Next

type message struct {
	turn   turn
	refuse func(error)
}

type system = actors.System[face, state, message]

// script is a Behavior whose messages say themselves what their turn does.
type script struct {
	born func(now int64) actors.Next // default fresh
	wake turn                        // default rest
	fail func(now int64, s *state, err error) actors.Next

	rank  func(*face, *state) int64 // default never to be spilled
	spill func(string, *face, *state)
}

// rest says that the state is to be kept for ever.
func rest(now int64) actors.Next {
	return actors.Next{Wake: actors.Never, Forget: actors.Never, Used: now}
}

// fresh says that the state equals that of a new actor from now on.
func fresh(now int64) actors.Next { return actors.Next{Wake: actors.Never, Forget: now, Used: now} }

// clean says that nothing has to be kept.
func clean(now int64, _ *state) actors.Next {
	return actors.Next{Wake: actors.Never, Clean: true, Used: now}
}

// unused says that the turn was a question.
func unused(next actors.Next) actors.Next {
	next.Used = 0
	return next
}

func (b *script) Init(now int64, _ string, _ *face, _ *state) actors.Next {
	if b.born != nil {
		return b.born(now)
	}
	return fresh(now)
}

func (b *script) Receive(now func() int64, p *face, s *state, m *message) actors.Next {
	p.turns.Add(1)
	return m.turn(now(), s)
}

func (b *script) Wake(now int64, p *face, s *state) actors.Next {
	p.turns.Add(1)
	if b.wake != nil {
		return b.wake(now, s)
	}
	return rest(now)
}

func (b *script) Resume(string, *face, *state) {}

func (b *script) Retire(int64, *face) bool { return true }

func (b *script) SpillRank(p *face, s *state) int64 {
	if b.rank == nil {
		return actors.Never
	}
	return b.rank(p, s)
}

func (b *script) Spill(key string, p *face, s *state) { b.spill(key, p, s) }

func (b *script) Fail(now int64, _ *face, s *state, err error) actors.Next {
	if b.fail != nil {
		return b.fail(now, s, err)
	}
	for _, answer := range s.owed {
		answer(err)
	}
	s.owed = nil
	return rest(now)
}

func (b *script) Refuse(m *message, err error) { m.refuse(err) }

// open starts a system that is closed when the test ends.
func open(t testing.TB, b *script, cfg actors.Config, hook func(actors.Point)) *system {
	t.Helper()
	s, err := actors.NewHooked(b, cfg, hook)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	return s
}

func cellOf(t testing.TB, s *system, key string) *actors.Cell[face, state, message] {
	t.Helper()
	c, err := s.Cell(key)
	require.NoError(t, err)
	return c
}

// post sends a message without waiting for its turn. The channel gets nil after the turn, or why there was none.
func post(t testing.TB, s *system, key string, f turn) <-chan error {
	t.Helper()
	done := make(chan error, 2) // two, so that a second answer would be seen and not block
	require.NoError(t, s.Send(t.Context(), cellOf(t, s, key), message{
		turn: func(now int64, st *state) actors.Next {
			next := f(now, st)
			done <- nil
			return next
		},
		refuse: func(err error) { done <- err },
	}))
	return done
}

// do sends a message and waits until it has been processed.
func do(t testing.TB, s *system, key string, f turn) error {
	t.Helper()
	return <-post(t, s, key, f)
}

// add is the turn that adds to the number and keeps the state.
func add(n int) turn {
	return func(now int64, s *state) actors.Next {
		s.n += n
		return rest(now)
	}
}

// number asks for the number.
func number(t testing.TB, s *system, key string) (n int) {
	t.Helper()
	require.NoError(t, do(t, s, key, func(now int64, st *state) actors.Next {
		n = st.n
		return unused(rest(now))
	}))
	return n
}

// linger starts the actor of key so often that it stays, although it has nothing to wait for. It belongs into a bubble. The turns are
// questions.
func linger(t testing.TB, s *system, key string) {
	t.Helper()
	for range actors.Eager + 1 {
		number(t, s, key)
		synctest.Wait()
	}
}

// gate is a turn that lasts until it is released; started is closed when it has begun.
type gate struct{ started, release chan struct{} }

func newGate() gate { return gate{make(chan struct{}), make(chan struct{})} }

func (g gate) turn(now int64, _ *state) actors.Next {
	close(g.started)
	<-g.release
	return rest(now)
}

// ended is a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// first receives from c, and fails the test if nothing comes for a minute. Call first in a bubble:
// there a minute passes only if nothing else can happen.
func first[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(time.Minute):
		require.Fail(t, "nothing came")
	}
	return v
}

// tape keeps what happened, for the test to read.
type tape[T any] struct {
	mu  sync.Mutex
	all []T
}

func (r *tape[T]) add(v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, v)
}

func (r *tape[T]) get() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]T{}, r.all...)
}

// born is the first instant of a system in a bubble; never added to it is actors.Never.
const (
	born  int64 = 1
	never       = actors.Never - born
)
