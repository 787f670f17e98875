package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

const worldAttempts = 3

// worldCall is a call of a caller in a world, and its counts.
type worldCall struct {
	*world
	key   *worldKey
	value int64
	since time.Time // when its next attempt, or the wait for its tokens, began
	most  int       // attempts
	ran   int
}

// call makes a call of any kind, of a key. Some keys are asked for more often than others.
func (w *world) call(rng *rand.Rand) {
	w.begun.Add(1)
	defer w.ended.Add(1)
	at := min(rng.IntN(len(w.keys)), rng.IntN(len(w.keys)))
	c := &worldCall{world: w, key: &w.keys[at], value: rng.Int64(), since: time.Now(), most: worldAttempts}
	ctx, cancel := context.WithCancel(context.Background())
	switch rng.IntN(4) {
	case 0, 1:
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1+rng.Int64N(int64(10*time.Second))))
	case 2:
		defer time.AfterFunc(time.Duration(rng.Int64N(int64(5*time.Second))), cancel).Stop()
	}
	defer cancel()
	c.byAnyMeans(ctx, rng)
	if errors.Is(ctx.Err(), context.Canceled) {
		w.cancelled.Add(1)
	}
}

// byAnyMeans makes the call by a function or method of the engine, and checks the answer. Now and
// then byAnyMeans resets the key instead.
func (c *worldCall) byAnyMeans(ctx context.Context, rng *rand.Rand) {
	switch rng.IntN(12) {
	case 0, 1, 2:
		value, err := engine.Do(ctx, c.eng, c.key.name, c.run)
		c.check(value, err)
	case 3, 4:
		value, err := engine.DoKey(ctx, c.key.handle, c.run)
		c.check(value, err)
	case 5, 6:
		err := c.eng.Run(ctx, c.key.name, func(ctx context.Context) error { _, err := c.run(ctx); return err })
		c.check(c.value, err)
	case 7:
		results := engine.Go(ctx, c.eng, c.key.name, c.run)
		r := <-results
		c.check(r.Value, r.Err)
		time.Sleep(time.Nanosecond) // of the bubble
		c.doubled.Add(int64(len(results)))
	case 8:
		c.byTicket(ctx, rng)
	case 9:
		n := 1 + rng.IntN(int(c.bucket.capacity))
		if c.eng.AllowN(c.key.name, n) {
			c.got(int64(n))
		}
	case 10:
		n := 1 + rng.IntN(int(c.bucket.capacity))
		err := c.key.handle.AcquireN(ctx, n)
		if err == nil {
			c.got(int64(n))
		}
		c.check(c.value, err)
	default:
		if rng.IntN(20) == 0 {
			c.key.mu.Lock()
			c.key.account.reset(c.now()) // before the reset: a grant in this instant may come before or after
			c.key.mu.Unlock()
			c.eng.Reset(c.key.name)
		}
	}
}

// byTicket makes the call in two steps. Some tickets come back twice, some never.
func (c *worldCall) byTicket(ctx context.Context, rng *rand.Rand) {
	c.most = 1
	ticket, err := c.eng.Admit(ctx, c.key.name)
	if err != nil {
		c.check(c.value, err)
		return
	}
	value, err := c.run(ctx)
	for range []int{1, 1, 1, 2, 0}[rng.IntN(5)] {
		ticket.Done(err)
	}
	c.check(value, err)
}

// got takes note of a grant. In a bubble the grant is now.
func (c *worldCall) got(n int64) {
	if time.Now().After(c.since) {
		c.waits.Add(1)
	}
	c.key.mu.Lock()
	defer c.key.mu.Unlock()
	c.key.account.take(c.now(), n)
}

// run is the function of the call.
func (c *worldCall) run(ctx context.Context) (int64, error) {
	c.got(1)
	c.ran++
	err := c.key.serve(ctx)
	c.since = time.Now().Add(time.Hour) // a retry waits for more than tokens
	if err != nil {
		return 0, err
	}
	return c.value, nil
}

// check compares the answer with the runs of the function, and keeps track of the breaker.
func (c *worldCall) check(value int64, err error) {
	rejection, refused := errors.AsType[*engine.Rejection](err)
	exhausted, gaveUp := errors.AsType[*retry.ExhaustedError](err)
	outright := refused && !errors.Is(err, errDown) && !errors.Is(err, context.DeadlineExceeded)
	switch {
	case c.ran > c.most,
		outright && c.ran > 0,
		refused && rejection.Key != c.key.name,
		gaveUp && exhausted.Attempts != c.ran,
		err == nil && value != c.value:
		c.doubled.Add(1) // the answer is that to another call, or was one of two
	}
	c.key.mu.Lock()
	defer c.key.mu.Unlock()
	switch {
	case errors.Is(err, breaker.ErrOpen) && !c.key.refused:
		c.key.refused = true
		c.opens.Add(1)
	case err == nil && c.ran > 0 && c.key.refused:
		c.key.refused = false
		c.recoveries.Add(1)
	}
}
