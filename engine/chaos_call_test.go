package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

const chaosAttempts = 3

// chaosOutcome is the Classify of chaos.
func chaosOutcome(err error) engine.Outcome {
	if errors.Is(err, errNeutral) {
		return engine.Ignore
	}
	return engine.Failure
}

// fate is the end of a call.
type fate uint8

const (
	succeeds fate = iota
	fails
	panics
	exits
	isCancelled
	hangs // until it is cancelled
	nests // calls the same key, which does so again
)

// drawFate deals out 10 % panics, 1 % Goexit, 20 % cancellations, 1 % calls that hang, 15 %
// failures and 5 % calls within calls.
func drawFate(rng *rand.Rand) fate {
	switch n := rng.IntN(100); {
	case n < 10:
		return panics
	case n < 11:
		return exits
	case n < 31:
		return isCancelled
	case n < 32:
		return hangs
	case n < 47:
		return fails
	case n < 52:
		return nests
	default:
		return succeeds
	}
}

// chaosCall is one call and its counts.
type chaosCall struct {
	*chaos
	fate
	key    *chaosKey
	value  int64
	cancel context.CancelFunc
	depth  int
	since  time.Duration // when the function has not run yet, or has ended for the last time
	most   int           // times that the function may run
	ran    int
}

// call makes a random call of a key and counts its end.
func (c *chaos) call(rng *rand.Rand) {
	call := &chaosCall{chaos: c, fate: drawFate(rng), key: &c.keys[rng.IntN(len(c.keys))], value: rng.Int64(), most: chaosAttempts}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	call.cancel = cancel
	if call.fate == hangs || call.fate == isCancelled && rng.IntN(2) == 0 {
		defer time.AfterFunc(time.Duration(rng.IntN(200))*time.Microsecond, cancel).Stop()
	}
	way := rng.IntN(100)
	if call.fate != exits {
		call.make(ctx, way, rng)
		return
	}
	done := make(chan struct{})
	go func() { // ends with the call, in every case
		defer close(done)
		call.make(ctx, way, rng)
	}()
	<-done
}

// make makes the call in the given way.
func (c *chaosCall) make(ctx context.Context, way int, rng *rand.Rand) {
	c.begun.Add(1)
	defer c.ended.Add(1)
	c.since = time.Since(c.epoch)
	defer func() {
		if r := recover(); r != nil && r != any(c) { // a panic is that of its own call
			panic(r)
		}
	}()
	switch {
	case way < 25:
		value, err := engine.Do(ctx, c.eng, c.key.name, c.run)
		c.check(value, err)
	case way < 33:
		value, err := engine.DoKey(ctx, c.key.handle, c.run)
		c.check(value, err)
	case way < 40:
		value, err := engine.DoKey(ctx, c.key.chain, c.run)
		c.check(value, err)
	case way < 55:
		c.check(c.value, c.eng.Run(ctx, c.key.name, c.runPlain))
	case way < 65:
		c.inBackground(ctx)
	case way < 80:
		c.byTicket(ctx, rng)
	case way < 87:
		c.take(c.eng.AllowN(c.key.name, 1+way%2), 1+way%2)
	case way < 92:
		c.take(c.key.handle.AcquireN(ctx, 1+way%2) == nil, 1+way%2)
	case way < 97:
		c.take(c.key.chain.AcquireN(ctx, 1+way%2) == nil, 1+way%2)
	case c.resets && way < 99:
		c.eng.Reset(c.key.name)
	default:
		c.eng.Inspect(c.key.name)
	}
}

// take counts tokens that were got for no call.
func (c *chaosCall) take(got bool, n int) {
	if got {
		c.got(int64(n))
	}
}

// got counts n tokens, which were granted after c.since.
func (c *chaosCall) got(n int64) {
	c.key.granted.Add(n)
	if c.quick {
		c.key.mu.Lock()
		defer c.key.mu.Unlock()
		c.key.all = append(c.key.all, admission{int64(c.since), int64(time.Since(c.epoch)), n})
	}
}

