package linear_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// perClient is how many operations each client makes in a history.
const perClient = 12

// history is what several clients see of an engine that they use at once.
type history struct {
	setting  *setting
	engine   *engine.Engine
	clock    *stepped
	clients  [clients + 1]*client // the last only steps the clock
	progress atomic.Int64         // operations that are over
	counter  atomic.Int64
	running  atomic.Int64 // clients that are not through
	asking   atomic.Int64 // of which are in a call that may wait
}

// instant is a number that is larger than all before it. It orders calls and returns.
func (h *history) instant() int64 { return h.counter.Add(1) }

// record has the clients loose on a new engine, and waits until they are through. The error tells of calls that do not return.
func record(s *setting, d engine.Dispatch, seed uint64) (*history, error) {
	h := &history{setting: s, clock: newStepped()}
	var err error
	if h.engine, err = engine.New(s.config(d, h.clock)); err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range h.clients {
		c := &client{h: h, id: int8(i), rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		for key := range c.handles {
			c.handles[key] = h.engine.Key(keyNames[key])
		}
		h.clients[i] = c
	}
	for _, c := range h.clients[:clients] {
		wg.Go(func() {
			<-start
			c.run(perClient)
			h.running.Add(-1)
		})
	}
	h.running.Store(clients)
	close(start)
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	if err := h.attend(done); err != nil {
		return nil, err
	}
	return h, h.engine.Close(context.Background())
}

// attend waits for the clients, and steps the clock when all that are left wait for that.
func (h *history) attend(done <-chan struct{}) error {
	const least, most = 20 * time.Microsecond, 5 * time.Millisecond
	begun, pause := time.Now(), least
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for before := int64(0); ; timer.Reset(pause) {
		select {
		case <-done:
			return nil
		case <-timer.C:
		}
		if now := h.progress.Load(); now != before || h.asking.Load() < h.running.Load() {
			before, pause = now, least
		} else {
			h.clients[clients].step(4)
			pause = min(2*pause, most) // whoever is to grant something may not have come to it
		}
		if time.Since(begun) > *patienceFlag {
			return fmt.Errorf("calls do not return:\n%s", h.pending())
		}
	}
}

// pending is a line for each call that has not returned.
func (h *history) pending() string {
	var lines strings.Builder
	for _, c := range h.clients {
		if o := c.at.Load(); o != nil {
			fmt.Fprintf(&lines, "client %d: called at %d, now %d\n", c.id, o.call, h.counter.Load())
		}
	}
	return lines.String()
}

// of are the operations on a key.
func (h *history) of(key int) (all []*operation) {
	for _, c := range h.clients {
		all = append(all, c.seen[key]...)
	}
	return all
}

// calls is how many operations were made.
func (h *history) calls() (n int) {
	for _, c := range h.clients {
		n += c.calls
	}
	return n
}
