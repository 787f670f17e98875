package enginenet_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine/enginenet"
)

// unix is a stream connection over a Unix socket, both of its ends.
func unix(t *testing.T) (near, far *net.UnixConn) {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	defer ln.Close()
	server, client := connect(t, ln)
	return server.(*net.UnixConn), client.(*net.UnixConn)
}

func TestASocketIsSplicedByTheKernel(t *testing.T) {
	tcpNear, tcpFar := tcp(t)
	copiedNear, copiedFar := tcp(t)
	unixNear, unixFar := unix(t)
	for name, row := range map[string]struct {
		source net.Conn
		feed   interface {
			net.Conn
			CloseWrite() error
		}
		send func(c *enginenet.Conn, source net.Conn) (int64, error)
	}{
		"tcp":        {tcpNear, tcpFar, func(c *enginenet.Conn, source net.Conn) (int64, error) { return c.ReadFrom(source) }},
		"unix":       {unixNear, unixFar, func(c *enginenet.Conn, source net.Conn) (int64, error) { return c.ReadFrom(source) }},
		"by io.Copy": {copiedNear, copiedFar, func(c *enginenet.Conn, source net.Conn) (int64, error) { return io.Copy(c, source) }},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := tcp(t)
			below := &kernel{TCPConn: near}
			eng := startOnce(t, 512*kib)
			c := enginenet.Wrap(below, only(eng))
			data := pattern(300*kib + 5)
			copied := inBackground(func() error {
				n, err := row.send(c, row.source)
				if err == nil && n != int64(len(data)) {
					return io.ErrShortWrite
				}
				return err
			})
			received := make([]byte, len(data))

			// A source that stalls: what is there is sent, and nothing is paid for what is not.
			_, err := row.feed.Write(data[:1000])
			require.NoError(t, err)
			_, err = io.ReadFull(far, received[:1000])
			require.NoError(t, err)
			require.Equal(t, 511*kib, available(t, eng, "k writes")&^(kib-1))

			fed := inBackground(func() error {
				_, err := row.feed.Write(data[1000:])
				return errors.Join(err, row.feed.CloseWrite())
			})
			_, err = io.ReadFull(far, received[1000:])
			require.NoError(t, err)
			require.NoError(t, <-fed)
			require.NoError(t, <-copied)
			require.Equal(t, data, received)
			sent := int64(0)
			for _, h := range below.handed {
				_, ok := h.source.(syscall.Conn)
				require.True(t, ok, "%T", h.source)
				require.Equal(t, h.asked, h.sent)
				sent += h.sent
			}
			require.EqualValues(t, len(data), sent)
		})
	}
}

// TestALimitOnTheSourceIsHeeded: a limited connection that is copied from is read and not passed by.
func TestALimitOnTheSourceIsHeeded(t *testing.T) {
	sourceNear, sourceFar := tcp(t)
	near, far := tcp(t)
	below := &kernel{TCPConn: near}
	reads := startOnce(t, 64*kib)
	source := enginenet.Wrap(sourceNear, only(reads))
	c := enginenet.Wrap(below, only(start(t, 64*kib, 64)))
	_, err := sourceFar.Write(pattern(10 * kib))
	require.NoError(t, err)
	require.NoError(t, sourceFar.CloseWrite())
	n, err := io.Copy(c, source)
	require.NoError(t, err)
	require.EqualValues(t, 10*kib, n)
	require.Empty(t, below.handed)
	require.Less(t, available(t, reads, "k reads"), 55*kib)
	_, err = io.ReadFull(far, make([]byte, 10*kib))
	require.NoError(t, err)
}

func TestTheErrorOfTheSourceEndsASplice(t *testing.T) {
	near, _ := tcp(t)
	c := enginenet.Wrap(near, only(start(t, 64*kib, 64)))

	source, _ := tcp(t)
	require.NoError(t, source.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	_, err := c.ReadFrom(source)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)

	source, feed := tcp(t)
	require.NoError(t, feed.SetLinger(0))
	require.NoError(t, feed.Close())
	_, err = c.ReadFrom(source)
	require.ErrorIs(t, err, syscall.ECONNRESET)

	require.NoError(t, source.Close())
	_, err = c.ReadFrom(source)
	require.ErrorIs(t, err, net.ErrClosed)
}

// TestAFileThatDoesNotSayHowLongItIs is one whose size is 0 and that has contents.
func TestAFileThatDoesNotSayHowLongItIs(t *testing.T) {
	near, far := tcp(t)
	c := enginenet.Wrap(near, only(start(t, 64*kib, 64)))
	f, err := os.Open("/proc/self/cmdline")
	require.NoError(t, err)
	defer f.Close()
	want, err := os.ReadFile("/proc/self/cmdline")
	require.NoError(t, err)
	_, err = c.ReadFrom(f)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	got, err := io.ReadAll(far)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestDatagramsAreNotSpliced: they have bounds.
func TestDatagramsAreNotSpliced(t *testing.T) {
	near, far := tcp(t)
	below := &kernel{TCPConn: near}
	c := enginenet.Wrap(below, only(start(t, 64*kib, 64)))
	source, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer source.Close()
	feed, err := net.Dial("udp", source.LocalAddr().String())
	require.NoError(t, err)
	defer feed.Close()
	_, err = feed.Write(pattern(100))
	require.NoError(t, err)
	n, err := c.ReadFrom(io.LimitReader(source, 100))
	require.NoError(t, err)
	require.EqualValues(t, 100, n)
	_, err = io.ReadFull(far, make([]byte, 100))
	require.NoError(t, err)
	require.Empty(t, below.handed)
}
