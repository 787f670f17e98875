package enginenet

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// lobbies are the rows of the calls that found the queue of a key full, first come, first served.
// While a key has a lobby, every later call for the key goes to the end of the lobby, so that a
// connection whose chunk was granted does not take the free place in the queue before the others.
// Only the first call of a lobby asks the engine.
//
// A lobby begins when a call finds a queue full and ends with its last call. A lobby is shared by
// all connections of a key, whether from a Listener or from Wrap; hence the package-level variable.
// The channels in a lobby belong to its calls alone.
var lobbies struct {
	count atomic.Int64 // lobbies there are; read without the lock
	mu    sync.Mutex   // held for a few instructions only
	of    map[place]*list.List
}

// place names a key of an engine.
type place struct {
	engine *engine.Engine
	key    string
}

// again returns the time until the first call of a lobby asks once more, after the refusal err. A
// full queue is asked after half of the time in which the queue becomes empty, so that the queue
// does not become empty meanwhile. The places of a leaky bucket are asked when the call has its
// turn. Neither takes longer than pace, since callers in a queue may leave early.
func again(err error) time.Duration {
	r, _ := errors.AsType[*engine.Rejection](err)
	if r.Limited() {
		return min(r.RetryAfter(), pace)
	}
	return min(max(r.RetryAfter()/2, 5*time.Millisecond), pace)
}

// hasLobby reports whether calls for p wait in a lobby.
func hasLobby(p place) bool {
	if lobbies.count.Load() == 0 {
		return false
	}
	lobbies.mu.Lock()
	defer lobbies.mu.Unlock()
	return lobbies.of[p] != nil
}

// enterLobby puts a call at the end of the lobby of p. The value of the call's element is a channel
// that is closed when the call is the first.
func enterLobby(p place) *list.Element {
	lobbies.mu.Lock()
	defer lobbies.mu.Unlock()
	row := lobbies.of[p]
	if row == nil {
		if lobbies.of == nil {
			lobbies.of = map[place]*list.List{}
		}
		row = list.New()
		lobbies.of[p] = row
		lobbies.count.Add(1)
	}
	call := row.PushBack(make(chan struct{}))
	if row.Len() == 1 {
		close(turnOf(call))
	}
	return call
}

// leaveLobby takes a call out of the lobby of p, wherever the call stands.
func leaveLobby(p place, call *list.Element) {
	lobbies.mu.Lock()
	defer lobbies.mu.Unlock()
	row := lobbies.of[p]
	first := row.Front() == call
	row.Remove(call)
	switch next := row.Front(); {
	case next == nil:
		delete(lobbies.of, p)
		lobbies.count.Add(-1)
	case first:
		close(turnOf(next))
	}
}

// turnOf returns the channel of a call in a lobby.
func turnOf(call *list.Element) chan struct{} { return call.Value.(chan struct{}) }

// take takes blocks from the bucket, and waits until they are there or d ends. A full queue is
// waited for.
func (b bucket) take(d *deadline, blocks int) error {
	err := b.takeAll(d, blocks)
	if r, ok := errors.AsType[*engine.Rejection](err); ok && blocks > 1 && r.Limited() && r.RetryAfter() == 0 {
		// the capacity has become less meanwhile
		for err = nil; blocks > 0 && err == nil; blocks-- {
			err = b.takeAll(d, 1)
		}
	}
	return err
}

// takeAll is take for blocks that the bucket can hold.
func (b bucket) takeAll(d *deadline, blocks int) error {
	if !hasLobby(b.place) {
		if err := b.AcquireN(d, blocks); !b.full(err) {
			return err
		}
	}
	return b.takeFromLobby(d, blocks)
}

// takeFromLobby is take for a call that has found the queue of the key full, or a lobby.
func (b bucket) takeFromLobby(d *deadline, blocks int) error {
	call := enterLobby(b.place)
	defer leaveLobby(b.place, call)
	key, begun := b.Key, time.Now()
	var pause, over <-chan time.Time
	if b.maxWait > 0 {
		over = time.After(b.maxWait)
	}
	for turn := turnOf(call); ; turn = nil {
		select {
		case <-turn:
		case <-pause:
		case <-over:
			return b.NoWait().AcquireN(context.Background(), blocks)
		case <-d.Done():
			return d.Err()
		}
		if b.maxWait > 0 {
			key = b.Within(max(1, b.maxWait-time.Since(begun)))
		}
		err := key.AcquireN(d, blocks)
		if !b.full(err) {
			return err
		}
		pause = time.After(again(err))
	}
}

// full reports whether err says that the queue of the key is full. The queue of a
// limiter.LeakyBucket is its places: without a MaxWait, a lack of places is the only reason to
// refuse a call that waiting would help.
func (b bucket) full(err error) bool {
	r, ok := errors.AsType[*engine.Rejection](err)
	if !ok {
		return false
	}
	return errors.Is(r, engine.ErrQueueFull) || b.maxWait == 0 && r.Limited() && r.RetryAfter() > 0
}
