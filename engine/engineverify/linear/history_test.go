package linear_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// perClient is how many operations each client makes in a history at most.
const perClient = 12

// history is what several clients see of an engine that they use at once.
type history struct {
	setting  *setting
	engines  [keys]*engine.Engine // of each key
	clock    *stepped
	clients  [clients + 1]*client // the last only steps the clock
	progress atomic.Int64         // operations that are over
	counter  atomic.Int64
	running  atomic.Int64 // clients that are not through
	asking   atomic.Int64 // of which are in a call that may wait
}

// instant is a number that is larger than all before it. It orders calls and returns.
func (h *history) instant() int64 { return h.counter.Add(1) }

// record has the clients loose on a new engine, and waits until they are through. The error tells
// of calls that do not return.
func record(s *setting, d engine.Dispatch, seed uint64) (*history, error) {
	h := &history{setting: s, clock: newStepped()}
	if err := h.open(d); err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range h.clients {
		c := &client{h: h, id: int8(i), rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		for key, e := range h.engines {
			c.handles[key] = e.Key(keyNames[key])
		}
		c.handles[through] = engine.Chain(c.handles[narrow], c.handles[wide]) // or of no use
		h.clients[i] = c
	}
	n, each := s.size()
	for _, c := range h.clients[:n] {
		wg.Go(func() {
			<-start
			c.run(each)
			h.running.Add(-1)
		})
	}
	h.running.Store(int64(n))
	close(start)
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	if err := h.attend(done); err != nil {
		return nil, err
	}
	return h, h.close()
}

// open makes the engine of all keys or, in a setting with a chain, one for each.
func (h *history) open(d engine.Dispatch) error {
	for key := range h.engines {
		if key > 0 && (h.setting.wide == nil || key > wide) {
			h.engines[key] = h.engines[key-1]
			continue
		}
		var err error
		if h.engines[key], err = engine.New(h.setting.config(key, d, h.clock)); err != nil {
			return err
		}
	}
	if h.setting.known {
		for key, e := range h.engines[:h.setting.keys()] {
			e.Allow(keyNames[key])
			e.Reset(keyNames[key])
		}
	}
	return nil
}

// close closes the engines, and notes how many tokens stayed spent.
func (h *history) close() error {
	var errs []error
	for key, e := range h.engines[:h.setting.keys()] {
		errs = append(errs, e.Close(context.Background()))
		if h.setting.wide != nil {
			now := h.instant()
			h.clients[clients].seen[key] = append(h.clients[clients].seen[key], &operation{
				kind: total, client: clients, d: int(e.Stats().KeptSpent), call: now, ret: h.instant(), until: h.counter.Load(),
			})
		}
	}
	return errors.Join(errs...)
}

// rulesOf are the rules of key.
func (h *history) rulesOf(key int) *rules {
	if key == wide && h.setting.wide != nil {
		return h.setting.wide
	}
	return &h.setting.rules
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
