package actors_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// retiring are the ways in which the driver makes actors leave all the time.
var retiring = []struct {
	name string
	cfg  actors.Config
	keys int
}{
	{"BySweeper", actors.Config{IdleAfter: 1, Mailbox: 2}, 3},
	{"ByNewcomers", actors.Config{MaxKeys: 2, Mailbox: 2}, 4},
	{"ByBoth", actors.Config{IdleAfter: 1, MaxKeys: 1, Mailbox: 1}, 3},
}

func nothing() {}

// TestRetiringLosesNothing is A1 and A2, with goroutines in parallel that give way at every dangerous point.
func TestRetiringLosesNothing(t *testing.T) {
	for _, r := range retiring {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			yield := func(actors.Point) {
				for range rand.IntN(4) {
					runtime.Gosched()
				}
			}
			rest := func() { // or else the mailbox of a hot key is never empty, and its actor never leaves
				for range rand.IntN(40) {
					runtime.Gosched()
				}
			}
			o := newOurs(t, r.cfg, yield)
			w := workload{senders: 4, letters: 4000, keys: r.keys, linger: runtime.Gosched, pause: rest, vain: hung}
			o.audited(w, 1000)
		})
	}
}

// TestRetiringLosesNothingWhenEveryStepTakesLong is A1 and A2 in a bubble, where a hook sleeps at every dangerous point for
// longer than an actor stays.
func TestRetiringLosesNothingWhenEveryStepTakesLong(t *testing.T) {
	for _, r := range retiring {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOurs(t, r.cfg, func(actors.Point) { dawdle() })
				f := o.audited(patient(r.keys), 500)
				require.NotZero(t, f.Evicted)
				require.NotZero(t, o.retired.Load(), "a sender held a cell that retired")
			})
		})
	}
}

// audited drives o and requires that nothing is found, and that there was something to be found.
func (o *ours) audited(w workload, enough int64) actors.Stats {
	o.t.Helper()
	f, accepted := drive(o, w)
	require.Zero(o.t, f)
	require.Greater(o.t, accepted, enough)
	s := o.Stats()
	require.Zero(o.t, s.Actors)
	o.t.Logf("%d letters, %d cells evicted, %d sends to retired cells, %d refused at the limit of keys",
		accepted, s.Evicted, o.retired.Load(), o.full.Load())
	return s
}

// dawdle sleeps for up to 5 ms of the bubble's time.
func dawdle() { time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond) }

// patient is the work of the tests in bubbles.
func patient(keys int) workload {
	linger := func() { time.Sleep(time.Millisecond) }
	return workload{senders: 6, letters: 400, keys: keys, linger: linger, pause: dawdle, vain: 20 * time.Second}
}

// naive is the protocol that suggests itself: the actor is looked up under a lock and the letter sent without it; an actor
// that has been idle takes itself out of the map and ends.
type naive struct {
	hook   func(actors.Point)
	drains bool // the leaving actor empties its mailbox, lest letters be lost

	mu      sync.Mutex
	actors  map[string]chan letter
	running sync.WaitGroup
	ended   chan struct{}
}

func newNaive(drains bool, hook func(actors.Point)) *naive {
	return &naive{hook: hook, drains: drains, actors: map[string]chan letter{}, ended: make(chan struct{})}
}

func (r *naive) send(l letter) bool {
	r.mu.Lock()
	box, ok := r.actors[l.key]
	if !ok {
		box = make(chan letter, 16)
		r.actors[l.key] = box
		r.running.Go(func() { r.run(l.key, box) })
	}
	r.mu.Unlock()
	r.hook(actors.AfterLookup)
	select {
	case box <- l:
		return true
	case <-time.After(time.Second):
		return false
	}
}

func (r *naive) run(key string, box chan letter) {
	var s odd
	for {
		select {
		case l := <-box:
			l.process(&s)
			continue
		case <-r.ended:
			return
		case <-time.After(time.Millisecond):
		}
		if s {
			continue
		}
		r.hook(actors.BeforeLeave)
		r.mu.Lock()
		delete(r.actors, key)
		r.mu.Unlock()
		r.hook(actors.BeforeRetire)
		for r.drains {
			select {
			case l := <-box:
				l.process(&s)
				continue
			default:
			}
			break
		}
		return
	}
}

func (r *naive) close() {
	close(r.ended)
	r.running.Wait()
}

// TestTheNaiveProtocolFailsTheSameTest shows that the driver finds what it looks for.
func TestTheNaiveProtocolFailsTheSameTest(t *testing.T) {
	for _, drains := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f, accepted := drive(newNaive(drains, func(actors.Point) { dawdle() }), patient(3))
			t.Logf("drains %v: %d letters, %+v", drains, accepted, f)
			require.NotZero(t, f.Lost)
			if drains {
				require.NotZero(t, f.Overlaps, "two actors had a turn at once")
				require.NotZero(t, f.Amnesia, "and each its own state")
				require.NotZero(t, f.Disorder)
			}
		})
	}
}

// TestTheNaiveProtocolAlwaysLosesTheLetterOfASlowSender needs no chance: the sender is held until the actor has left.
func TestTheNaiveProtocolAlwaysLosesTheLetterOfASlowSender(t *testing.T) {
	w := workload{senders: 1, letters: 1, keys: 1, linger: nothing, pause: nothing, vain: 20 * time.Second}
	hold := func() func(actors.Point) {
		var held atomic.Bool
		return func(p actors.Point) {
			if p == actors.AfterLookup && held.CompareAndSwap(false, true) {
				time.Sleep(time.Second)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		f, accepted := drive(newNaive(false, hold()), w)
		require.EqualValues(t, 1, accepted)
		require.Equal(t, findings{Lost: 1}, f)
	})
	synctest.Test(t, func(t *testing.T) {
		o := newOurs(t, actors.Config{IdleAfter: 1}, hold())
		f, accepted := drive(o, w)
		require.EqualValues(t, 1, accepted)
		require.Zero(t, f)
		require.NotZero(t, o.retired.Load(), "it was told to look again")
	})
}
