package enginenet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
)

// queue is a listener of connections that a test makes.
type queue struct {
	net.Listener // nil
	conns        chan net.Conn
}

var errNoMore = errors.New("no more connections")

func (q queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	default:
		return nil, errNoMore
	}
}

// accepted gives l a connection from below and has l accept it.
func accepted(t testing.TB, l *enginenet.Listener, below net.Conn) *enginenet.Conn {
	t.Helper()
	q := queue{conns: make(chan net.Conn, 1)}
	q.conns <- below
	l.Listener = q
	c, err := l.Accept()
	require.NoError(t, err)
	return c.(*enginenet.Conn)
}

// TestStatsOfConnections: accepted once, closed once, refused once; and sums that outlive connections.
func TestStatsOfConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &enginenet.Listener{PerKey: start(t, kib, kib)}
		require.Zero(t, l.Stats())
		first, second := accepted(t, l, newWire(newJournal(), endless{})), accepted(t, l, newWire(newJournal(), nil))
		_, err := l.Accept()
		require.Equal(t, errNoMore, err)
		require.Equal(t, enginenet.ListenerStats{Open: 2, Accepted: 2}, l.Stats())

		_, err = first.Write(make([]byte, kib+64))
		require.NoError(t, err)
		_, err = io.ReadFull(first, make([]byte, kib))
		require.NoError(t, err)
		done := inBackground(func() error { _, err := second.Write(make([]byte, kib)); return err })
		time.Sleep(31250 * time.Microsecond)
		for range 2 {
			require.NoError(t, second.Close())
		}
		require.ErrorIs(t, <-done, net.ErrClosed)
		want := enginenet.ListenerStats{
			Open: 1, Accepted: 2, BytesRead: kib, BytesWritten: kib + 64, WriteThrottled: (62500 + 31250) * time.Microsecond,
		}
		require.Equal(t, want, l.Stats())
		require.Equal(t, enginenet.ConnStats{WriteThrottled: 31250 * time.Microsecond}, second.Stats())
		require.Equal(t, enginenet.ConnStats{BytesRead: kib, BytesWritten: kib + 64, WriteThrottled: 62500 * time.Microsecond}, first.Stats())

		require.NoError(t, l.PerKey.Close(t.Context()))
		for range 2 {
			_, err = first.Write(make([]byte, 64))
			require.ErrorIs(t, err, engine.ErrClosed)
			_, err = first.Read(make([]byte, 64))
			require.ErrorIs(t, err, engine.ErrClosed)
		}
		_, err = second.Write(make([]byte, 64))
		require.ErrorIs(t, err, net.ErrClosed, "this is no refusal")
		require.NoError(t, first.Close())
		want.Open, want.Refused = 0, 1
		require.Equal(t, want, l.Stats())
	})
}

// TestAListenerThatCannotAccept counts nothing.
func TestAListenerThatCannotAccept(t *testing.T) {
	l := &enginenet.Listener{PerConn: startWith(t, engine.Config{Classify: func(error) engine.Outcome { return engine.Ignore }})}
	_, err := l.Accept()
	require.Error(t, err)
	require.Zero(t, l.Stats())
}

// TestAKeyThatPanicsClosesItsConnection once.
func TestAKeyThatPanicsClosesItsConnection(t *testing.T) {
	l := &enginenet.Listener{PerKey: start(t, kib, kib), Key: func(net.Addr) string { panic("fault") }}
	c := accepted(t, l, newWire(newJournal(), nil))
	require.Panics(t, func() { _, _ = c.Write(make([]byte, 64)) })
	require.Equal(t, enginenet.ListenerStats{Accepted: 1}, l.Stats())
	require.NoError(t, c.Close())
	require.Equal(t, enginenet.ListenerStats{Accepted: 1}, l.Stats())
}

// TestAListenerCountsEachOfManyCalls once, while connections come, go and are refused.
func TestAListenerCountsEachOfManyCalls(t *testing.T) {
	const conns, calls = 40, 50
	perConn, perKey := start(t, 1<<30, 1<<30), start(t, 1<<30, 1<<30)
	ended := startWith(t, engine.Config{Limiter: bucket(kib, kib)})
	require.NoError(t, ended.Close(context.Background()))
	l := &enginenet.Listener{PerConn: perConn, PerKey: perKey}
	refusing := &enginenet.Listener{PerKey: ended}
	var over atomic.Bool
	looking := inBackground(func() error {
		var last enginenet.ListenerStats
		for !over.Load() {
			now := l.Stats()
			if now.Open < 0 || now.Open > conns || now.BytesRead < last.BytesRead || now.BytesWritten < last.BytesWritten || now.Accepted < last.Accepted {
				return errors.New("impossible figures")
			}
			last = now
		}
		return nil
	})
	var running sync.WaitGroup
	for i := range conns {
		c := accepted(t, l, sink{newWire(nil, endless{})})
		r := accepted(t, refusing, sink{newWire(nil, endless{})})
		for _, use := range []func(){
			func() { _, _ = c.Write(make([]byte, 100+i)) },
			func() { _, _ = c.Write(make([]byte, 1)) },
			func() { _, _ = c.Read(make([]byte, 100)) },
		} {
			running.Go(func() {
				for range calls {
					use()
				}
			})
		}
		for range 2 {
			running.Go(func() {
				for range calls {
					_, _ = r.Write(make([]byte, 100))
					_, _ = r.Read(make([]byte, 100))
				}
				if i%2 == 0 {
					_ = r.Close()
				}
			})
		}
	}
	running.Wait()
	over.Store(true)
	require.NoError(t, <-looking)
	require.Equal(t, enginenet.ListenerStats{
		Open: conns, Accepted: conns, BytesRead: conns * calls * 100, BytesWritten: conns*calls*101 + calls*conns*(conns-1)/2,
	}, withoutTime(l.Stats()))
	require.Equal(t, enginenet.ListenerStats{Open: conns / 2, Accepted: conns, Refused: conns}, refusing.Stats())
}

// withoutTime returns s without the time of waits, since a bucket is new to its actor at first.
func withoutTime(s enginenet.ListenerStats) enginenet.ListenerStats {
	s.ReadThrottled, s.WriteThrottled = 0, 0
	return s
}
