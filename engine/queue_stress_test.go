package engine_test

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
)

var cancellationsFlag = flag.Int64("engine.cancellations", 12_000/slowdown, "how many callers leave the queue in TestCancellationsLoseNoToken, and again in TestAStormOfCancellationsLosesNoToken")

// TestCancellationsLoseNoToken has callers queue, of which most leave, many at the very instant of
// their grant: callers come, give up and are served at the same whole milliseconds. Afterwards the
// bucket lacks exactly the tokens that were granted. (Hazards A6, L14.) All of it:
//
//	go test ./engine -run Cancellations -engine.cancellations 1000000
func TestCancellationsLoseNoToken(t *testing.T) {
	seed := random(t).Uint64()
	var s storm
	inParallel(t, func(t *testing.T, worker, _ int) {
		for round := uint64(0); s.cancellations.Load() < *cancellationsFlag; round++ {
			rng := rand.New(rand.NewPCG(seed, round<<8|uint64(worker)))
			synctest.Test(t, func(t *testing.T) { s.inBubble(t, rng, engine.Dispatch(round%2)) })
		}
	})
	figure(t, "excess", s.excess.Load())
	require.Zero(t, s.excess.Load())
	s.report(t)
}

// storm counts the ends of callers that queue.
type storm struct{ cancellations, granted, leaked, minted, excess atomic.Int64 }

func (s *storm) report(t *testing.T) {
	t.Helper()
	figure(t, "cancellations", s.cancellations.Load())
	figure(t, "granted", s.granted.Load())
	figure(t, "leaked", s.leaked.Load())
	require.Positive(t, s.granted.Load())
	require.Zero(t, s.leaked.Load(), "tokens that nobody got")
	require.Zero(t, s.minted.Load(), "tokens that were got twice")
}

// queueing is an engine with a bucket for callers to queue at, and nothing else.
func queueing(t *testing.T, b bucket, d engine.Dispatch) *engine.Engine {
	eng, err := engine.New(engine.Config{Limiter: b.limiter(), MaxQueue: 1 << 20, IdleAfter: time.Hour, Dispatch: d})
	require.NoError(t, err)
	return eng
}

func (s *storm) inBubble(t *testing.T, rng *rand.Rand, d engine.Dispatch) {
	b := bucket{capacity: 10, interval: time.Millisecond}
	eng := queueing(t, b, d)
	defer func() { require.NoError(t, eng.Close(context.Background())) }()
	var mu sync.Mutex
	exact := newAccount(b)
	begin := time.Now()
	take := func(n int64) {
		mu.Lock()
		defer mu.Unlock()
		exact.take(int64(time.Since(begin)), n)
	}
	require.True(t, eng.AllowN("k", 10))
	take(10)
	var wg sync.WaitGroup
	most := []int{1, 4, 100}[rng.IntN(3)] // ms of patience: those with the least meet an empty queue, and leave as they come
	for range 3000 {
		patience := time.Duration(rng.IntN(most)) * time.Millisecond
		if rng.IntN(4) == 0 {
			patience += time.Duration(rng.IntN(1000)) * time.Microsecond
		}
		n := 1 + rng.IntN(3)
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background()) // no deadline, so that nobody is refused as doomed
			defer cancel()
			time.AfterFunc(patience, cancel)
			if err := eng.AcquireN(ctx, "k", n); err == nil {
				take(int64(n))
				s.granted.Add(int64(n))
			} else if ctx.Err() != nil {
				s.cancellations.Add(1)
			}
		})
		if rng.IntN(4) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	waitFor(t, &wg)
	k := inspect(t, eng, "k")
	require.Zero(t, k.Waiting)
	leaked, minted := exact.astray(int64(time.Since(begin)), k.Limits[0].Available)
	s.leaked.Add(leaked)
	s.minted.Add(minted)
	s.excess.Add(b.tokens(exact.worst))
}

// TestAStormOfCancellationsLosesNoToken has callers leave in real time, while the actor is just
// about to serve. As long as the bucket is never full, each grant moves full-at by the cost of the
// grant, and nothing else moves full-at.
func TestAStormOfCancellationsLosesNoToken(t *testing.T) {
	seed := random(t).Uint64()
	var s storm
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		b := bucket{capacity: 10_000, interval: time.Millisecond}
		eng := queueing(t, b, d)
		begin := time.Now()
		require.True(t, eng.AllowN("k", int(b.capacity)))
		before := fullAt(t, eng, b, begin)
		granted := s.inRealTime(eng, seed, *cancellationsFlag/2)
		after := fullAt(t, eng, b, begin)
		require.NoError(t, eng.Close(context.Background()))
		cost := granted * int64(b.interval)
		s.granted.Add(granted)
		s.leaked.Add(b.tokens(after.least - before.most - cost))
		s.minted.Add(b.tokens(before.least + cost - after.most))
	}
	s.report(t)
}

// inRealTime has callers queue and give up after up to a millisecond, until enough callers have
// given up. inRealTime returns the number of callers that were served instead.
func (s *storm) inRealTime(eng *engine.Engine, seed uint64, enough int64) int64 {
	var granted, cancelled atomic.Int64
	var wg sync.WaitGroup
	for g := range 256 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(g)))
			for cancelled.Load() < enough {
				ctx, cancel := context.WithCancel(context.Background())
				patience := time.AfterFunc(time.Duration(rng.IntN(1000))*time.Microsecond, cancel)
				if ctx.Err() != nil {
					continue // it would not even come
				}
				switch eng.Acquire(ctx, "k") {
				case nil:
					granted.Add(1)
				case context.Canceled:
					cancelled.Add(1)
				}
				patience.Stop()
				cancel()
			}
		})
	}
	wg.Wait()
	s.cancellations.Add(cancelled.Load())
	return granted.Load()
}

// span are two instants that another lies between, in nanoseconds.
type span struct{ least, most int64 }

// fullAt is when the bucket of "k" will be full, as closely as some readings tell.
func fullAt(t *testing.T, eng *engine.Engine, b bucket, begin time.Time) span {
	at := span{math.MinInt64, math.MaxInt64}
	for range 50 {
		earliest := int64(time.Since(begin))
		k := inspect(t, eng, "k")
		latest := int64(time.Since(begin))
		require.Zero(t, k.Waiting)
		require.Less(t, k.Limits[0].Available, float64(b.capacity), "it must never be full")
		lacks := b.burst() - int64(math.Round(k.Limits[0].Available*float64(b.interval)))
		const rounding = 16
		at.least, at.most = max(at.least, earliest+lacks-rounding), min(at.most, latest+lacks+rounding)
	}
	return at
}
