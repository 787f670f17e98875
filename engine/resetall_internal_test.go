package engine

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

func hourly(t *testing.T, maxKeys int) *Engine {
	t.Helper()
	e, err := New(Config{
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, MaxKeys: maxKeys, MaxWait: NoWait,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	return e
}

// TestKeysAreBornWhileResetAllCollects: the lock of births used to be held until all keys had been collected, which with half a million of
// them took most of a second. The clock of the machine says nothing here; keys are born between the beginning and the end, or they are not.
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

// TestResetAllForgetsEveryDebtThatThereWas, while keys go to and fro between the table and the sketch: every key has taken its one token
// before, and gets another one once ResetAll has been called, at the latest when it has returned.
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
