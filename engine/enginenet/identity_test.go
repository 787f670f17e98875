package enginenet_test

import (
	"bytes"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine/enginenet"
)

// silent is a wire that tells its addresses only after header, as a connection of the PROXY
// protocol does. Close ends the wait, too.
type silent struct {
	*wire
	header chan struct{}
	spoken sync.Once
	asked  atomic.Int64
}

// newSilent is silent for an hour, so that a test that waits for it ends.
func newSilent(source io.Reader) *silent {
	s := &silent{wire: newWire(newJournal(), source), header: make(chan struct{})}
	time.AfterFunc(time.Hour, s.speak)
	return s
}

func (s *silent) speak() { s.spoken.Do(func() { close(s.header) }) }

func (s *silent) wait() {
	s.asked.Add(1)
	select {
	case <-s.header:
	case <-s.closed:
	}
}

func (s *silent) RemoteAddr() net.Addr { s.wait(); return s.wire.RemoteAddr() }
func (s *silent) LocalAddr() net.Addr  { s.wait(); return s.wire.LocalAddr() }

func (s *silent) Read(p []byte) (int, error) {
	s.wait()
	s.asked.Add(-1)
	return s.wire.Read(p)
}

// atHand is a listener whose connections are at hand.
type atHand chan net.Conn

func (h atHand) Accept() (net.Conn, error) {
	if c, ok := <-h; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (h atHand) Close() error { close(h); return nil }
func (atHand) Addr() net.Addr { return nil }

// accept has a listener like l, with both limits, accept conns.
func accept(t *testing.T, l *enginenet.Listener, conns ...net.Conn) []net.Conn {
	t.Helper()
	if l.PerConn == nil && l.PerKey == nil {
		l.PerConn, l.PerKey = start(t, kib, kib), start(t, 4*kib, 4*kib)
	}
	h := make(atHand, len(conns))
	l.Listener = h
	var accepted []net.Conn
	for _, c := range conns {
		h <- c
		a, err := l.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { _ = a.Close() })
		accepted = append(accepted, a)
	}
	return accepted
}

// TestASilentClientHoldsUpNobodyElse, neither in Accept nor after it.
func TestASilentClientHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		quiet, other := newSilent(nil), newWire(newJournal(), bytes.NewReader(pattern(kib)))
		conns := accept(t, &enginenet.Listener{}, quiet, other)
		require.Zero(t, quiet.asked.Load())
		_, err := conns[1].Write(pattern(kib))
		require.NoError(t, err)
		_, err = io.ReadFull(conns[1], make([]byte, kib))
		require.NoError(t, err)
		require.Zero(t, time.Since(begun))
	})
}

// TestDeadlinesAndCloseEndTheWaitForAnAddress of the connection below, for what is not limited by
// then.
func TestDeadlinesAndCloseEndTheWaitForAnAddress(t *testing.T) {
	for name, end := range map[string]func(c net.Conn) error{
		"deadline":       func(c net.Conn) error { return c.SetDeadline(time.Now().Add(time.Second)) },
		"write deadline": func(c net.Conn) error { return c.SetWriteDeadline(time.Now().Add(time.Second)) },
		"close":          func(c net.Conn) error { time.AfterFunc(time.Second, func() { _ = c.Close() }); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				quiet := newSilent(nil)
				c := accept(t, &enginenet.Listener{}, quiet)[0]
				require.NoError(t, end(c))
				n, err := c.Write(pattern(kib))
				require.Zero(t, n)
				require.Equal(t, time.Second, time.Since(begun))
				if name == "close" {
					require.ErrorIs(t, err, net.ErrClosed)
					return
				}
				requireTimeout(t, err)
				require.NoError(t, c.SetDeadline(time.Time{}))
				time.AfterFunc(time.Second, quiet.speak)
				_, err = c.Write(pattern(kib))
				require.NoError(t, err)
				require.Equal(t, 2*time.Second, time.Since(begun))
				require.Equal(t, pattern(kib), quiet.written.Bytes())
			})
		})
	}
}

// slow is a wire whose addresses take their time, and whose reads do not wait for them.
type slow struct{ *wire }

func (s slow) RemoteAddr() net.Addr { time.Sleep(3 * time.Second); return s.wire.RemoteAddr() }

// TestNoByteIsLostWhileAnAddressIsWaitedFor, nor delivered before it is paid for.
func TestNoByteIsLostWhileAnAddressIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := pattern(3 * kib)
		begun := time.Now()
		c := accept(t, &enginenet.Listener{}, slow{newWire(newJournal(), bytes.NewReader(data))})[0]
		require.NoError(t, c.SetReadDeadline(begun.Add(time.Second)))
		_, err := c.Read(make([]byte, 2*kib))
		requireTimeout(t, err)
		require.Equal(t, time.Second, time.Since(begun))
		require.NoError(t, c.SetReadDeadline(time.Time{}))
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, data, got)
		require.Equal(t, 5*time.Second, time.Since(begun)) // the address after 3 s, 1 KiB at once, and 2 KiB in 2 s
	})
}

// TestAConnectionIsNamedOnce, by the first of its calls, and never if none needs it.
func TestAConnectionIsNamedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var named atomic.Int64
		key := func(a net.Addr) string { named.Add(1); time.Sleep(time.Second); return enginenet.ByIP(a) }
		per := start(t, 64*kib, 64*kib)
		below := newSilent(bytes.NewReader(pattern(kib)))
		below.speak()
		conns := accept(t, &enginenet.Listener{PerKey: per, Key: key}, below, newSilent(nil))
		c := conns[0]
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Hour)))
		require.Zero(t, named.Load())
		var calls sync.WaitGroup
		for range 3 {
			calls.Go(func() { _, err := c.Write(pattern(64)); requireNil(t, err) })
			calls.Go(func() { _, err := c.Read(make([]byte, 64)); requireNil(t, err) })
		}
		calls.Wait()
		require.EqualValues(t, 1, named.Load())
		require.EqualValues(t, 2, below.asked.Load())
		require.ElementsMatch(t, []string{"192.0.2.7 reads", "192.0.2.7 writes"}, slices.Collect(per.Keys()))
	})
}

// requireNil is for other goroutines than the test's.
func requireNil(t *testing.T, err error) {
	if err != nil {
		t.Error(err)
	}
}

// TestTheErrorOfAWaitDoesNotAskForAnAddress that is not there.
func TestTheErrorOfAWaitDoesNotAskForAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		quiet := newSilent(nil)
		c := enginenet.Wrap(quiet, only(start(t, kib, 64)))
		require.NoError(t, c.SetWriteDeadline(begun.Add(time.Second)))
		n, err := c.Write(pattern(2 * kib))
		require.GreaterOrEqual(t, n, kib)
		requireTimeout(t, err)
		require.EqualError(t, err, "write: i/o timeout")
		require.Equal(t, time.Second, time.Since(begun))
		require.Zero(t, quiet.asked.Load())
	})
}
