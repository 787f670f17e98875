package engine

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// Other callers come between the two steps of Reset: the key is spilled, comes back, and is then
// reset. The spilled debt must not count when the key is forgotten and comes once more.
func TestAResetHoldsAlthoughTheKeyWasSpilledInTheMidstOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, MaxKeys: 1})
		require.NoError(t, err)
		defer func() { require.NoError(t, e.Close(context.Background())) }()
		require.True(t, e.Allow("a"))
		e.behavior.Pardon("a") // the first step
		require.True(t, e.Allow("b"))
		require.False(t, e.Allow("a"), "it is back, and has no more than it left with")
		require.NoError(t, e.toKnown("a", guard.Reset, nil)) // the second
		require.False(t, e.Allow("b"))
		require.True(t, e.Allow("a"))
	})
}

// A birth reads the debt that the sketch keeps, and makes the key known a moment later. A spill
// writes the debt down, and retires the key a moment later. A reset in between would miss the key.
func TestAResetWaitsForWhatIsBeingBornOrSpilled(t *testing.T) {
	for name, reset := range map[string]func(e *Engine){
		"Reset":    func(e *Engine) { e.Reset("a") },
		"ResetAll": (*Engine).ResetAll,
	} {
		t.Run(name, func(t *testing.T) {
			e, err := New(Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, MaxKeys: 1})
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Close(context.Background())) }()
			require.True(t, e.Allow("a"))
			require.True(t, e.Allow("b"), "a is spilled")
			over := make(chan struct{})
			e.system.Still(func() { // as births and spills do
				go func() {
					reset(e)
					close(over)
				}()
				for range 1000 {
					runtime.Gosched()
				}
				select {
				case <-over:
					t.Error("the reset did not wait")
				default:
				}
			})
			<-over
			require.True(t, e.Allow("a"))
		})
	}
}

func hourly(t *testing.T, maxKeys int) *Engine {
	t.Helper()
	e, err := New(Config{
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, MaxKeys: maxKeys, MaxWait: NoWait,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	return e
}

// Keys are born while ResetAll collects. (The lock of births used to be held until all keys had
// been collected, which with half a million keys took most of a second.) The clock of the machine
// does not matter here: keys are born between the beginning and the end, or they are not.
func TestKeysAreBornWhileResetAllCollects(t *testing.T) {
	e := hourly(t, 0)
	for i := range 20_000 {
		require.True(t, e.Allow(strconv.Itoa(i)))
	}
	collecting := func() (open bool) {
		e.system.Still(func() { open = e.behavior.Collecting() })
		return open
	}
	born := 0
	for round := 0; born == 0; round++ {
		require.Less(t, round, 1000, "never while it collects")
		over := make(chan struct{})
		go func() {
			e.ResetAll()
			close(over)
		}()
		for ended := false; !ended; {
			select {
			case <-over:
				ended = true
			default:
				before := collecting()
				if e.Allow("new " + strconv.Itoa(round) + " " + strconv.Itoa(born)); before && collecting() {
					born++
				}
			}
		}
	}
}

// Keys go to and fro between the table and the sketch while ResetAll runs. Every key has taken its
// one token before, and gets another token once ResetAll has been called, at the latest when
// ResetAll has returned.
func TestResetAllForgetsEveryDebtThatThereWas(t *testing.T) {
	const keys = 64
	var names [keys]string
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	for round := range 60 {
		e := hourly(t, keys/2)
		for _, name := range names {
			require.True(t, e.Allow(name))
		}
		var got [keys]atomic.Int64
		over := make(chan struct{})
		var churn sync.WaitGroup
		for w := range 2 {
			churn.Go(func() {
				for i := w; ; i += 7 {
					select {
					case <-over:
						return
					default:
						if e.Allow(names[i%keys]) {
							got[i%keys].Add(1)
						}
					}
				}
			})
		}
		var resets sync.WaitGroup
		for range 2 {
			resets.Go(e.ResetAll)
		}
		resets.Wait()
		close(over)
		churn.Wait()
		for i, name := range names {
			if e.Allow(name) {
				got[i].Add(1)
			}
			require.Positive(t, got[i].Load(), "round %d: %s still has its debt", round, name)
			require.LessOrEqual(t, got[i].Load(), int64(4), "round %d: %s", round, name)
		}
	}
}
