package enginenet_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
)

// listen gives l a listener on loopback.
func listen(t testing.TB, l *enginenet.Listener) *enginenet.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.Listener = ln
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// connect makes a connection to l.
func connect(t testing.TB, l net.Listener) (server, client net.Conn) {
	t.Helper()
	client, err := net.Dial(l.Addr().Network(), l.Addr().String())
	require.NoError(t, err)
	server, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return server, client
}

// within sets a deadline for c. A deadline of milliseconds is the subject of its test. A deadline of
// a minute only ends a test that hangs.
func within(t testing.TB, c net.Conn, d time.Duration) {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(d)))
}

func TestEachConnectionHasBucketsOfItsOwn(t *testing.T) {
	eng := startOnce(t, 4*kib)
	l := listen(t, &enginenet.Listener{PerConn: eng})
	for range 3 {
		server, client := connect(t, l)
		within(t, server, time.Minute)
		_, err := server.Write(make([]byte, 4*kib))
		require.NoError(t, err)
		_, err = io.ReadFull(client, make([]byte, 4*kib))
		require.NoError(t, err)
	}
	require.Equal(t, 3, eng.Stats().Keys)
	for key := range eng.Keys() {
		require.Regexp(t, `^127\.0\.0\.1:\d+>127\.0\.0\.1:\d+#[123] writes$`, key)
	}
}

// TestConnectionsWithoutAnAddressAreToldApart, as the peers of a Unix socket.
func TestConnectionsWithoutAnAddressAreToldApart(t *testing.T) {
	eng := startOnce(t, kib)
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	l := &enginenet.Listener{Listener: ln, PerConn: eng}
	defer l.Close()
	for range 3 {
		server, _ := connect(t, l)
		within(t, server, time.Minute)
		_, err := server.Write(make([]byte, kib))
		require.NoError(t, err)
	}
	require.Equal(t, 3, eng.Stats().Keys)
}

func TestConnectionsOfAKeyShareABucket(t *testing.T) {
	eng := startOnce(t, 4*kib)
	l := listen(t, &enginenet.Listener{PerKey: eng})
	for range 4 {
		server, _ := connect(t, l)
		within(t, server, time.Minute)
		_, err := server.Write(make([]byte, kib))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"127.0.0.1 writes"}, slices.Collect(eng.Keys()))
	require.Zero(t, available(t, eng, "127.0.0.1 writes"))
	server, _ := connect(t, l)
	within(t, server, 10*time.Millisecond)
	_, err := server.Write(make([]byte, kib))
	requireTimeout(t, err)
}

func TestAListenerLimitsByAnyKey(t *testing.T) {
	eng := start(t, 4*kib, 64)
	l := listen(t, &enginenet.Listener{PerKey: eng, PerConn: start(t, kib, 1<<30), Direction: enginenet.Reads,
		Key: func(a net.Addr) string { return a.Network() }})
	server, client := connect(t, l)
	_, err := client.Write(make([]byte, kib))
	require.NoError(t, err)
	_, err = io.ReadFull(server, make([]byte, kib))
	require.NoError(t, err)
	_, err = server.Write(make([]byte, 64*kib)) // not limited
	require.NoError(t, err)
	require.Equal(t, []string{"tcp reads"}, slices.Collect(eng.Keys()))
}

// TestListenersNest, so that each direction has a rate of its own.
func TestListenersNest(t *testing.T) {
	uploads, downloads := startOnce(t, kib), startOnce(t, 4*kib)
	inner := listen(t, &enginenet.Listener{PerKey: uploads, Direction: enginenet.Reads})
	server, client := connect(t, &enginenet.Listener{Listener: inner, PerKey: downloads, Direction: enginenet.Writes})
	within(t, server, time.Minute)
	_, err := server.Write(make([]byte, 4*kib))
	require.NoError(t, err)
	_, err = client.Write(make([]byte, kib))
	require.NoError(t, err)
	_, err = io.ReadFull(server, make([]byte, kib))
	require.NoError(t, err)
	require.Less(t, available(t, downloads, "127.0.0.1 writes"), 2*kib)
	require.Less(t, available(t, uploads, "127.0.0.1 reads"), kib)
	require.Equal(t, 2, uploads.Stats().Keys+downloads.Stats().Keys)
}

func TestAListenerWithoutEnginesPassesEverythingOn(t *testing.T) {
	l := listen(t, &enginenet.Listener{})
	server, client := connect(t, l)
	_, err := server.Write(make([]byte, 64*kib))
	require.NoError(t, err)
	_, err = io.ReadFull(client, make([]byte, 64*kib))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

// TestAThousandIdleConnectionsHaveNoGoroutine: neither of their own nor of the engine.
func TestAThousandIdleConnectionsHaveNoGoroutine(t *testing.T) {
	perConn := startWith(t, engine.Config{Limiter: bucket(64*kib, 1<<20), IdleAfter: time.Second, MaxKeys: 4000})
	perKey := start(t, 16<<20, 64<<20)
	l := listen(t, &enginenet.Listener{PerConn: perConn, PerKey: perKey})
	before := runtime.NumGoroutine()
	buf := make([]byte, kib)
	for range 1000 {
		server, client := connect(t, l)
		for _, c := range [][2]net.Conn{{client, server}, {server, client}} {
			_, err := c[0].Write(buf)
			require.NoError(t, err)
			_, err = io.ReadFull(c[1], buf)
			require.NoError(t, err)
		}
	}
	require.Zero(t, perConn.Stats().Actors)
	require.Zero(t, perKey.Stats().Actors)
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
	require.Equal(t, 2, perKey.Stats().Keys)
}

// TestTheGoroutineOfAWaitEndsWithIt, at once or after a quarter of IdleAfter, and the key is forgotten after IdleAfter.
func TestTheGoroutineOfAWaitEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := startWith(t, engine.Config{Limiter: bucket(kib, kib), IdleAfter: 4 * time.Second})
		c := enginenet.Wrap(newWire(newJournal(), nil), only(eng))
		_, err := c.Write(make([]byte, 2*kib))
		require.NoError(t, err)
		time.Sleep(time.Second) // of the bubble
		synctest.Wait()
		require.Zero(t, eng.Stats().Actors)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Zero(t, eng.Stats().Keys)
	})
}

// closedListener has an error for Accept.
type closedListener struct {
	net.Listener
	err error
}

func (l closedListener) Accept() (net.Conn, error) { return nil, l.err }

func TestTheErrorOfAcceptIsPassedOn(t *testing.T) {
	broken := errors.New("broken")
	_, err := (&enginenet.Listener{Listener: closedListener{err: broken}}).Accept()
	require.Equal(t, broken, err)
}