// inBackground makes the call by Go, on whose goroutine nobody could catch a panic.
func (c *chaosCall) inBackground(ctx context.Context) {
	if c.fate == panics {
		c.fate = fails
	}
	results := engine.GoKey(ctx, []engine.Key{c.key.handle, c.key.chain}[c.value&1], c.run)
	r := <-results
	c.check(r.Value, r.Err)
	runtime.Gosched()
	select {
	case <-results:
		c.doubled.Add(1)
	default:
	}
}

// byTicket makes the call in two steps. Some tickets come back twice. Where that does no harm, some
// never come back.
func (c *chaosCall) byTicket(ctx context.Context, rng *rand.Rand) {
	c.most = 1
	k := []engine.Key{c.key.handle, c.key.chain}[c.value&1]
	ticket, err := k.Admit(ctx)
	if err != nil {
		c.check(c.value, err)
		return
	}
	returned := false
	defer func() {
		if !returned {
			ticket.Done(errDown)
		}
	}()
	value, err := c.run(ctx)
	returned = c.resets && rng.IntN(10) == 0
	if !returned {
		ticket.Done(err)
		returned = true
		if rng.IntN(2) == 0 {
			ticket.Done(nil)
		}
	}
	c.check(value, err)
}

func (c *chaosCall) runPlain(ctx context.Context) error {
	_, err := c.run(ctx)
	return err
}

// run is the function of the call.
func (c *chaosCall) run(ctx context.Context) (int64, error) {
	c.chaos.ran.Add(1)
	c.ran++
	c.got(1)
	defer func() { c.since = time.Since(c.epoch) }()
	if c.key.underWay[c.depth].Add(1) > 1 && c.single { // in a probe's function its key lets one call pass at a time
		c.second.Add(1)
	}
	defer c.key.underWay[c.depth].Add(-1)
	if n := c.key.inside.Add(1); c.places > 0 && !c.changes && n > int64(c.places) { // a change may be to Shadow
		c.crowded.Add(1)
	}
	defer c.key.inside.Add(-1)
	switch c.fate {
	case panics:
		panic(c)
	case exits:
		runtime.Goexit()
	case fails:
		return 0, errDown
	case isCancelled:
		c.cancel()
		return 0, ctx.Err()
	case hangs:
		<-ctx.Done()
		return 0, ctx.Err()
	case nests:
		if c.depth < 2 {
			c.nest(ctx)
		}
	}
	runtime.Gosched()
	if c.single {
		return 0, errNeutral
	}
	return c.value, nil
}

// nest makes the same call within the call.
func (c *chaosCall) nest(ctx context.Context) {
	inner := &chaosCall{chaos: c.chaos, fate: nests, key: c.key, value: c.value + 1, cancel: c.cancel, depth: c.depth + 1, most: chaosAttempts}
	inner.since = time.Since(c.epoch)
	c.begun.Add(1)
	defer c.ended.Add(1)
	value, err := engine.Do(ctx, c.eng, c.key.name, inner.run)
	inner.check(value, err)
}

// check compares the answer with the runs of the function.
func (c *chaosCall) check(value int64, err error) {
	if err == nil {
		c.fine.Add(1)
	}
	rejection, refused := errors.AsType[*engine.Rejection](err)
	outright := refused && !errors.Is(err, errDown) && !errors.Is(err, errNeutral)
	switch {
	case c.ran > c.most,
		outright && c.ran > 0,
		refused && rejection.Key != c.key.name && rejection.Key != wideKey,
		err == nil && (c.ran == 0 || value != c.value):
		c.doubled.Add(1) // the answer is that to another call, or was one of two
	}
}

// goroutinesAbove returns the number of goroutines above before, after goroutines that are about to
// end have ended.
func goroutinesAbove(before int) int {
	for deadline := time.Now().Add(chaosHung); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	return max(0, runtime.NumGoroutine()-before)
}
