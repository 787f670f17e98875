package enginenet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/limiter"
)

// waiting starts f, which is to wait for the bucket, and returns when it does.
func waiting(t *testing.T, eng *engine.Engine, f func() error) <-chan error {
	t.Helper()
	done := inBackground(f)
	synctest.Wait()
	waiting := 0
	for key := range eng.Keys() {
		s, _ := eng.Inspect(key)
		waiting += s.Waiting
	}
	require.Equal(t, 1, waiting)
	return done
}

// eachDirection runs f with a connection whose buckets are empty and a call that waits for one: call returns its bytes and error.
func eachDirection(t *testing.T, f func(t *testing.T, c *enginenet.Conn, set func(time.Time) error, wait func() <-chan error)) {
	for _, op := range []string{"read", "write"} {
		t.Run(op, func(t *testing.T) {
			inBubble(t, bytes.NewReader(pattern(8*kib)), func(t *testing.T, c *enginenet.Conn, _ *wire, eng *engine.Engine) {
				call, set := c.Write, c.SetWriteDeadline
				if op == "read" {
					call, set = c.Read, c.SetReadDeadline
				}
				n, err := call(make([]byte, kib))
				require.NoError(t, err)
				require.Equal(t, kib, n)
				f(t, c, set, func() <-chan error {
					return waiting(t, eng, func() error { _, err := call(make([]byte, 64)); return err })
				})
			})
		})
	}
}

func requireTimeout(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	timeout, ok := err.(net.Error) // as net/http asks
	require.True(t, ok && timeout.Timeout(), "%v is no timeout", err)
}

func TestADeadlineEndsAWait(t *testing.T) {
	eachDirection(t, func(t *testing.T, _ *enginenet.Conn, set func(time.Time) error, wait func() <-chan error) {
		begun := time.Now()
		require.NoError(t, set(begun.Add(10*time.Millisecond)))
		requireTimeout(t, <-wait())
		require.Equal(t, 10*time.Millisecond, time.Since(begun))
	})
}

func TestADeadlineMovedWhileWaitingTakesEffectAtOnce(t *testing.T) {
	eachDirection(t, func(t *testing.T, c *enginenet.Conn, set func(time.Time) error, wait func() <-chan error) {
		begun := time.Now()
		require.NoError(t, set(begun.Add(10*time.Millisecond)))
		call := wait()
		require.NoError(t, set(begun.Add(20*time.Millisecond))) // later
		requireTimeout(t, <-call)
		require.Equal(t, 20*time.Millisecond, time.Since(begun))

		require.NoError(t, c.SetDeadline(begun.Add(time.Hour)))
		call = wait()
		require.NoError(t, c.SetDeadline(time.Unix(1, 0))) // into the past
		requireTimeout(t, <-call)
		require.Equal(t, 20*time.Millisecond, time.Since(begun))

		require.NoError(t, set(time.Time{}))
		call = wait()
		require.NoError(t, set(begun.Add(30*time.Millisecond))) // there was none
		requireTimeout(t, <-call)
		require.Equal(t, 30*time.Millisecond, time.Since(begun))

		require.NoError(t, set(begun.Add(40*time.Millisecond)))
		call = wait()
		require.NoError(t, set(time.Time{})) // away with it: the call waits for its block
		require.NoError(t, <-call)
	})
}

// TestADeadlineThatMayMoveDoesNotDoomAWait: an engine refuses at once a wait that would outlive its context's deadline.
func TestADeadlineThatMayMoveDoesNotDoomAWait(t *testing.T) {
	eachDirection(t, func(t *testing.T, _ *enginenet.Conn, set func(time.Time) error, wait func() <-chan error) {
		begun := time.Now()
		require.NoError(t, set(begun.Add(time.Millisecond)))
		call := wait()
		require.NoError(t, set(begun.Add(time.Hour)))
		require.NoError(t, <-call)
		require.Equal(t, 62500*time.Microsecond, time.Since(begun))
	})
}

func TestAPassedDeadlineFailsAtOnce(t *testing.T) {
	inBubble(t, bytes.NewReader(pattern(kib)), func(t *testing.T, c *enginenet.Conn, w *wire, _ *engine.Engine) {
		require.NoError(t, c.SetDeadline(time.Now()))
		n, err := c.Write(pattern(64))
		require.Zero(t, n)
		requireTimeout(t, err)
		_, err = c.Read(make([]byte, 64))
		requireTimeout(t, err)
		require.Zero(t, w.written.Len())
	})
}

