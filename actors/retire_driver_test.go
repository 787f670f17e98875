package actors_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// registry is what the driver drives: the system, or the naive protocol of naive_test.go.
type registry interface {
	// send delivers a letter to the actor of its key; false means that it was not and will not be.
	send(l letter) bool
	close()
}

// audit is what is known of one key beside its actor's state.
type audit struct {
	key      string
	inTurn   atomic.Bool
	overlaps atomic.Int64 // turns that ran while another did: there were two actors
	disorder atomic.Int64 // letters that came after a later one of their sender, or a second time
	amnesia  atomic.Int64 // turns that found the state other than the turns before had left it

	// Written in turns only. Atomic, so that two actors at once are flagged here and not by the race detector.
	turns atomic.Int64
	last  []atomic.Int64 // by sender: the number of its last letter
}

// letter is a numbered message.
type letter struct {
	*audit
	sender, number int
	linger         func()        // how long the turn takes
	arrived        chan struct{} // gets a token after the turn
}

// odd is the state of the actors: whether the number of turns is odd. An odd one must not be forgotten.
type odd bool

// process is the turn of l, in whichever registry.
func (l letter) process(s *odd) {
	if !l.inTurn.CompareAndSwap(false, true) {
		l.overlaps.Add(1)
	}
	l.linger()
	if l.turns.Add(1)%2 == 0 != bool(*s) {
		l.amnesia.Add(1)
	}
	*s = !*s
	if l.last[l.sender].Swap(int64(l.number)) >= int64(l.number) {
		l.disorder.Add(1)
	}
	l.inTurn.Store(false)
	l.arrived <- struct{}{}
}

// findings are what the driver found wrong.
type findings struct {
	Lost, Overlaps, Disorder, Amnesia int64
}

// hung is the longest time that a test outside a bubble waits. The tests take about a second, so
// that hung ends a test that hangs, and no busy machine decides a result.
const hung = 5 * time.Minute

// workload is how the driver drives.
type workload struct {
	senders, letters, keys int
	linger, pause          func()        // in a turn, and between two letters of a sender
	vain                   time.Duration // until letters that have not come count as lost
}

// drive sends letters to few keys from many goroutines and audits what becomes of them.
func drive(r registry, w workload) (findings, int64) {
	audits := make([]*audit, w.keys)
	for i := range audits {
		audits[i] = &audit{key: fmt.Sprint("key", i), last: make([]atomic.Int64, w.senders)}
	}
	var accepted atomic.Int64
	arrived := make(chan struct{}, 2*w.senders*w.letters) // twice, for letters that come twice
	var senders sync.WaitGroup
	for sender := range w.senders {
		senders.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(sender)))
			for number := 1; number <= w.letters; number++ {
				l := letter{audits[random.IntN(w.keys)], sender, number, w.linger, arrived}
				if r.send(l) {
					accepted.Add(1)
				}
				w.pause()
			}
		})
	}
	senders.Wait()
	f := findings{Lost: accepted.Load() - receive(arrived, accepted.Load(), w.vain)}
	r.close()
	f.Lost -= int64(len(arrived)) // below zero: processed, not accepted
	for _, a := range audits {
		f.Overlaps += a.overlaps.Load()
		f.Disorder += a.disorder.Load()
		f.Amnesia += a.amnesia.Load()
	}
	return f, accepted.Load()
}

// receive waits for n tokens, for vain in all, and returns the number of tokens that came.
func receive(tokens <-chan struct{}, n int64, vain time.Duration) (got int64) {
	over := time.After(vain)
	for ; got < n; got++ {
		select {
		case <-tokens:
		case <-over:
			return got
		}
	}
	return got
}

// keeper is the Behavior that processes letters.
type keeper struct{ refused atomic.Int64 }

func (*keeper) Init(now int64, _ string, _ *struct{}, _ *odd) actors.Next { return fresh(now) }

func (*keeper) Receive(now func() int64, _ *struct{}, s *odd, l *letter) actors.Next {
	l.process(s)
	at := now()
	if *s {
		return rest(at)
	}
	next := fresh(at)
	next.Clean = at%2 == 0 // it leaves at once, its state dropped; or when told to, its state kept
	return next
}

func (*keeper) Wake(now int64, _ *struct{}, _ *odd) actors.Next { return rest(now) }
func (*keeper) Resume(string, *struct{}, *odd)                  {}
func (*keeper) SpillRank(*struct{}, *odd) int64                 { return actors.Never }
func (*keeper) Spill(string, *struct{}, *odd)                   {}
func (*keeper) Retire(int64, *struct{}) bool                    { return true }

func (*keeper) Fail(now int64, _ *struct{}, _ *odd, _ error) actors.Next { return rest(now) }
func (k *keeper) Refuse(*letter, error)                                  { k.refused.Add(1) }

// ours is the registry that is on trial.
type ours struct {
	t      testing.TB
	keeper *keeper
	ctx    context.Context // ends when the driver should long have: what hangs then fails
	*actors.System[struct{}, odd, letter]
	retired, full atomic.Int64
}

func newOurs(t testing.TB, cfg actors.Config, hook func(actors.Point)) *ours {
	t.Helper()
	k := &keeper{}
	s, err := actors.NewHooked(k, cfg, hook)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), hung)
	t.Cleanup(cancel)
	return &ours{t: t, keeper: k, ctx: ctx, System: s}
}

func (o *ours) send(l letter) bool {
	for {
		c, err := o.Cell(l.key)
		if err == nil {
			err = o.Send(o.ctx, c, l)
		}
		switch {
		case err == nil:
			return true
		case errors.Is(err, actors.ErrRetired):
			o.retired.Add(1)
		case errors.Is(err, actors.ErrKeyLimit):
			o.full.Add(1)
			return false
		default:
			o.t.Errorf("send: %v", err)
			return false
		}
	}
}

func (o *ours) close() {
	if err := o.Close(o.ctx); err != nil {
		o.t.Error(err)
	}
	if n := o.keeper.refused.Load(); n != 0 {
		o.t.Errorf("%d letters were refused", n)
	}
}
