package enginenet_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
