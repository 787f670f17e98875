package enginehttp_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// connections are those that a client has made.
type connections struct {
	dialed, open atomic.Int64
	closed       chan struct{} // something has been closed since it was last received from
}

// countConnections returns a Base whose connections are counted, with at most idle of them in its pool.
func countConnections(t *testing.T, idle int) (*http.Transport, *connections) {
	c := &connections{closed: make(chan struct{}, 1)}
	base := &http.Transport{
		MaxIdleConnsPerHost: idle,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			c.dialed.Add(1)
			c.open.Add(1)
			return &countedConn{Conn: conn, of: c}, nil
		},
	}
	t.Cleanup(func() {
		base.CloseIdleConnections()
		c.await(t, 0)
	})
	return base, c
}

// await returns when no more than most connections are open; a transport closes them in the background.
func (c *connections) await(t *testing.T, most int64) {
	t.Helper()
	limit := time.After(5 * time.Second)
	for c.open.Load() > most {
		select {
		case <-c.closed:
		case <-limit:
			t.Errorf("%d connections are open, want at most %d", c.open.Load(), most)
			return
		}
	}
}

type countedConn struct {
	net.Conn
	of   *connections
	once sync.Once
}

func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.of.open.Add(-1)
		select {
		case c.of.closed <- struct{}{}:
		default:
		}
	})
	return err
}

// TestConnectionsDoNotLeak, whatever the answers that are discarded on the way.
func TestConnectionsDoNotLeak(t *testing.T) {
	const idle, workers, each = 4, 10, 20
	long := strings.Repeat("x", 100<<10)
	u := startUpstream(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
		switch n % 6 {
		case 0:
			respond(w, http.StatusServiceUnavailable)
		case 1:
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, long)
		case 3:
			panic(http.ErrAbortHandler) // closes the connection
		case 4:
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "short")
		default:
			respond(w, http.StatusOK)
		}
	})
	for _, timeout := range []time.Duration{0, time.Minute} {
		base, conns := countConnections(t, idle)
		audit := &auditBase{RoundTripper: base}
		client := &http.Client{Transport: &enginehttp.Transport{
			Engine: transportEngine(t, engine.Config{Retry: thrice}), Base: audit, AttemptTimeout: timeout,
		}}
		before := u.requests.Load()
		var requests sync.WaitGroup
		for range workers {
			requests.Go(func() {
				for range each {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, u.URL, strings.NewReader("body"))
					if err != nil {
						t.Error(err)
						return
					}
					if resp, err := client.Do(req); err == nil {
						_, _ = io.Copy(io.Discard, resp.Body)
						_ = resp.Body.Close()
					}
				}
			})
		}
		requests.Wait()
		require.Greater(t, u.requests.Load()-before, int64(workers*each*3/2), "there were retries")
		conns.await(t, idle)
		require.Equal(t, audit.opened.Load(), audit.closed.Load())
	}
}

// TestAConnectionIsUsedAgain if the end of the body that is discarded is near, and else given up.
func TestAConnectionIsUsedAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		length  int
		chunked bool
		again   bool
	}{
		{"empty", 0, false, true}, {"4 KiB", 4 << 10, false, true}, {"more", 4<<10 + 1, false, false},
		{"4 KiB in chunks", 4 << 10, true, true}, {"more in chunks", 5 << 10, true, false},
	} {
		for _, timeout := range []time.Duration{0, time.Minute} {
			t.Run(c.name+"/"+timeout.String(), func(t *testing.T) {
				body := strings.Repeat("x", c.length)
				u := startUpstream(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
					if n%2 == 0 {
						respond(w, http.StatusOK)
						return
					}
					if !c.chunked {
						w.Header().Set("Content-Length", strconv.Itoa(c.length))
					}
					w.WriteHeader(http.StatusServiceUnavailable)
					_, _ = io.WriteString(w, body)
				})
				base, conns := countConnections(t, 1)
				client := &http.Client{Transport: &enginehttp.Transport{
					Engine: transportEngine(t, engine.Config{Retry: thrice}), Base: base, AttemptTimeout: timeout,
				}}
				const calls = 20
				for range calls {
					resp, err := client.Get(u.URL)
					require.NoError(t, err)
					require.Equal(t, "answer 200", readAll(t, resp))
				}
				require.EqualValues(t, 2*calls, u.requests.Load())
				// One connection does for all, but package http also gives one up if the machine is busy for 50 ms.
				require.Equal(t, c.again, conns.dialed.Load() <= calls, "%d connections for %d calls", conns.dialed.Load(), calls)
			})
		}
	}
}

// TestTheOnlyConnectionIsFreeForTheNextAttempt: the response before it must not hold it.
func TestTheOnlyConnectionIsFreeForTheNextAttempt(t *testing.T) {
	for _, length := range []int{10, 100 << 10} {
		u := startUpstream(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
			if n < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, strings.Repeat("x", length))
				return
			}
			respond(w, http.StatusOK)
		})
		base, _ := countConnections(t, 1)
		base.MaxConnsPerHost = 1
		client := &http.Client{Transport: &enginehttp.Transport{Engine: transportEngine(t, engine.Config{Retry: thrice}), Base: base}}
		resp, err := client.Get(u.URL)
		require.NoError(t, err)
		require.Equal(t, "answer 200", readAll(t, resp))
	}
}

func TestIdleConnectionsAreClosedThroughTheClient(t *testing.T) {
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK) })
	base, conns := countConnections(t, 1)
	client := &http.Client{Transport: &enginehttp.Transport{Engine: transportEngine(t, engine.Config{}), Base: base}}
	resp, err := client.Get(u.URL)
	require.NoError(t, err)
	readAll(t, resp)
	require.EqualValues(t, 1, conns.open.Load())
	client.CloseIdleConnections()
	conns.await(t, 0)

	(&enginehttp.Transport{Base: transportFunc(nil)}).CloseIdleConnections() // of a Base that has none
}
