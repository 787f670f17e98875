package enginenet_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/limiter"
)

// crowd has n connections of a key write size bytes each, at once, and returns the journal of all
// and that of each.
func crowd(t *testing.T, limit enginenet.Limit, n, size int) (*journal, []*journal) {
	t.Helper()
	all, each := newJournal(), make([]*journal, n)
	var writers sync.WaitGroup
	for i := range n {
		each[i] = newJournal()
		c := enginenet.Wrap(&twoJournals{wire: newWire(all, nil), own: each[i]}, limit)
		writers.Go(func() {
			if got, err := c.Write(make([]byte, size)); err != nil {
				t.Errorf("connection %d, after %d bytes: %v", i, got, err)
			}
		})
	}
	writers.Wait()
	return all, each
}

// TestAFullQueueIsWaitedFor: no connection is cut, none gets ahead of the others by more than a
// chunk or falls behind, and no byte of the rate is lost.
func TestAFullQueueIsWaitedFor(t *testing.T) {
	for name, row := range map[string]struct {
		connections, queue, chunks int
		dispatch                   engine.Dispatch
	}{
		"1,500 connections and the default queue": {1500, 0, 4, engine.Published},
		"by messages":    {1500, 0, 4, engine.Mailbox},
		"a queue of one": {40, 1, 5, engine.Published},
		"a queue of two": {40, 2, 5, engine.Published},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const burst, rate = kib, 20 * kib // chunks of 1 KiB, 20 a second
				eng := startWith(t, engine.Config{Limiter: bucket(burst, rate), MaxQueue: row.queue, Dispatch: row.dispatch})
				all, each := crowd(t, only(eng), row.connections, row.chunks*kib)
				require.Equal(t, row.connections*row.chunks*kib, all.total)
				interval := eng.Limits()[0].Interval()
				require.Zero(t, excess(all.passages, burst, interval))
				whole := time.Duration(all.total-burst) / enginenet.Block * interval
				took := all.passages[len(all.passages)-1].at
				require.InDelta(t, whole.Seconds(), took.Seconds(), 0.01*whole.Seconds())
				round := whole.Seconds() / float64(row.chunks) // in which each connection has a chunk
				for i, own := range each {
					require.Len(t, own.passages, row.chunks)
					for n, p := range own.passages {
						require.InDelta(t, float64(n)+0.5, p.at.Seconds()/round, 1.6, "chunk %d of connection %d", n, i)
					}
				}
			})
		})
	}
}

func TestReadsWaitForAFullQueueToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := startWith(t, engine.Config{Limiter: bucket(kib, 20*kib), MaxQueue: 1})
		var readers sync.WaitGroup
		for range 20 {
			c := enginenet.Wrap(newWire(newJournal(), bytes.NewReader(pattern(3*kib))), only(eng))
			readers.Go(func() {
				if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, pattern(3*kib)) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			})
		}
		readers.Wait()
	})
}

// TestAQueueThatOthersFillIsWaitedFor: callers of Acquire, who know nothing of connections.
func TestAQueueThatOthersFillIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := startWith(t, engine.Config{Limiter: bucket(64, 64), MaxQueue: 2})
		require.True(t, eng.Allow("k writes"))
		var others sync.WaitGroup
		for range 2 {
			others.Go(func() { requireNil(t, eng.Acquire(context.Background(), "k writes")) })
		}
		synctest.Wait()
		all, _ := crowd(t, only(eng), 3, 64)
		others.Wait()
		require.Equal(t, []passage{{3 * time.Second, 64}, {4 * time.Second, 64}, {5 * time.Second, 64}}, all.passages)
	})
}

