package enginenet_test

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestARunningConnectionFollowsTheLimits: also if a chunk would be more than the new capacity.
func TestARunningConnectionFollowsTheLimits(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 1024, RefillRate: limiter.Per(1<<20, time.Second)}}
	eng, err := engine.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close(context.Background())) })
	near, far := net.Pipe()
	largest := &largestWrite{Conn: near}
	conn := enginenet.Wrap(largest, enginenet.Limit{Engine: eng, Key: "k"})
	received := make(chan int, 1)
	go func() {
		n, _ := io.Copy(io.Discard, far)
		received <- int(n)
	}()
	const part = 256 << 10
	sent := 0
	for _, capacity := range []int{1024, 1, 3, 64, 2, 1024} {
		cfg.Limiter = limiter.TokenBucket{Capacity: capacity, RefillRate: limiter.Per(1<<20, time.Second)}
		require.NoError(t, eng.Reconfigure(cfg))
		largest.bytes = 0
		n, err := conn.Write(make([]byte, part))
		require.NoError(t, err)
		sent += n
		require.LessOrEqual(t, largest.bytes, capacity*enginenet.Block)
		require.GreaterOrEqual(t, largest.bytes, min(capacity, 8)*enginenet.Block, "a chunk grows again with the capacity")
	}
	cfg.Limiter = limiter.Unlimited
	require.NoError(t, eng.Reconfigure(cfg))
	n, err := conn.Write(make([]byte, part))
	require.NoError(t, err)
	sent += n
	require.NoError(t, conn.Close())
	require.Equal(t, sent, <-received)
}

// largestWrite notes how many bytes are written at once.
type largestWrite struct {
	net.Conn
	bytes int
}

func (w *largestWrite) Write(p []byte) (int, error) {
	w.bytes = max(w.bytes, len(p))
	return w.Conn.Write(p)
}

// TestACapacityThatShrinksUnderAChunk: the chunk is paid for block by block.
func TestACapacityThatShrinksUnderAChunk(t *testing.T) {
	c := &hookedClock{Clock: clock.System()}
	cfg := engine.Config{Clock: c, Limiter: limiter.TokenBucket{Capacity: 1024, RefillRate: limiter.Per(1<<20, time.Second)}}
	eng, err := engine.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close(context.Background())) })
	near, far := net.Pipe()
	conn := enginenet.Wrap(near, enginenet.Limit{Engine: eng, Key: "k"})
	received := make(chan int, 1)
	go func() {
		n, _ := io.Copy(io.Discard, far)
		received <- int(n)
	}()
	_, err = conn.Write(make([]byte, 4*enginenet.Block)) // the key is known
	require.NoError(t, err)
	shrunk := false
	c.hook.Store(func() { // when the chunk has been fitted to the limit, and its tokens are looked at
		c.hook.Store(func() {})
		less := cfg
		less.Limiter = limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1<<20, time.Second)}
		shrunk = eng.Reconfigure(less) == nil
	})
	_, err = conn.Write(make([]byte, 512*enginenet.Block))
	require.NoError(t, err)
	require.True(t, shrunk)
	require.NoError(t, conn.Close())
	require.Equal(t, 516*enginenet.Block, <-received)
}

// hookedClock calls hook whenever it is read.
type hookedClock struct {
	clock.Clock
	hook atomic.Value // of func()
}

func (c *hookedClock) Now() time.Time {
	if hook, ok := c.hook.Load().(func()); ok {
		hook()
	}
	return c.Clock.Now()
}
