package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestALateTimerCostsNoWaiterItsTurn, also in a queue of several rows.
func TestALateTimerCostsNoWaiterItsTurn(t *testing.T) {
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprint("two rows ", two), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := lateClock{clock.System(), time.Millisecond}
				narrow := start(t, engine.Config{Clock: c})
				wide := start(t, engine.Config{Clock: c, Limiter: oneEvery(time.Second), MaxWait: 2 * time.Second})
				require.True(t, wide.Allow("all"))
				var errs [2]error
				var callers sync.WaitGroup
				for i := range 2 {
					name := "a"
					if two {
						name = fmt.Sprint(i)
					}
					callers.Go(func() {
						errs[i] = engine.Chain(narrow.Key(name), wide.Key("all")).Run(t.Context(), succeed)
					})
					synctest.Wait()
				}
				callers.Wait()
				require.NoError(t, errs[0])
				require.NoError(t, errs[1])
			})
		})
	}
}

// TestADeadlineInAQueueIsTheContexts end, with any number of rows.
func TestADeadlineInAQueueIsTheContexts(t *testing.T) {
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprint("two rows ", two), func(t *testing.T) {
			limited := 0
			for range 50 {
				synctest.Test(t, func(t *testing.T) {
					narrow := start(t, engine.Config{})
					wide := start(t, engine.Config{Limiter: oneEvery(time.Second)})
					require.True(t, wide.Allow("k"))
					var callers sync.WaitGroup
					run := func(ctx context.Context, name string, errp *error) {
						callers.Go(func() {
							err := engine.Chain(narrow.Key(name), wide.Key("k")).Run(ctx, succeed)
							if errp != nil {
								*errp = err
							}
						})
						synctest.Wait()
					}
					var err error
					if two {
						ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
						defer cancel()
						run(ctx, "a", &err)
						run(t.Context(), "b", nil) // before a, by turns
					} else {
						ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
						defer cancel()
						run(ctx, "a", &err)
						run(t.Context(), "a", nil)
					}
					callers.Wait()
					if err != nil {
						if e := err; !errors.Is(e, context.DeadlineExceeded) {
							limited++
						}
					}
				})
			}
			require.Zero(t, limited, "of 50 calls whose deadline passed in the queue were told that they are limited")
		})
	}
}

// TestACallBehindAWaiterThatWouldNotWaitTakesNothing, although tokens are there: the waiter wants more of them.
func TestACallBehindAWaiterThatWouldNotWaitTakesNothing(t *testing.T) {
	eachDispatchOf(t, func(t *testing.T, d engine.Dispatch) {
		narrow := start(t, engine.Config{Dispatch: d, Limiter: limiter.TokenBucket{Capacity: 1000000, RefillRate: limiter.PerSecond(1)}})
		wide := start(t, engine.Config{Dispatch: d, Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)}})
		require.True(t, wide.AllowN("k", 5))
		ctx, cancel := context.WithCancel(context.Background())
		w := inBackground(func() error { return wide.AcquireN(ctx, "k", 10) })
		for s, _ := wide.Inspect("k"); s.Waiting == 0; s, _ = wide.Inspect("k") {
		}
		k := engine.Chain(narrow.Key("k"), wide.Key("k")).NoWait()
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 2000 {
					rej := k.Run(context.Background(), succeed)
					if rej == nil {
						panic("passed")
					}
				}
			})
		}
		callers.Wait()
		cancel()
		require.Error(t, <-w)
		require.Zero(t, narrow.Stats().KeptSpent)
	})
}

func eachDispatchOf(t *testing.T, f func(*testing.T, engine.Dispatch)) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) { f(t, d) })
	}
}

// TestAClockThatPanicsCostsAChainNoToken; the tokens taken so far come back.
func TestAClockThatPanicsCostsAChainNoToken(t *testing.T) {
	for n := int64(1); n < 12; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
				t.Run(d.String(), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						c := &shaky{Clock: clock.System(), onlyCallers: true}
						e0 := start(t, engine.Config{Dispatch: d, Clock: c, Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, time.Hour)}})
						e1 := start(t, engine.Config{Dispatch: d, Clock: c, Limiter: oneEvery(time.Second)})
						engines := []*engine.Engine{e0, e1}
						require.True(t, e1.Allow("k"))
						k := chained(engines).Within(time.Minute)
						called := false
						var panicked any
						var err error
						c.after.Store(n)
						func() {
							defer func() { panicked = recover() }()
							err = k.Run(t.Context(), func(context.Context) error { called = true; return nil })
						}()
						c.after.Store(0)
						synctest.Wait()
						if !called {
							require.InDelta(t, 5-float64(e0.Stats().KeptSpent), available(t, e0), 0.01, "panicked %v, err %v", panicked, err)
						}
						require.Zero(t, inspect(t, e1, "k").Waiting)
					})
				})
			}
		})
	}
}

// TestAClockThatPanicsCostsAChainNoLeave of a probe.
func TestAClockThatPanicsCostsAChainNoLeave(t *testing.T) {
	for n := int64(1); n < 14; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
				t.Run(d.String(), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						c := &shaky{Clock: clock.System(), onlyCallers: true}
						e0 := start(t, engine.Config{Dispatch: d, Clock: c, Breaker: opensAfter(1)})
						e1 := start(t, engine.Config{Dispatch: d, Clock: c, Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, time.Hour)}})
						engines := []*engine.Engine{e0, e1}
						failTimes(t, e0, "k", 1)
						time.Sleep(5 * time.Second)
						require.NoError(t, e0.Run(t.Context(), "k", func(ctx context.Context) error {
							var panicked any
							c.after.Store(n)
							func() {
								defer func() { panicked = recover() }()
								_ = chained(engines).Run(ctx, succeed)
							}()
							c.after.Store(0)
							if err := chained(engines).Run(ctx, succeed); err != nil {
								return fmt.Errorf("after %v: %w", panicked, err)
							}
							return nil
						}))
					})
				})
			}
		})
	}
}

// heldUp is the system's clock. The reading after so many is held up by what meanwhile does.
type heldUp struct {
	clock.Clock
	after     int
	meanwhile func()
}

func (c *heldUp) Nanos() int64 {
	now := c.Now().UnixNano()
	if c.after--; c.after == 0 {
		c.meanwhile()
	}
	return now
}

// TestAChainReadsTheClockAfterItsCellsAreFound: a token that is taken after Inspect has found the key unknown
// does not count as taken before.
func TestAChainReadsTheClockAfterItsCellsAreFound(t *testing.T) {
	unknown := 0
	for after := 1; after < 6; after++ {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &heldUp{Clock: clock.System()}
				cfg := engine.Config{Clock: c, Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Second)}}
				engines := []*engine.Engine{start(t, cfg), start(t, cfg)}
				known := []bool{true, true}
				c.after, c.meanwhile = after, func() {
					time.Sleep(time.Second)
					for i, e := range engines {
						_, known[i] = e.Inspect("k")
					}
				}
				require.NoError(t, chained(engines).Run(t.Context(), succeed))
				for i, e := range engines {
					if !known[i] {
						unknown++
						require.InDelta(t, 2, available(t, e), 0)
					}
				}
			})
		})
	}
	require.Positive(t, unknown)
}
