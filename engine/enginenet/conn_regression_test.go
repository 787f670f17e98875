package enginenet_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/bits"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/limiter"
)

// Each of these is a fault of connections that are limited by hand, with a rate.Limiter or a token bucket and a sleep.

// TestAWriteBeyondTheBurstIsNoError: WaitN refuses more than the burst.
func TestAWriteBeyondTheBurstIsNoError(t *testing.T) {
	near, far := tcp(t)
	c := enginenet.Wrap(near, only(start(t, 4*kib, 10<<20)))
	all := receive(far)
	n, err := c.Write(pattern(100 * kib))
	require.NoError(t, err)
	require.Equal(t, 100*kib, n)
	require.NoError(t, c.Close())
	require.Equal(t, pattern(100*kib), <-all)
}

// TestABigReadDoesNotExceedTheBurst: those that charge after a read let all of it through first.
func TestABigReadDoesNotExceedTheBurst(t *testing.T) {
	near, far := tcp(t)
	c := enginenet.Wrap(near, only(startOnce(t, 4*kib)))
	_, err := far.Write(pattern(64 * kib))
	require.NoError(t, err)
	got := make([]byte, 64*kib)
	n, err := io.ReadAtLeast(c, got, 4*kib)
	require.NoError(t, err)
	require.Equal(t, 4*kib, n)
	require.Equal(t, pattern(n), got[:n])
	within(t, c, 10*time.Millisecond)
	n, err = c.Read(got)
	requireTimeout(t, err)
	require.Zero(t, n)
}

// TestABurstOfAnySizeBesideAnother: the bytes of a large capacity may be more than an int holds,
// above all with 32 bits.
func TestABurstOfAnySizeBesideAnother(t *testing.T) {
	deep := func(capacity int) *engine.Engine {
		return startWith(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: capacity, RefillRate: limiter.PerSecond(1e9)}})
	}
	data := pattern(1000)
	for shift := range min(bits.UintSize-1, 61) { // an engine takes no more
		for _, capacity := range []int{1 << shift, 1<<shift + 1, 1<<shift - 1 + 1<<shift} {
			near, far := net.Pipe()
			all := receive(far)
			c := enginenet.Wrap(near, only(deep(capacity)), only(start(t, 64*kib, 64<<20)))
			n, err := c.Write(data)
			require.NoError(t, err, capacity)
			require.Equal(t, len(data), n, capacity)
			require.NoError(t, c.Close())
			require.Equal(t, data, <-all, capacity)
		}
	}
}

// TestAnIdleReaderHoldsNoBytes: those that charge before a read pay for what never comes.
func TestAnIdleReaderHoldsNoBytes(t *testing.T) {
	near, _ := tcp(t)
	eng := start(t, 4*kib, 64)
	c := enginenet.Wrap(near, only(eng))
	within(t, c, 10*time.Millisecond)
	_, err := c.Read(make([]byte, 64*kib))
	requireTimeout(t, err)
	require.Zero(t, eng.Stats().Keys)
}

// TestALargeBufferDoesNotStall: those that wait for the whole of the next buffer send the first one whole, then nothing for a minute, then
// the second one whole.
func TestALargeBufferDoesNotStall(t *testing.T) {
	for name, pass := range map[string]func(c *enginenet.Conn, w *wire) []passage{
		"write": func(c *enginenet.Conn, w *wire) []passage {
			_, err := c.Write(pattern(128 * kib))
			require.NoError(t, err)
			return w.journal.passages
		},
		"read": func(c *enginenet.Conn, _ *wire) []passage {
			j, buf := newJournal(), make([]byte, 64*kib)
			for n, err := c.Read(buf); err != io.EOF; n, err = c.Read(buf) {
				require.NoError(t, err)
				j.note(n)
			}
			return j.passages
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire(newJournal(), bytes.NewReader(pattern(128*kib)))
				passages := pass(enginenet.Wrap(w, only(start(t, 64*kib, 4*kib))), w)
				require.Equal(t, passage{0, 64 * kib}, passages[0]) // the burst
				last := passages[0].at
				for _, p := range passages {
					require.LessOrEqual(t, p.at-last, 50*time.Millisecond)
					last = p.at
				}
				require.Equal(t, 16*time.Second, last.Round(time.Second))
			})
		})
	}
}

