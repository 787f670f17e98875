package engine_test

import (
	"context"
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
	"github.com/limitpal/limitpal-go/retry"
)

// ledger counts the tokens of a chain of three keys that came to stay taken.
type ledger struct {
	narrow, middle, wide *engine.Engine
	perCall              bool // of middle
	ofNarrow, ofMiddle   atomic.Int64
}

const ledgerTokens = 300_000

// newLedger makes engines of either Dispatch. The narrow and the middle key have plenty of tokens, which hardly come back; the
// wide key refuses and makes wait.
func newLedger(t *testing.T, seed uint64) *ledger {
	r := rand.New(rand.NewPCG(seed, 1))
	plenty := limiter.TokenBucket{Capacity: ledgerTokens, RefillRate: limiter.Per(1, time.Hour)}
	narrow := limiter.Limiter(plenty)
	if seed%2 == 1 {
		narrow = limiter.All(plenty, limiter.TokenBucket{Capacity: ledgerTokens, RefillRate: limiter.Per(1, 30*time.Minute)})
	}
	flaps := &breaker.Policy{FailureThreshold: 3, RecoveryTimeout: time.Millisecond, ProbeTimeout: time.Hour}
	l := &ledger{perCall: seed%3 == 0}
	member := func(cfg engine.Config) *engine.Engine {
		cfg.Dispatch = engine.Dispatch(r.IntN(2))
		return start(t, cfg)
	}
	l.narrow = member(engine.Config{Name: "narrow", Limiter: narrow})
	l.middle = member(engine.Config{Name: "middle", Limiter: plenty, Breaker: flaps, PerCall: l.perCall})
	l.wide = member(engine.Config{
		Name: "wide", Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.PerSecond(3000)}, MaxQueue: 5,
		MaxWait: 5 * time.Millisecond, Breaker: flaps, Retry: &retry.Policy{MaxAttempts: 2, BaseDelay: time.Microsecond},
	})
	return l
}

// both counts a token of the narrow and of the middle key.
func (l *ledger) both(got bool) {
	if got {
		l.ofNarrow.Add(1)
		l.ofMiddle.Add(1)
	}
}

// call makes a random call for k.
func (l *ledger) call(r *rand.Rand, k engine.Key) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	switch left := time.Duration(r.IntN(2000)) * time.Microsecond; r.IntN(4) {
	case 0:
		defer time.AfterFunc(left, cancel).Stop()
	case 1:
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, left)
		defer done()
	}
	if r.IntN(4) == 0 {
		k = k.Within(time.Duration(1 + r.IntN(3_000_000)))
	}
	switch r.IntN(8) {
	case 0:
		l.both(k.Allow())
	case 1:
		ticket, err := k.Admit(ctx)
		if l.both(err == nil); err == nil {
			ticket.Done([]error{nil, nil, nil, errDown}[r.IntN(4)])
		}
	case 2:
		l.both(k.Acquire(ctx) == nil)
	default:
		l.run(ctx, r, k)
	}
}

// run is a call with a function, which may fail, panic, or take a token of its own.
func (l *ledger) run(ctx context.Context, r *rand.Rand, k engine.Key) {
	defer func() { _ = recover() }()
	attempts := 0
	_ = k.Run(ctx, func(context.Context) error {
		l.ofNarrow.Add(1)
		if attempts++; attempts == 1 || !l.perCall {
			l.ofMiddle.Add(1)
		}
		switch r.IntN(12) {
		case 0:
			panic("a function")
		case 1, 2:
			return errDown
		case 3:
			if l.narrow.Key("k").Allow() {
				l.ofNarrow.Add(1)
			}
		}
		return nil
	})
}

// TestNothingIsLostOrDoubledInChains: what stayed taken, what stayed spent and what is left are the capacity, exactly; and no lease
// of a probe is out at the end.
func TestNothingIsLostOrDoubledInChains(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := newLedger(t, seed)
			var callers sync.WaitGroup
			for g := range 16 {
				callers.Go(func() {
					r := rand.New(rand.NewPCG(seed, uint64(g)+10))
					k := engine.Chain(l.narrow.Key("k"), l.middle.Key("k"), l.wide.Key(fmt.Sprint(g%2)))
					for range 1000 / slowdown {
						l.call(r, k)
					}
				})
			}
			callers.Wait()
			for e, taken := range map[*engine.Engine]int64{l.narrow: l.ofNarrow.Load(), l.middle: l.ofMiddle.Load()} {
				s, kept := inspect(t, e, "k"), e.Stats().KeptSpent
				for _, limit := range s.Limits {
					require.InDelta(t, ledgerTokens-float64(taken)-float64(kept), limit.Available, 0.5, e.Config().Name)
				}
				require.Zero(t, s.Waiting)
			}
			for _, key := range []string{"0", "1"} { // a lease that is out would refuse this for an hour
				k := engine.Chain(l.middle.Key("k"), l.wide.Key(key))
				hung := time.Now().Add(chaosHung)
				for k.Run(context.Background(), succeed) != nil { // open for a millisecond
					require.True(t, time.Now().Before(hung), "a lease is out")
					runtime.Gosched()
				}
			}
		})
	}
}
