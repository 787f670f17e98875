package enginenet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestStatsOfBytes: whatever way the bytes take, the bytes that the caller was told of count, and no others.
func TestStatsOfBytes(t *testing.T) {
	copied := func(send func(c *enginenet.Conn) (int64, error)) func(*testing.T, *enginenet.Conn) (int64, int64) {
		return func(t *testing.T, c *enginenet.Conn) (int64, int64) {
			n, err := send(c)
			require.NoError(t, err)
			return 0, n
		}
	}
	for name, use := range map[string]func(t *testing.T, c *enginenet.Conn) (read, written int64){
		"nothing": func(*testing.T, *enginenet.Conn) (int64, int64) { return 0, 0 },
		"partial reads": func(t *testing.T, c *enginenet.Conn) (read, written int64) {
			for _, size := range []int{1, 63, 64, 0, 100, 70 * kib} {
				n, err := c.Read(make([]byte, size))
				require.NoError(t, err)
				read += int64(n)
			}
			return read, 0
		},
		"reads until the end": func(t *testing.T, c *enginenet.Conn) (read, written int64) {
			data, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Len(t, data, 200*kib)
			return int64(len(data)), 0
		},
		"writes": func(t *testing.T, c *enginenet.Conn) (read, written int64) {
			for _, size := range []int{0, 1, 65, 150 * kib} {
				n, err := c.Write(make([]byte, size))
				require.NoError(t, err)
				written += int64(n)
			}
			return 0, written
		},
		"ReadFrom": copied(func(c *enginenet.Conn) (int64, error) {
			return c.ReadFrom(strings.NewReader(strings.Repeat("x", 100*kib)))
		}),
		"limited ReadFrom": copied(func(c *enginenet.Conn) (int64, error) { return c.ReadFrom(io.LimitReader(endless{}, 100*kib+1)) }),
		"file":             copied(func(c *enginenet.Conn) (int64, error) { return c.ReadFrom(fileOf(t, pattern(130*kib))) }),
	} {
		for limit, limits := range map[string][]enginenet.Limit{"free": nil, "limited": {only(start(t, 1<<20, 1<<20))}} {
			for _, below := range []string{"wire", "kernel"} {
				t.Run(name+" "+limit+" "+below, func(t *testing.T) {
					conn := net.Conn(newWire(newJournal(), bytes.NewReader(pattern(200*kib))))
					if below == "kernel" {
						near, far := tcp(t)
						go func() { // ends with the connection
							_, _ = far.Write(pattern(200 * kib))
							_ = far.CloseWrite()
							_, _ = io.Copy(io.Discard, far)
						}()
						conn = &kernel{TCPConn: near}
					}
					c := enginenet.Wrap(conn, limits...)
					defer c.Close()
					require.Zero(t, c.Stats())
					read, written := use(t, c)
					s := c.Stats()
					require.EqualValues(t, read, s.BytesRead)
					require.EqualValues(t, written, s.BytesWritten)
				})
			}
		}
	}
}

// cutting is a wire that takes a part of each write, and says so.
type cutting struct{ *wire }

var errCut = errors.New("cut")

func (c cutting) Write(p []byte) (int, error) { n, _ := c.wire.Write(p[:len(p)/2]); return n, errCut }

// lying breaks the contract of net.Conn.
type lying struct{ *wire }

func (lying) Write([]byte) (int, error) { return -1, errCut }
func (lying) Read([]byte) (int, error)  { return -1, errCut }

// TestStatsOfAConnectionThatFails: the bytes before the error count.
func TestStatsOfAConnectionThatFails(t *testing.T) {
	for limit, limits := range map[string][]enginenet.Limit{"free": nil, "limited": {only(startOnce(t, 64*kib))}} {
		t.Run(limit, func(t *testing.T) {
			c := enginenet.Wrap(cutting{newWire(newJournal(), &ending{pattern(100), errCut})}, limits...)
			n, err := c.Write(pattern(kib))
			require.Equal(t, errCut, err)
			require.Equal(t, kib/2, n)
			n, err = c.Read(make([]byte, kib))
			require.Equal(t, errCut, err)
			require.Equal(t, 100, n)
			require.Equal(t, enginenet.ConnStats{BytesRead: 100, BytesWritten: kib / 2}, c.Stats())

			c = enginenet.Wrap(lying{newWire(newJournal(), nil)}, limits...)
			_, _ = c.Write(pattern(kib))
			_, _ = c.Read(make([]byte, kib))
			require.Zero(t, c.Stats())
		})
	}
}

