package enginenet_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/limiter"
)

// eachConn benchmarks send for a bare *net.TCPConn, and for one under one and two limits that never bind.
func eachConn(b *testing.B, size int, send func(c net.Conn) (int64, error)) {
	for engines, name := range []string{"bare", "one limit", "two limits"} {
		b.Run(name, func(b *testing.B) {
			near, far := tcp(b)
			var limits []enginenet.Limit
			for range engines {
				limits = append(limits, only(startWith(b, engine.Config{
					Limiter: limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)},
				})))
			}
			c := net.Conn(near)
			if engines > 0 {
				c = enginenet.Wrap(near, limits...)
			}
			drained := inBackground(func() error {
				buf := make([]byte, 1<<20)
				for {
					if _, err := far.Read(buf); err != nil {
						return err
					}
				}
			})
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				n, err := send(c)
				if err != nil || n != int64(size) {
					b.Fatal(n, err)
				}
			}
			b.StopTimer()
			require.NoError(b, c.Close())
			require.Equal(b, io.EOF, <-drained)
		})
	}
}

// BenchmarkWrite is the throughput of writes of 32 KiB over loopback.
func BenchmarkWrite(b *testing.B) {
	data := pattern(32 * kib)
	eachConn(b, len(data), func(c net.Conn) (int64, error) {
		n, err := c.Write(data)
		return int64(n), err
	})
}

// BenchmarkSmallWrite is the cost of a write of 100 bytes.
func BenchmarkSmallWrite(b *testing.B) {
	data := pattern(100)
	eachConn(b, len(data), func(c net.Conn) (int64, error) {
		n, err := c.Write(data)
		return int64(n), err
	})
}

// BenchmarkSendfile is the throughput of a file of 4 MiB as net/http sends it.
func BenchmarkSendfile(b *testing.B) {
	const size = 4 << 20
	f := fileOf(b, pattern(size))
	eachConn(b, size, func(c net.Conn) (int64, error) {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		return c.(io.ReaderFrom).ReadFrom(&io.LimitedReader{R: f, N: size})
	})
}
