package pipes_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/internal/pipes"
)

// window is the number of bytes that wait for a reader.
const window = 64 << 10

// end is one end of a connection.
type end interface {
	net.Conn
	CloseWrite() error
	SetLinger(sec int) error
}

// connected runs test in a bubble, with both ends of a connection.
func connected(t *testing.T, test func(t *testing.T, dialer, accepted end)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var n pipes.Network
		l, err := n.Listen()
		require.NoError(t, err)
		far := make(chan net.Conn, 1)
		go func() { // ends with the dial
			conn, _ := l.Accept()
			far <- conn
		}()
		near, err := n.DialContext(t.Context(), "tcp", l.Addr().String())
		require.NoError(t, err)
		test(t, near.(end), (<-far).(end))
	})
}

// write writes text.
func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	n, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.Len(t, text, n)
}

// read requires that the next bytes are those of text.
func read(t *testing.T, r io.Reader, text string) {
	t.Helper()
	got := make([]byte, len(text))
	_, err := io.ReadFull(r, got)
	require.NoError(t, err)
	require.Equal(t, text, string(got))
}

func TestBytesWaitForTheReader(t *testing.T) {
	connected(t, func(t *testing.T, a, b end) {
		write(t, a, "hel")
		write(t, a, "lo")
		write(t, b, "world")
		read(t, b, "hell")
		read(t, b, "o")
		read(t, a, "world")
		n, err := a.Read(nil)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestAddresses(t *testing.T) {
	connected(t, func(t *testing.T, a, b end) {
		require.Equal(t, a.RemoteAddr(), b.LocalAddr())
		require.Equal(t, b.RemoteAddr(), a.LocalAddr())
		require.NotEqual(t, a.LocalAddr(), b.LocalAddr())
	})
}

// TestAFullWindow has a writer wait for the reader, through which all bytes come in order.
func TestAFullWindow(t *testing.T) {
	connected(t, func(t *testing.T, a, b end) {
		text := make([]byte, 3*window+1)
		for i := range text {
			text[i] = byte(i >> 10)
		}
		written := make(chan error, 1)
		go func() { // ends with the reader
			_, err := a.Write(text)
			written <- err
		}()
		for at := 0; at < len(text); {
			synctest.Wait()
			require.Equal(t, len(text)-at <= window, len(written) == 1, "after %d bytes", at)
			got := make([]byte, min(window/2, len(text)-at))
			_, err := io.ReadFull(b, got)
			require.NoError(t, err)
			require.True(t, bytes.Equal(text[at:at+len(got)], got), "after %d bytes", at)
			at += len(got)
		}
		require.NoError(t, <-written)
	})
}

func TestCloseWrite(t *testing.T) {
	connected(t, func(t *testing.T, a, b end) {
		write(t, a, "hello")
		require.NoError(t, a.CloseWrite())
		_, err := a.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
		read(t, b, "hello")
		_, err = b.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		write(t, b, "world")
		require.NoError(t, b.Close())
		read(t, a, "world")
		_, err = a.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
	})
}

func TestClose(t *testing.T) {
	connected(t, func(t *testing.T, a, b end) {
		write(t, a, "hello")
		failed := make(chan error, 1)
		go func() { // ends with the connection
			_, err := a.Read(make([]byte, 1))
			failed <- err
		}()
		synctest.Wait()
		require.NoError(t, a.Close())
		require.ErrorIs(t, <-failed, net.ErrClosed)
		_, err := a.Write([]byte("x"))
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, a.SetDeadline(time.Now()), net.ErrClosed)
		require.ErrorIs(t, a.CloseWrite(), net.ErrClosed)
		require.ErrorIs(t, a.Close(), net.ErrClosed)

		_, err = b.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
		read(t, b, "hello")
		_, err = b.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
	})
}

// TestAWriterNoticesThatTheReaderLeaves also while the window is full.
func TestAWriterNoticesThatTheReaderLeaves(t *testing.T) {
	connected(t, func(t *testing.T, a, b end) {
		time.AfterFunc(time.Second, func() { _ = b.Close() })
		n, err := a.Write(make([]byte, 2*window))
		require.ErrorIs(t, err, syscall.EPIPE)
		require.Equal(t, window, n)
	})
}

func TestReset(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, a, b end){
		"bytes that were not read": func(t *testing.T, a, b end) { write(t, b, "x") },
		"no linger":                func(t *testing.T, a, _ end) { require.NoError(t, a.SetLinger(0)) },
	} {
		t.Run(name, func(t *testing.T) {
			connected(t, func(t *testing.T, a, b end) {
				prepare(t, a, b)
				write(t, a, "hello")
				require.NoError(t, a.Close())
				read(t, b, "hello")
				_, err := b.Read(make([]byte, 1))
				require.ErrorIs(t, err, syscall.ECONNRESET)
			})
		})
	}
}

func TestDeadlines(t *testing.T) {
	connected(t, func(t *testing.T, a, b end) {
		begun := time.Now()
		late := func(want time.Duration, call func([]byte) (int, error), size int) {
			t.Helper()
			_, err := call(make([]byte, size))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			var timeout net.Error
			require.ErrorAs(t, err, &timeout)
			require.True(t, timeout.Timeout())
			require.Equal(t, want, time.Since(begun))
		}
		require.NoError(t, a.SetReadDeadline(begun.Add(time.Second)))
		write(t, a, "writes have no deadline yet")
		late(time.Second, a.Read, 1)
		require.NoError(t, a.SetDeadline(begun.Add(time.Minute)))
		require.NoError(t, a.SetWriteDeadline(begun.Add(2*time.Second)))
		late(2*time.Second, a.Write, 2*window)
		late(time.Minute, a.Read, 1)

		require.NoError(t, a.SetReadDeadline(time.Time{}))
		time.AfterFunc(time.Hour, func() { write(t, b, "x") })
		read(t, a, "x")
		require.Equal(t, time.Minute+time.Hour, time.Since(begun))
		write(t, b, "x")
		require.NoError(t, a.SetReadDeadline(time.Unix(1, 0)))
		late(time.Minute+time.Hour, a.Read, 1)
	})
}

// TestADeadlineEndsAWait that had another deadline, or none.
func TestADeadlineEndsAWait(t *testing.T) {
	for _, before := range []time.Duration{0, time.Minute} {
		connected(t, func(t *testing.T, a, _ end) {
			begun := time.Now()
			if before > 0 {
				require.NoError(t, a.SetReadDeadline(begun.Add(before)))
			}
			time.AfterFunc(time.Second, func() { require.NoError(t, a.SetReadDeadline(time.Unix(1, 0))) })
			_, err := a.Read(make([]byte, 1))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Equal(t, time.Second, time.Since(begun))

			require.NoError(t, a.SetReadDeadline(begun.Add(before+time.Minute)))
			time.AfterFunc(time.Second, func() { require.NoError(t, a.SetReadDeadline(begun.Add(time.Hour))) })
			_, err = a.Read(make([]byte, 1))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Equal(t, time.Hour, time.Since(begun))
		})
	}
}
