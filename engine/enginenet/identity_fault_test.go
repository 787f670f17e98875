package enginenet_test

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine/enginenet"
)

// TestAKeyThatFailsClosesItsConnection, and its panic goes on in the call that asked for the key.
func TestAKeyThatFailsClosesItsConnection(t *testing.T) {
	for name, call := range map[string]func(c net.Conn) error{
		"read":     func(c net.Conn) error { _, err := c.Read(make([]byte, 64)); return err },
		"write":    func(c net.Conn) error { _, err := c.Write(make([]byte, 64)); return err },
		"readfrom": func(c net.Conn) error { _, err := c.(io.ReaderFrom).ReadFrom(bytes.NewReader(pattern(64))); return err },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				l := &enginenet.Listener{PerKey: start(t, kib, kib), Key: func(net.Addr) string {
					asked++
					time.Sleep(time.Second)
					panic("no key")
				}}
				below := newWire(newJournal(), bytes.NewReader(pattern(kib)))
				c := accept(t, l, below)[0]
				panicked := make(chan any, 1)
				go func() {
					defer func() { panicked <- recover() }()
					_ = call(c)
				}()
				synctest.Wait()
				require.ErrorIs(t, call2(name, c), net.ErrClosed) // the other direction, which waits meanwhile
				require.Equal(t, "no key", <-panicked)
				<-below.closed
				require.ErrorIs(t, call(c), net.ErrClosed)
				require.Equal(t, 1, asked)
				require.Zero(t, below.written.Len())
			})
		})
	}
}

// call2 is a call in the other direction than that of name.
func call2(name string, c net.Conn) error {
	var err error
	if name == "read" {
		_, err = c.Write(make([]byte, 64))
	} else {
		_, err = c.Read(make([]byte, 64))
	}
	return err
}

// TestAKeyThatEndsItsGoroutineClosesItsConnection, as t.FailNow would.
func TestAKeyThatEndsItsGoroutineClosesItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := newWire(newJournal(), nil)
		c := accept(t, &enginenet.Listener{PerKey: start(t, kib, kib), Key: func(net.Addr) string { runtime.Goexit(); return "" }}, below)[0]
		done := make(chan struct{})
		go func() { defer close(done); _, _ = c.Write(pattern(64)) }()
		<-done
		<-below.closed
		_, err := c.Write(pattern(64))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// broken is a wire whose RemoteAddr panics.
type broken struct{ *wire }

func (broken) RemoteAddr() net.Addr { panic("no address") }

// TestAPanicOfTheConnectionBelowGoesOnInTheCall, and not in a goroutine where it would end the
// process.
func TestAPanicOfTheConnectionBelowGoesOnInTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := newWire(newJournal(), nil)
		c := accept(t, &enginenet.Listener{}, broken{below})[0]
		require.PanicsWithValue(t, "no address", func() { _, _ = c.Write(pattern(64)) })
		<-below.closed
	})
}