// TestBytesThatAreKeptCountWhenTheyAreReturned, and not twice.
func TestBytesThatAreKeptCountWhenTheyAreReturned(t *testing.T) {
	inBubble(t, bytes.NewReader(pattern(2*kib)), func(t *testing.T, c *enginenet.Conn, _ *wire, _ *engine.Engine) {
		_, err := c.Read(make([]byte, kib)) // the whole bucket
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Millisecond)))
		_, err = c.Read(make([]byte, 64))
		requireTimeout(t, err)
		require.Equal(t, enginenet.ConnStats{BytesRead: kib, ReadThrottled: time.Millisecond}, c.Stats())
		require.NoError(t, c.SetReadDeadline(time.Time{}))
		for range 2 { // half of what is kept, each
			n, err := c.Read(make([]byte, 32))
			require.NoError(t, err)
			require.Equal(t, 32, n)
		}
		require.Equal(t, enginenet.ConnStats{BytesRead: kib + 64, ReadThrottled: 62500 * time.Microsecond}, c.Stats())
	})
}

// TestTheTimeOfAWaitCounts, as long as the wait lasts, however the wait ends.
func TestTheTimeOfAWaitCounts(t *testing.T) {
	for name, row := range map[string]struct {
		end  func(t *testing.T, c *enginenet.Conn, eng *engine.Engine)
		want time.Duration
	}{
		"granted":       {func(*testing.T, *enginenet.Conn, *engine.Engine) {}, 62500 * time.Microsecond},
		"deadline":      {func(t *testing.T, c *enginenet.Conn, _ *engine.Engine) { require.NoError(t, c.SetDeadline(time.Now())) }, 7 * time.Millisecond},
		"Close":         {func(t *testing.T, c *enginenet.Conn, _ *engine.Engine) { require.NoError(t, c.Close()) }, 7 * time.Millisecond},
		"engine.Close":  {func(t *testing.T, _ *enginenet.Conn, eng *engine.Engine) { require.NoError(t, eng.Close(t.Context())) }, 7 * time.Millisecond},
		"moved further": {func(t *testing.T, c *enginenet.Conn, _ *engine.Engine) { within(t, c, 3*time.Millisecond) }, 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			for _, op := range []string{"read", "write"} {
				inBubble(t, bytes.NewReader(pattern(8*kib)), func(t *testing.T, c *enginenet.Conn, _ *wire, eng *engine.Engine) {
					call, throttled := c.Write, func(s enginenet.ConnStats) time.Duration { return s.WriteThrottled }
					if op == "read" {
						call, throttled = c.Read, func(s enginenet.ConnStats) time.Duration { return s.ReadThrottled }
					}
					_, err := call(make([]byte, kib))
					require.NoError(t, err)
					require.Zero(t, throttled(c.Stats()))
					done := waiting(t, eng, func() error { _, err := call(make([]byte, 64)); return err })
					time.Sleep(7 * time.Millisecond)
					require.Zero(t, throttled(c.Stats()), "the wait has not ended")
					row.end(t, c, eng)
					require.Equal(t, name == "granted", <-done == nil)
					s := c.Stats()
					require.Equal(t, row.want, throttled(s))
					require.Equal(t, row.want, s.ReadThrottled+s.WriteThrottled, "of the other direction")
				})
			}
		})
	}
}

// TestWhatIsNoThrottledTime: a network that is slow, and a call that waits for another call.
func TestWhatIsNoThrottledTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := enginenet.Wrap(near, only(start(t, kib, kib)))
		defer c.Close()
		received := inBackground(func() error {
			time.Sleep(time.Hour)
			_, err := io.ReadFull(far, make([]byte, kib+128))
			return err
		})
		_, err := c.Write(make([]byte, kib))
		require.NoError(t, err)
		require.Zero(t, c.Stats().WriteThrottled, "the peer was slow")

		// Two writes share a block. The first waits for the limit, and the second for the first.
		c = enginenet.Wrap(near, only(start(t, 64, 64)))
		_, err = c.Write(make([]byte, 64))
		require.NoError(t, err)
		two := []<-chan error{
			inBackground(func() error { _, err := c.Write(make([]byte, 32)); return err }),
			inBackground(func() error { _, err := c.Write(make([]byte, 32)); return err }),
		}
		require.NoError(t, errors.Join(<-two[0], <-two[1]))
		require.Equal(t, time.Second, c.Stats().WriteThrottled)
		require.NoError(t, <-received)
	})
}

// TestARefusalAtOnceIsNoThrottledTime, nor is a trial.
func TestARefusalAtOnceIsNoThrottledTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, cfg := range []engine.Config{
			{Limiter: bucket(kib, kib), MaxWait: engine.NoWait},
			{Limiter: bucket(kib, kib), Shadow: true},
			{Limiter: limiter.TokenBucket{Capacity: 16, RefillRate: limiter.Per(1, time.Hour)}, MaxWait: time.Minute},
		} {
			c := enginenet.Wrap(newWire(newJournal(), nil), only(startWith(t, cfg)))
			n, _ := c.Write(make([]byte, 2*kib))
			require.Equal(t, enginenet.ConnStats{BytesWritten: uint64(n)}, c.Stats()) //nolint:gosec // not below 0
		}
	})
}
