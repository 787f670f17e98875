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
	api   *worldKey // the wider key, or nil
	value int64
	since time.Time // when its next attempt, or the wait for its tokens, began
	from  int64     // when the wait for its next tokens began at the earliest
	held  int64     // tokens of key that the call may hold although it is not made yet
	most  int       // attempts
	ran   int
	modes [2]*mode // of key and api, when the call began
	looks [2]*mode // when the attempt began

	began  time.Time
	cost   int64   // tokens of key for each attempt
	placed [2]bool // the present attempt has a place of key, of api
}

// call makes a call of any kind, of a key. Some keys are asked for more often than others.
func (w *world) call(rng *rand.Rand) {
	w.begun.Add(1)
	defer w.ended.Add(1)
	keys := w.tenants.keys
	at := min(rng.IntN(len(keys)), rng.IntN(len(keys)))
	c := &worldCall{world: w, key: &keys[at], value: rng.Int64(), since: time.Now(), began: time.Now(), cost: 1, from: w.now(), most: worldAttempts}
	c.modes = [2]*mode{w.tenants.mode.Load(), w.apis.mode.Load()}
	c.looks = c.modes
	ctx, cancel := context.WithCancel(context.Background())
	switch rng.IntN(4) {
	case 0, 1:
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1+rng.Int64N(int64(10*time.Second))))
	case 2:
		defer time.AfterFunc(time.Duration(rng.Int64N(int64(5*time.Second))), cancel).Stop()
	}
	defer cancel()
	if rng.IntN(3) == 0 {
		c.byChain(ctx, rng)
	} else {
		c.byAnyMeans(ctx, rng)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		w.cancelled.Add(1)
	}
}

// byAnyMeans makes the call by a function or method of the engine, and checks the answer. Now and
// then byAnyMeans resets or forces the key instead.
func (c *worldCall) byAnyMeans(ctx context.Context, rng *rand.Rand) {
	switch rng.IntN(12) {
	case 0, 1, 2:
		value, err := engine.Do(ctx, c.key.eng, c.key.name, c.run)
		c.check(value, err)
	case 3, 4:
		value, err := engine.DoKey(ctx, c.weighs(rng), c.run)
		c.checkEnd()
		c.check(value, err)
	case 5, 6:
		err := c.key.eng.Run(ctx, c.key.name, func(ctx context.Context) error { _, err := c.run(ctx); return err })
		c.checkEnd()
		c.check(c.value, err)
	case 7:
		results := engine.Go(ctx, c.key.eng, c.key.name, c.run)
		r := <-results
		c.check(r.Value, r.Err)
		time.Sleep(time.Nanosecond) // of the bubble
		c.doubled.Add(int64(len(results)))
	case 8:
		c.byTicket(ctx, rng, c.key.handle)
	case 9:
		n := 1 + rng.IntN(c.key.most())
		if c.key.eng.AllowN(c.key.name, n) {
			c.got(int64(n))
		} else if c.inShadow(c.key) {
			c.blocked.Add(1)
		}
	case 10:
		n := 1 + rng.IntN(c.key.most())
		err := c.key.handle.AcquireN(ctx, n)
		if err == nil {
			c.got(int64(n))
		}
		c.check(c.value, err)
	default:
		switch rng.IntN(20) {
		case 0:
			c.key.reset(c.world)
			c.key.eng.Reset(c.key.name)
		case 1:
			c.force(rng, c.key)
		case 2, 3, 4:
			c.charge(rng, c.key)
		}
	}
}

// force forces the breaker of k, for some time or until the end of the world, or ends what was forced.
func (c *worldCall) force(rng *rand.Rand, k *worldKey) {
	d := []time.Duration{0, time.Duration(1 + rng.Int64N(int64(10*time.Minute))), time.Duration(1 + rng.Int64N(int64(time.Minute))), breaker.Forever}[rng.IntN(4)]
	switch err := k.eng.Force(k.name, breaker.State(rng.IntN(2)), d); {
	case err == nil:
		c.forced.Add(1)
	case !errors.Is(err, engine.ErrForceLimit) && !errors.Is(err, engine.ErrKeyLimit):
		c.unforced.Add(1)
	}
}

// byTicket makes the call in two steps. Some tickets come back twice, some never.
func (c *worldCall) byTicket(ctx context.Context, rng *rand.Rand, k engine.Key) {
	c.most = 1
	ticket, err := k.Admit(ctx)
	if err != nil {
		c.check(c.value, err)
		return
	}
	value, err := c.run(ticket.Context())
	times := []int{1, 1, 1, 2, 0}[rng.IntN(5)]
	if c.guards.places { // no ticket is collected in a bubble
		times = max(1, times)
	}
	for range times {
		ticket.Done(err)
	}
	c.check(value, err)
}

// got takes note of a grant of n tokens of the key, and of one of the wider key. In a bubble the
// grant is now, but that of a call that may have waited for the wider key after it.
func (c *worldCall) got(n int64) {
	if time.Now().After(c.since) {
		c.waits.Add(1)
	}
	now := c.now()
	if c.api != nil && (c.ran == 0 || !c.modes[1].perCall) {
		c.api.take(now, now, 1, c.looks[1])
	}
	if c.held == 0 {
		c.from = now
	}
	if c.ran == 0 || !c.modes[0].perCall {
		c.key.take(c.from, now, n, c.looks[0])
	}
	c.holds(0)
}

// run is the function of the call.
func (c *worldCall) run(ctx context.Context) (int64, error) {
	c.got(c.cost)
	defer c.enters(ctx)()
	c.ran++
	upstream := c.key
	if c.api != nil {
		upstream = c.api
	}
	err := upstream.serve(ctx)
	c.since = time.Now().Add(time.Hour) // a retry waits for more than tokens
	c.from = c.now()
	c.looks = [2]*mode{c.tenants.mode.Load(), c.apis.mode.Load()}
	if err != nil {
		c.holds(c.cost)
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
		refused && c.by(rejection) == nil,
		gaveUp && exhausted.Attempts != c.ran,
		err == nil && value != c.value:
		c.doubled.Add(1) // the answer is that to another call, or was one of two
	}
	if refused && c.by(rejection) != nil && rejection.Stage != "" && c.inShadow(c.by(rejection)) {
		c.blocked.Add(1)
	}
	switch {
	case errors.Is(err, breaker.ErrOpen) && refused && c.by(rejection) != nil:
		c.opens.Add(c.by(rejection).tell(true))
	case err == nil && c.ran > 0:
		c.recoveries.Add(c.key.tell(false))
		if c.api != nil {
			c.recoveries.Add(c.api.tell(false))
		}
	}
}

// by returns the key that refused the call, or nil if that is not one of the call's.
func (c *worldCall) by(r *engine.Rejection) *worldKey {
	for _, k := range []*worldKey{c.key, c.api} {
		if k != nil && r.Key == k.name && r.Engine == k.eng.Config().Name {
			return k
		}
	}
	return nil
}

// inShadow reports whether the engine of k, a key of the call, has been in shadow all the time.
func (c *worldCall) inShadow(k *worldKey) bool {
	m := c.modes[0]
	if k == c.api {
		m = c.modes[1]
	}
	return m.shadow && k.mode.Load() == m
}

// tell notes whether the breaker refuses calls, and returns 1 if that is news.
func (k *worldKey) tell(refuses bool) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refused == refuses {
		return 0
	}
	k.refused = refuses
	return 1
}
