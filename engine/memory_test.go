//go:build !race

package engine_test

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// heapInUse returns the bytes in the heap after a collection.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// TestWhatACleanKeyCosts measures the memory of keys that were called once and are clean: the cell
// and the cell's place in the table, without the bytes of the key. When the keys have been
// forgotten, the memory comes back.
func TestWhatACleanKeyCosts(t *testing.T) {
	const n = 1 << 18
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%08d", i) // 8 bytes that the cell copies
	}
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{
			Breaker: opensAfter(5), Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)}, IdleAfter: time.Minute,
		})
		before := heapInUse()
		for _, name := range names {
			if err := eng.Run(context.Background(), name, succeed); err != nil {
				require.NoError(t, err)
			}
		}
		full := heapInUse() - before - 8*n
		require.Equal(t, engine.Stats{Keys: n, Admitted: n, Successes: n}, eng.Stats())
		time.Sleep(10 * time.Minute)
		require.Equal(t, engine.Stats{Evicted: n, Admitted: n, Successes: n}, eng.Stats())
		left := heapInUse() - before
		t.Logf("%d bytes per key; %d KB left after %d keys", full/n, left>>10, n)
		require.Less(t, full/n, int64(144))
		require.Less(t, left, int64(1<<20))
		runtime.KeepAlive(eng)
		runtime.KeepAlive(names)
	})
}

var memoryKeysFlag = flag.Int("engine.memory.keys", 1<<17, "how many keys TestWhatAKeyOfAPlanCosts measures")

// TestWhatAKeyOfAPlanCosts measures keys whose limits differ: as much as other keys if many have the same
// limits. A key whose limits no other key has has a policy of its own. With a million keys:
//
//	go test ./engine -run WhatAKeyOfAPlanCosts/3_plans -v -engine.memory.keys 1000000
func TestWhatAKeyOfAPlanCosts(t *testing.T) {
	for plans, most := range map[int]int64{3: 144, *memoryKeysFlag: 1200} {
		t.Run(fmt.Sprint(plans, " plans"), func(t *testing.T) {
			n := *memoryKeysFlag
			eng := start(t, engine.Config{
				Breaker: opensAfter(5), IdleAfter: time.Hour,
				LimiterFor: func(key string) limiter.Limiter {
					i, err := strconv.Atoi(key)
					require.NoError(t, err)
					return limiter.TokenBucket{Capacity: 10 + i%plans, RefillRate: limiter.PerSecond(1)}
				},
			})
			before := heapInUse()
			for i := range n {
				if err := eng.Run(context.Background(), fmt.Sprintf("%08d", i), succeed); err != nil {
					require.NoError(t, err)
				}
			}
			each := (heapInUse() - before) / int64(n)
			t.Logf("%d bytes per key", each)
			require.LessOrEqual(t, each, most)
			runtime.KeepAlive(eng)
		})
	}
}

// TestWhatADirtyKeyCosts measures keys that have failed: the state of the actor is parked in the
// cell, and the actor's goroutine has ended.
func TestWhatADirtyKeyCosts(t *testing.T) {
	for name, threshold := range map[string]int{"a failure": 5, "an open breaker": 1} {
		t.Run(name, func(t *testing.T) {
			const n = 1 << 16
			eng := start(t, engine.Config{
				Breaker: opensAfter(threshold), Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)},
			})
			before := heapInUse()
			var callers sync.WaitGroup
			const together = 8
			for w := range together {
				callers.Go(func() {
					for i := w; i < n; i += together {
						if eng.Run(context.Background(), fmt.Sprintf("%08d", i), fail) != errDown {
							t.Error("refused")
						}
					}
				})
			}
			callers.Wait()
			each := (heapInUse() - before) / n
			t.Logf("%d bytes per key", each)
			require.Less(t, each, int64(600), "beside 200,000 goroutines 1.2 GB were measured, 6 KB per key")
			runtime.KeepAlive(eng)
		})
	}
}

// TestWhatAKeyWithARateCosts: with calls in its window a key has a tally of its own. A sweep after the window has passed takes the tally
// back. With a million keys:
//
//	go test ./engine -run WhatAKeyWithARateCosts -v -engine.memory.keys 1000000
func TestWhatAKeyWithARateCosts(t *testing.T) {
	for name, policy := range map[string]*breaker.Policy{
		"of time": rated(), "of calls": {FailureRate: 0.5, WindowCalls: 100, ForgetAfter: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			n := int64(*memoryKeysFlag)
			synctest.Test(t, func(t *testing.T) {
				eng := start(t, engine.Config{
					Breaker: policy, IdleAfter: 20 * time.Minute,
					Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)},
				})
				before := heapInUse()
				for i := range n {
					if err := eng.Run(context.Background(), fmt.Sprintf("%08d", i), succeed); err != nil {
						require.NoError(t, err)
					}
					if i%64 == 0 {
						synctest.Wait() // the message of the first success
					}
				}
				synctest.Wait()
				used := (heapInUse() - before) / n
				time.Sleep(5 * time.Minute)
				swept := (heapInUse() - before) / n
				require.EqualValues(t, n, eng.Stats().Keys)
				t.Logf("%d bytes per key with a call in the window, %d after a sweep", used, swept)
				require.LessOrEqual(t, used, int64(700))
				require.LessOrEqual(t, swept, int64(144))
				runtime.KeepAlive(eng)
			})
		})
	}
}