// fullQueue starts a call of a connection that finds the queue of its key full, in which another
// caller waits for a minute.
func fullQueue(t *testing.T, cfg engine.Config) (eng *engine.Engine, c *enginenet.Conn, call <-chan error) {
	t.Helper()
	cfg.Limiter, cfg.MaxQueue = limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Minute)}, 1
	eng = startWith(t, cfg)
	require.True(t, eng.Allow("k writes"))
	stay, leave := context.WithTimeout(context.Background(), time.Hour)
	t.Cleanup(leave)
	go func() { _ = eng.Acquire(stay, "k writes") }() // ends with its token, with the engine, or with the test
	synctest.Wait()
	c = enginenet.Wrap(newWire(newJournal(), nil), only(eng))
	call = inBackground(func() error { _, err := c.Write(pattern(64)); return err })
	synctest.Wait()
	return eng, c, call
}

func TestDeadlinesAndCloseEndTheWaitForAFullQueue(t *testing.T) {
	for name, row := range map[string]struct {
		end  func(c *enginenet.Conn, eng *engine.Engine) error
		want error
	}{
		"deadline": {func(c *enginenet.Conn, _ *engine.Engine) error { return c.SetDeadline(time.Now().Add(time.Second)) }, os.ErrDeadlineExceeded},
		"close":    {func(c *enginenet.Conn, _ *engine.Engine) error { time.Sleep(time.Second); return c.Close() }, net.ErrClosed},
		"engine": {func(_ *enginenet.Conn, eng *engine.Engine) error {
			time.Sleep(time.Second - time.Millisecond)
			return eng.Close(context.Background())
		}, engine.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				eng, c, call := fullQueue(t, engine.Config{})
				second := enginenet.Wrap(newWire(newJournal(), nil), only(eng)) // behind the first, and not ended by its end
				behind := inBackground(func() error { _, err := second.Write(pattern(64)); return err })
				require.NoError(t, row.end(c, eng))
				require.ErrorIs(t, <-call, row.want)
				if name == "engine" { // which is asked again before long
					require.ErrorIs(t, <-behind, row.want)
					require.LessOrEqual(t, time.Since(begun), time.Second+50*time.Millisecond)
					return
				}
				require.Equal(t, time.Second, time.Since(begun))
				require.NoError(t, <-behind)
				require.Equal(t, 2*time.Minute, time.Since(begun))
			})
		})
	}
}

// TestMaxWaitBoundsTheWaitForAFullQueue: it is the engine's word that a call is not to wait for
// longer.
func TestMaxWaitBoundsTheWaitForAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := startWith(t, engine.Config{
			Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1)}, MaxQueue: 1, MaxWait: 10 * time.Second,
		})
		j, failures := newJournal(), make(chan time.Duration, 100)
		var writers sync.WaitGroup
		for range 20 {
			c := enginenet.Wrap(newWire(j, nil), only(eng))
			writers.Go(func() {
				if _, err := c.Write(pattern(64)); err != nil {
					if _, ok := err.(*engine.Rejection); !ok {
						t.Error(err)
					}
					failures <- time.Since(j.begun)
				}
			})
		}
		writers.Wait()
		require.GreaterOrEqual(t, j.total, 10*64) // those that were there in time
		require.Len(t, failures, 20-j.total/64)
		for range len(failures) {
			require.LessOrEqual(t, <-failures, 10*time.Second)
		}
	})
}

// TestALeakyBucketPaces: its places are a queue, too, and a write larger than them is no error.
func TestALeakyBucketPaces(t *testing.T) {
	for _, connections := range []int{1, 30} {
		t.Run(fmt.Sprint(connections), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const capacity, rate = 4, 160 // blocks
				eng := startWith(t, engine.Config{Limiter: limiter.LeakyBucket{Capacity: capacity, LeakRate: limiter.PerSecond(rate)}})
				j, _ := crowd(t, only(eng), connections, 4*kib)
				require.Equal(t, connections*4*kib, j.total)
				require.Zero(t, excess(j.passages, capacity*enginenet.Block, eng.Limits()[0].Interval()))
				whole := time.Duration(j.total/enginenet.Block) * time.Second / rate
				require.InDelta(t, whole.Seconds(), time.Since(j.begun).Seconds(), 0.01*whole.Seconds()+0.05)
			})
		})
	}
}