// TestDeadlinesAndCloseAreHeededOnARealConnection: those that sleep finish their sleep first, and
// here the sleep is an hour.
func TestDeadlinesAndCloseAreHeededOnARealConnection(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, c *enginenet.Conn, calls [2]<-chan error){
		"deadline": func(t *testing.T, c *enginenet.Conn, calls [2]<-chan error) {
			within(t, c, 10*time.Millisecond)
			requireTimeout(t, <-calls[0])
			requireTimeout(t, <-calls[1])
		},
		"close": func(t *testing.T, c *enginenet.Conn, calls [2]<-chan error) {
			require.NoError(t, c.Close())
			require.ErrorIs(t, <-calls[0], net.ErrClosed)
			require.ErrorIs(t, <-calls[1], net.ErrClosed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := tcp(t)
			c := enginenet.Wrap(near, only(startOnce(t, kib)))
			_, err := far.Write(pattern(4 * kib))
			require.NoError(t, err)
			_, err = io.ReadFull(c, make([]byte, kib))
			require.NoError(t, err)
			var written int
			calls := [2]<-chan error{
				inBackground(func() (err error) { written, err = c.Write(make([]byte, 2*kib)); return err }),
				inBackground(func() error { _, err := c.Read(make([]byte, 2*kib)); return err }),
			}
			_, err = io.ReadFull(far, make([]byte, kib)) // then the write waits
			require.NoError(t, err)
			end(t, c, calls)
			require.Equal(t, kib, written)
		})
	}
}

// TestHTTP2StaysBelowTLS: a server offers it only on a connection that is a *tls.Conn.
func TestHTTP2StaysBelowTLS(t *testing.T) {
	body := pattern(100 * kib)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(w, r.Body)
		if err != nil {
			t.Error(err)
		}
	}))
	eng := start(t, 64*kib, 10<<20)
	inner := server.Listener
	server.Listener = &enginenet.Listener{Listener: inner, PerConn: eng} // and a tls.NewListener around it
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	answer, err := server.Client().Post(server.URL, "application/octet-stream", bytes.NewReader(body))
	require.NoError(t, err)
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, body, got)
	require.Equal(t, "HTTP/2.0", answer.Proto)
	require.Equal(t, uint16(tls.VersionTLS13), answer.TLS.Version)
	require.Equal(t, 2, eng.Stats().Keys) // its reads and its writes
}

// TestAnHTTPServerLosesNoByteToItsOwnDeadlines: to see that the client has gone, it reads one byte while a handler runs, and moves the
// deadline into the past when the handler is done. With pipelining that byte is the next request's first.
func TestAnHTTPServerLosesNoByteToItsOwnDeadlines(t *testing.T) {
	const requests = 20
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })}
	eng := start(t, 64, 64*kib) // so that every read waits
	serving := inBackground(func() error {
		return server.Serve(&enginenet.Listener{Listener: ln, PerConn: eng, Direction: enginenet.Reads})
	})
	client, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	within(t, client, time.Minute)
	var wire []byte
	for i := range requests {
		filler := strings.Repeat("x", rand.Intn(100))
		wire = fmt.Appendf(wire, "GET /%c HTTP/1.1\r\nHost: x\r\nX-Filler: %s\r\n", 'a'+i, filler)
		if i == requests-1 {
			wire = append(wire, "Connection: close\r\n"...)
		}
		wire = append(wire, "\r\n"...)
	}
	_, err = client.Write(wire)
	require.NoError(t, err)
	answers, err := io.ReadAll(client)
	require.NoError(t, err)
	for i := range requests {
		require.Contains(t, string(answers), "\r\n\r\n/"+string(rune('a'+i)))
	}
	require.NoError(t, client.Close())
	require.NoError(t, server.Shutdown(t.Context()))
	require.ErrorIs(t, <-serving, http.ErrServerClosed)
}

// TestSendfileIsKept: a connection that only embeds another has no ReadFrom, so that io.Copy reads and writes.
func TestSendfileIsKept(t *testing.T) {
	near, far := tcp(t)
	below := &kernel{TCPConn: near}
	all := receive(far)
	c := enginenet.Wrap(below, only(start(t, 64*kib, 64)))
	_, err := io.Copy(c, fileOf(t, pattern(kib)))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Equal(t, pattern(kib), <-all)
	require.Len(t, below.handed, 1)
	_, ok := below.handed[0].source.(interface{ Stat() (os.FileInfo, error) })
	require.True(t, ok)
}
