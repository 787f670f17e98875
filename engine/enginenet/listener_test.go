package enginenet_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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

// within is the context of a test that is about a wait which must not take long, as a deadline for c.
func within(t testing.TB, c net.Conn, d time.Duration) {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(d)))
}

func TestEachConnectionHasBucketsOfItsOwn(t *testing.T) {
	eng := start(t, 4*kib, kib)
	l := listen(t, &enginenet.Listener{PerConn: eng})
	for range 3 {
		server, client := connect(t, l)
		within(t, server, 10*time.Second)
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
	eng := start(t, kib, 64)
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	l := &enginenet.Listener{Listener: ln, PerConn: eng}
	defer l.Close()
	for range 3 {
		server, _ := connect(t, l)
		within(t, server, 10*time.Second)
		_, err := server.Write(make([]byte, kib))
		require.NoError(t, err)
	}
	require.Equal(t, 3, eng.Stats().Keys)
}

func TestConnectionsOfAKeyShareABucket(t *testing.T) {
	eng := start(t, 4*kib, 64)
	l := listen(t, &enginenet.Listener{PerKey: eng})
	for range 4 {
		server, _ := connect(t, l)
		within(t, server, 10*time.Second)
		_, err := server.Write(make([]byte, kib))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"127.0.0.1 writes"}, slices.Collect(eng.Keys()))
	require.Less(t, available(t, eng, "127.0.0.1 writes"), kib)
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
	uploads, downloads := start(t, kib, 64), start(t, 4*kib, 64)
	inner := listen(t, &enginenet.Listener{PerKey: uploads, Direction: enginenet.Reads})
	server, client := connect(t, &enginenet.Listener{Listener: inner, PerKey: downloads, Direction: enginenet.Writes})
	within(t, server, 10*time.Second)
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

// text is an address of a kind of its own.
type text string

func (text) Network() string  { return "own" }
func (a text) String() string { return string(a) }

func TestByIP(t *testing.T) {
	for _, row := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, "192.0.2.1"},
		{&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 443}, "192.0.2.1"},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8:1:2:3:4:5:6"), Port: 443}, "2001:db8:1:2::/64"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 443}, "fe80::/64"},
		{&net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53}, "192.0.2.1"},
		{&net.IPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}, "fe80::/64"},
		{text("[::ffff:192.0.2.1]:80"), "192.0.2.1"},
		{text("[fe80::1%eth0]:80"), "fe80::/64"},
		{text("192.0.2.1"), "192.0.2.1"},
		{text("somewhere"), "somewhere"},
		{&net.UnixAddr{Name: "/run/x.sock", Net: "unix"}, "/run/x.sock"},
		{&net.TCPAddr{}, "invalid IP"},
		{nil, ""},
	} {
		require.Equal(t, row.want, enginenet.ByIP(row.addr), "%v", row.addr)
	}
}

// FuzzByIP: the key is the same for every port and zone, and parsing never fails.
func FuzzByIP(f *testing.F) {
	for _, seed := range []string{"192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "fe80::1%eth0", "x", "", "1.2.3", "::1%", "[::1]:80"} {
		f.Add(seed, uint16(80))
	}
	f.Fuzz(func(t *testing.T, host string, port uint16) {
		key := enginenet.ByIP(text(host))
		ip := net.ParseIP(host)
		if ip == nil {
			return
		}
		if with := net.JoinHostPort(host, "80"); enginenet.ByIP(text(with)) != key {
			t.Errorf("%q: %q, but %q for %q", host, key, enginenet.ByIP(text(with)), with)
		}
		if tcp := enginenet.ByIP(&net.TCPAddr{IP: ip, Port: int(port), Zone: "z"}); tcp != key {
			t.Errorf("%q: %q, but %q as a TCPAddr", host, key, tcp)
		}
		if strings.Contains(key, "%") || ip.To4() != nil != (net.ParseIP(key) != nil) {
			t.Errorf("%q: %q", host, key)
		}
		if _, block, err := net.ParseCIDR(key); ip.To4() == nil && (err != nil || !block.Contains(ip)) {
			t.Errorf("%q: %q", host, key)
		}
	})
}

// closedListener has an error for Accept.
type closedListener struct {
	net.Listener
	err error
}

func (l closedListener) Accept() (net.Conn, error) { return nil, l.err }

func TestAPanicOfKeyClosesTheConnection(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, inner.Close()) }()
	l := &enginenet.Listener{Listener: inner, PerKey: start(t, 1<<20, 1<<20), Key: func(net.Addr) string { panic("no key") }}
	conn, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	require.PanicsWithValue(t, "no key", func() { _, _ = l.Accept() })
	within(t, conn, 10*time.Second)
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestTheErrorOfAcceptIsPassedOn(t *testing.T) {
	broken := errors.New("broken")
	_, err := (&enginenet.Listener{Listener: closedListener{err: broken}}).Accept()
	require.Equal(t, broken, err)
}