func TestCloseEndsAWait(t *testing.T) {
	eachDirection(t, func(t *testing.T, c *enginenet.Conn, _ func(time.Time) error, wait func() <-chan error) {
		begun := time.Now()
		call := wait()
		require.NoError(t, c.Close())
		require.ErrorIs(t, <-call, net.ErrClosed)
		require.Zero(t, time.Since(begun))
		_, err := c.Write(pattern(64))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestClosingTheEngineEndsAWait(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, c *enginenet.Conn, _ *wire, eng *engine.Engine) {
		var n int
		call := waiting(t, eng, func() (err error) { n, err = c.Write(pattern(2 * kib)); return err })
		require.NoError(t, eng.Close(t.Context()))
		err := <-call
		require.ErrorIs(t, err, engine.ErrClosed)
		_, ok := err.(*engine.Rejection)
		require.True(t, ok)
		require.Equal(t, kib, n)
	})
}

func TestARefusalIsReturnedAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := startWith(t, engine.Config{Limiter: bucket(kib, kib), MaxWait: engine.NoWait})
		w := newWire(newJournal(), bytes.NewReader(pattern(2*kib)))
		c := enginenet.Wrap(w, only(eng))
		n, err := c.Write(pattern(2 * kib))
		require.Equal(t, kib, n)
		require.ErrorIs(t, err, limiter.ErrLimited)
		require.Equal(t, kib, w.written.Len())
		r, ok := err.(*engine.Rejection)
		require.True(t, ok)
		require.Equal(t, 62500*time.Microsecond, r.RetryAfter())
	})
}

// ending is a source whose last bytes come with an error, which it says once.
type ending struct {
	data []byte
	err  error
}

func (e *ending) Read(p []byte) (n int, err error) {
	n = copy(p, e.data)
	if e.data = e.data[n:]; len(e.data) == 0 {
		err, e.err = e.err, nil
	}
	return n, err
}

// TestBytesThatWereReadAreKeptUntilTheyArePaidFor, in order, with the error that came with them.
func TestBytesThatWereReadAreKeptUntilTheyArePaidFor(t *testing.T) {
	data := pattern(kib + 64)
	broken := errors.New("broken")
	inBubble(t, &ending{data, broken}, func(t *testing.T, c *enginenet.Conn, _ *wire, eng *engine.Engine) {
		got := make([]byte, kib)
		_, err := io.ReadFull(c, got)
		require.NoError(t, err)

		theirs := make([]byte, 4*kib)
		call := waiting(t, eng, func() error { _, err := c.Read(theirs); return err })
		require.NoError(t, c.SetReadDeadline(time.Unix(1, 0)))
		requireTimeout(t, <-call)
		clear(theirs)
		_, err = c.Read(make([]byte, 1))
		requireTimeout(t, err)
		require.NoError(t, c.SetReadDeadline(time.Time{}))

		buf := make([]byte, 10) // smaller than what is kept, and than a block
		for range 7 {
			n, err := c.Read(buf)
			require.NoError(t, err)
			got = append(got, buf[:n]...)
		}
		require.Equal(t, data, got)
		_, err = c.Read(buf)
		require.Equal(t, broken, err)
	})
}

func TestKeptBytesAreNotReadAfterTheEnd(t *testing.T) {
	inBubble(t, bytes.NewReader(pattern(2*kib)), func(t *testing.T, c *enginenet.Conn, _ *wire, eng *engine.Engine) {
		_, err := io.ReadFull(c, make([]byte, kib))
		require.NoError(t, err)
		call := waiting(t, eng, func() error { _, err := c.Read(make([]byte, 64)); return err })
		require.NoError(t, c.SetReadDeadline(time.Unix(1, 0)))
		requireTimeout(t, <-call)
		require.NoError(t, c.SetReadDeadline(time.Time{}))
		_, err = c.Read(make([]byte, 1)) // pays for a block, and 63 bytes of it are left
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Unix(1, 0)))
		_, err = c.Read(make([]byte, 1))
		requireTimeout(t, err)
		require.NoError(t, c.Close())
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}
