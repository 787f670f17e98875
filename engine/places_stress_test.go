package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

var placedFlag = flag.Int64("engine.placed", 60_000/slowdown, "how many calls TestNoPlaceIsLost makes, for each dispatch")

// inside counts the calls that are in a function, by key.
type inside struct {
	most  int64
	now   [4]atomic.Int64
	total atomic.Int64
	above atomic.Int64 // calls that found more than most
	ended atomic.Int64
}

// call is the time that a call is in its function, of key.
func (i *inside) call(key int, rng *rand.Rand) (leave func()) {
	if i.now[key].Add(1) > i.most {
		i.above.Add(1)
	}
	i.total.Add(1)
	for range rng.IntN(3) {
		runtime.Gosched()
	}
	return func() {
		i.ended.Add(1)
		i.now[key].Add(-1)
	}
}

// TestNoPlaceIsLost has calls end in every way: by a return, an error, a panic, Goexit, an end of their context in the
// function or in the queue, and tickets that are done, done late, and lost; alone and in chains, with breakers that
// open, keys that are forgotten, Resets and changes of the bound beneath. There are never more calls in functions than
// places, and at the end every place is free.
//
//	go test ./engine -run TestNoPlaceIsLost -engine.placed 5000000 -timeout 30m
func TestNoPlaceIsLost(t *testing.T) {
	for name, cfg := range map[string]engine.Config{
		"published": {}, "mailbox": {Dispatch: engine.Mailbox}, "time limits": {Timeout: 500 * time.Microsecond, AttemptTimeout: 200 * time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			p := newPlaced(t, cfg)
			var callers sync.WaitGroup
			for w := range placedCallers {
				rng := random(t)
				callers.Go(func() { p.calls(w, rng) })
			}
			back := make(chan struct{})
			go func() { callers.Wait(); close(back) }()
			for left, still := p.left.Load(), 0; still >= 0; {
				select {
				case <-back:
					still = -1
				default: // what is lost is found by the collector
					runtime.GC()
					p.other()
					if still++; p.left.Load() != left {
						left, still = p.left.Load(), 0
					}
					require.Less(t, still, standstill, "nothing goes on")
				}
			}
			require.Zero(t, p.narrow.above.Load()+p.wide.above.Load(), "calls that found more in flight than may be")
			for tries := 0; p.taken() > 0; tries++ {
				require.Less(t, tries, standstill, "places are taken, and all calls have ended")
				runtime.GC()
				runtime.Gosched()
			}
			require.Zero(t, p.eng.Stats().Waiting+p.through.Stats().Waiting)
			require.Zero(t, p.eng.Stats().Restarts+p.through.Stats().Restarts)
			require.Zero(t, p.eng.Stats().InFlight+p.through.Stats().InFlight)
			require.Equal(t, p.narrow.total.Load(), p.narrow.ended.Load())
			require.NoError(t, p.eng.Close(context.Background()))
			require.NoError(t, p.through.Close(context.Background()))
			for runtime.NumGoroutine() > before {
				runtime.Gosched()
			}
			figure(t, "calls-in-functions", p.narrow.total.Load())
		})
	}
}

const placedCallers = 24

// standstill is how many collections may come and go without anything else.
const standstill = 3000

// placed is two engines with places, and who is in flight by them.
type placed struct {
	eng, through *engine.Engine
	narrow, wide inside
	left         atomic.Int64
	turn         int
}

func newPlaced(t *testing.T, cfg engine.Config) *placed {
	t.Helper()
	p := &placed{narrow: inside{most: 3}, wide: inside{most: 5}}
	p.left.Store(*placedFlag)
	var err error
	p.eng, err = engine.New(engine.Config{
		Dispatch: cfg.Dispatch, Timeout: cfg.Timeout, AttemptTimeout: cfg.AttemptTimeout, Concurrency: limiter.InFlight{Max: 3}, MaxKeys: 3, IdleAfter: time.Millisecond, MaxQueue: 4,
		Breaker: &breaker.Policy{FailureThreshold: 20, RecoveryTimeout: time.Millisecond, ProbeTimeout: time.Millisecond},
	})
	require.NoError(t, err)
	p.through, err = engine.New(engine.Config{
		Dispatch: cfg.Dispatch, Concurrency: limiter.InFlight{Max: 5}, Limiter: limiter.TokenBucket{Capacity: 50, RefillRate: limiter.PerSecond(1e6)},
	})
	require.NoError(t, err)
	return p
}

// taken returns the places that are taken.
func (p *placed) taken() int {
	n := taken(p.through, "w")
	for key := range p.narrow.now {
		n += taken(p.eng, fmt.Sprint(key))
	}
	return n
}

// other has something happen to the keys that leaves places as they are.
func (p *placed) other() {
	switch p.turn++; p.turn % 3 {
	case 0:
		p.eng.ResetAll()
	case 1:
		cfg := p.through.Config()
		cfg.Concurrency = limiter.InFlight{Max: 4 + p.turn%2} // 5 is the most
		_ = p.through.Reconfigure(cfg)
	default:
		p.through.Reset("w")
	}
}

// calls makes calls until enough have been made.
func (p *placed) calls(w int, rng *rand.Rand) {
	for p.left.Add(-1) >= 0 {
		var wg sync.WaitGroup
		wg.Go(func() { // a goroutine of its own, which Goexit may end
			defer func() { _ = recover() }()
			p.once(w, rng)
		})
		wg.Wait()
	}
}

// once makes one call.
func (p *placed) once(w int, rng *rand.Rand) {
	key := rng.IntN(len(p.narrow.now))
	k, chained := p.eng.Key(fmt.Sprint(key)), w%3 == 0
	if chained {
		k = engine.Chain(k, p.through.Key("w"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	switch rng.IntN(8) {
	case 0:
		k = k.NoWait()
	case 1:
		k = k.Within(time.Duration(1 + rng.IntN(100_000)))
	case 2:
		defer time.AfterFunc(time.Duration(rng.IntN(50_000)), cancel).Stop()
	case 3:
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1+rng.IntN(100_000)))
		defer cancel()
	}
	enter := func() func() {
		one := p.narrow.call(key, rng)
		if !chained {
			return one
		}
		other := p.wide.call(0, rng)
		return func() { other(); one() }
	}
	if how := rng.IntN(8); how > 5 {
		p.admit(ctx, k, enter, how == 6 && rng.IntN(4) == 0)
		return
	}
	_ = k.Run(ctx, func(ctx context.Context) error {
		defer enter()()
		switch rng.IntN(12) {
		case 0:
			panic("in fn")
		case 1:
			runtime.Goexit()
		case 2:
			cancel()
			return ctx.Err()
		case 3, 4, 5, 6:
			return errDown
		}
		return nil
	})
}

// admit makes a call by a ticket, which it may lose.
func (p *placed) admit(ctx context.Context, k engine.Key, enter func() func(), lose bool) {
	ticket, err := k.Admit(ctx)
	if err != nil {
		return
	}
	enter()()
	if !lose {
		ticket.Done([]error{nil, errors.New("failed")}[int(p.left.Load())&1])
		ticket.Done(nil)
	}
}
