package enginenet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
)

// inBubble runs f with a connection whose bucket, in each direction, holds 1 KiB and gains 1 KiB per second: its reads come from source.
func inBubble(t *testing.T, source io.Reader, f func(t *testing.T, c *enginenet.Conn, w *wire, eng *engine.Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, kib, kib)
		w := newWire(newJournal(), source)
		c := enginenet.Wrap(w, only(eng))
		defer c.Close()
		f(t, c, w, eng)
	})
}

func TestAWriteGoesInChunksAtTheRate(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, c *enginenet.Conn, w *wire, _ *engine.Engine) {
		data := pattern(5 * kib)
		n, err := c.Write(data)
		require.NoError(t, err)
		require.Equal(t, len(data), n)
		require.Equal(t, data, w.written.Bytes())
		require.Equal(t, 4*time.Second, time.Since(w.journal.begun))
		require.Equal(t, passage{0, kib}, w.journal.passages[0])
		require.Zero(t, excess(w.journal.passages, kib, 62500*time.Microsecond))
	})
}

func TestReadsAreDeliveredAtTheRate(t *testing.T) {
	data := pattern(5 * kib)
	inBubble(t, bytes.NewReader(data), func(t *testing.T, c *enginenet.Conn, _ *wire, _ *engine.Engine) {
		j := newJournal()
		got, buf := []byte(nil), make([]byte, 3000)
		for {
			n, err := c.Read(buf)
			got = append(got, buf[:n]...)
			j.note(n)
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
		}
		require.Equal(t, data, got)
		require.Equal(t, 4*time.Second, time.Since(j.begun))
		require.Zero(t, excess(j.passages, kib, 62500*time.Microsecond))
	})
}

func TestEachDirectionHasABucketOfItsOwn(t *testing.T) {
	inBubble(t, bytes.NewReader(pattern(kib)), func(t *testing.T, c *enginenet.Conn, w *wire, eng *engine.Engine) {
		_, err := c.Write(pattern(kib))
		require.NoError(t, err)
		_, err = io.ReadFull(c, make([]byte, kib))
		require.NoError(t, err)
		require.Zero(t, time.Since(w.journal.begun))
		require.Zero(t, available(t, eng, "k reads"))
		require.Zero(t, available(t, eng, "k writes"))
	})
}

func TestSmallWritesPayForTheirBytes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, c *enginenet.Conn, w *wire, eng *engine.Engine) {
		for range 130 {
			_, err := c.Write([]byte{1})
			require.NoError(t, err)
		}
		require.Zero(t, time.Since(w.journal.begun))
		require.Equal(t, kib-3*enginenet.Block, available(t, eng, "k writes"))
	})
}

func TestBytesArePaidForBeforeTheyLeave(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, c *enginenet.Conn, _ *wire, eng *engine.Engine) {
		for i, size := range []int{65, 63, 1, 64, 62, 1} {
			_, err := c.Write(pattern(size))
			require.NoError(t, err)
			require.Equal(t, kib-[]int{2, 2, 3, 4, 4, 4}[i]*enginenet.Block, available(t, eng, "k writes"), i)
		}
	})
}

func TestSmallReadsPayForTheirBytes(t *testing.T) {
	inBubble(t, bytes.NewReader(pattern(130)), func(t *testing.T, c *enginenet.Conn, _ *wire, eng *engine.Engine) {
		_, err := io.ReadFull(iotest.OneByteReader(c), make([]byte, 130))
		require.NoError(t, err)
		require.Equal(t, kib-3*enginenet.Block, available(t, eng, "k reads"))
	})
}

func TestADirectionCanBeLeftFree(t *testing.T) {
	for _, direction := range []enginenet.Direction{enginenet.Reads, enginenet.Writes} {
		t.Run(direction.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit := only(start(t, kib, kib))
				limit.Direction = direction
				c := enginenet.Wrap(newWire(newJournal(), bytes.NewReader(pattern(3*kib))), limit)
				took := func(f func() error) time.Duration {
					begun := time.Now()
					require.NoError(t, f())
					return time.Since(begun)
				}
				read := took(func() error { _, err := io.ReadFull(c, make([]byte, 3*kib)); return err })
				wrote := took(func() error { _, err := c.Write(pattern(3 * kib)); return err })
				if direction == enginenet.Writes {
					read, wrote = wrote, read
				}
				require.Equal(t, 2*time.Second, read)
				require.Zero(t, wrote)
			})
		})
	}
}

func TestEngineWithoutLimiterIsNoLimit(t *testing.T) {
	eng := startWith(t, engine.Config{})
	near, far := tcp(t)
	c := enginenet.Wrap(near, only(eng), enginenet.Limit{Key: "no engine"})
	n, err := c.Write(pattern(kib))
	require.NoError(t, err)
	require.Equal(t, kib, n)
	_, err = io.ReadFull(far, make([]byte, kib))
	require.NoError(t, err)
	require.Zero(t, eng.Stats().Keys)
	require.Same(t, near, c.NetConn())
}

// TestTheSlowestOfSeveralLimitsDecides: each is paid.
func TestTheSlowestOfSeveralLimitsDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast := start(t, kib, kib), start(t, 4*kib, 2*kib)
		w := newWire(newJournal(), nil)
		c := enginenet.Wrap(w, only(slow), only(fast))
		_, err := c.Write(pattern(5 * kib))
		require.NoError(t, err)
		require.Equal(t, 4*time.Second, time.Since(w.journal.begun))
		require.Zero(t, available(t, slow, "k writes"))
		synctest.Wait()
		require.Greater(t, available(t, fast, "k writes"), 3*kib)
	})
}

// TestConcurrentWritesStayInOnePiece, as they do on a *net.TCPConn.
func TestConcurrentWritesStayInOnePiece(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, c *enginenet.Conn, w *wire, _ *engine.Engine) {
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() {
				_, err := c.Write(bytes.Repeat([]byte{byte(i)}, 2*kib))
				if err != nil {
					t.Error(err)
				}
			})
		}
		writers.Wait()
		require.Equal(t, 8*kib, w.written.Len())
		for piece := w.written.Next(2 * kib); len(piece) > 0; piece = w.written.Next(2 * kib) {
			require.Equal(t, bytes.Repeat(piece[:1], 2*kib), piece)
		}
	})
}

// TestTheErrorOfAWriteComesWithItsBytes: what the connection below took counts.
func TestTheErrorOfAWriteComesWithItsBytes(t *testing.T) {
	near, far := tcp(t)
	c := enginenet.Wrap(near, only(start(t, 64*kib, 64*kib)))
	require.NoError(t, far.Close())
	within(t, c, time.Minute)
	var err error
	for n := 1; err == nil; {
		n, err = c.Write(make([]byte, 1))
		require.True(t, n == 1 || err != nil)
	}
	_, ok := err.(*net.OpError)
	require.True(t, ok)
}

func TestCloseWriteIsPassedOn(t *testing.T) {
	near, far := tcp(t)
	c := enginenet.Wrap(near, only(start(t, kib, kib)))
	require.NoError(t, c.CloseWrite())
	_, err := far.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	require.ErrorIs(t, enginenet.Wrap(newWire(nil, nil)).CloseWrite(), errors.ErrUnsupported)
}
