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
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// connections are those that a client has made.
type connections struct{ dialed, open atomic.Int64 }

// countConnections returns a Base whose connections are counted, with at most idle of them in its
// pool. The connections lead, in memory, to a server with this handler. Call countConnections in a
// bubble: package http gives up a connection if the machine is busy for 50 ms, and a bubble never is.
func countConnections(t *testing.T, idle int, handle http.HandlerFunc) (*http.Transport, *connections) {
	c := &connections{}
	base := pipeTransport(t, false, handle)
	base.MaxIdleConnsPerHost = idle
	dial := base.DialContext
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c.dialed.Add(1)
		c.open.Add(1)
		return &countedConn{Conn: conn, of: c}, nil
	}
	t.Cleanup(func() {
		base.CloseIdleConnections()
		synctest.Wait()
		require.Zero(t, c.open.Load())
	})
	return base, c
}

type countedConn struct {
	net.Conn
	of   *connections
	once sync.Once
}

func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.of.open.Add(-1) })
	return err
}

// answers are the answers of a server, in turn. A client sees the last one; it discards the others.
var answers = []http.HandlerFunc{
	func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusServiceUnavailable) },
	func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
	func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, strings.Repeat("x", 100<<10))
	},
	func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, // closes the connection
	func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "short")
	},
	func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK) },
}

// TestConnectionsDoNotLeak, whatever the answers that are discarded on the way.
func TestConnectionsDoNotLeak(t *testing.T) {
	const idle, workers, each = 4, 10, 20
	for _, timeout := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			var served atomic.Int64
			base, conns := countConnections(t, idle, func(w http.ResponseWriter, r *http.Request) {
				answers[served.Add(1)%int64(len(answers))](w, r)
			})
			audit := &auditBase{RoundTripper: base}
			client := &http.Client{Transport: &enginehttp.Transport{
				Engine: transportEngine(t, engine.Config{Retry: thrice}), Base: audit, AttemptTimeout: timeout,
			}}
			var requests sync.WaitGroup
			for range workers {
				requests.Go(func() {
					for range each {
						req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://h/", strings.NewReader("body"))
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
			require.Greater(t, served.Load(), int64(workers*each*3/2), "there were retries")
			synctest.Wait() // a transport closes connections in the background
			require.LessOrEqual(t, conns.open.Load(), int64(idle))
			require.Equal(t, audit.opened.Load(), audit.closed.Load())
		})
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
				synctest.Test(t, func(t *testing.T) {
					var served atomic.Int64
					base, conns := countConnections(t, 1, func(w http.ResponseWriter, _ *http.Request) {
						if served.Add(1)%2 == 0 {
							respond(w, http.StatusOK)
							return
						}
						if !c.chunked {
							w.Header().Set("Content-Length", strconv.Itoa(c.length))
						}
						w.WriteHeader(http.StatusServiceUnavailable)
						_, _ = io.WriteString(w, strings.Repeat("x", c.length))
					})
					client := &http.Client{Transport: &enginehttp.Transport{
						Engine: transportEngine(t, engine.Config{Retry: thrice}), Base: base, AttemptTimeout: timeout,
					}}
					const calls = 20
					for range calls {
						resp, err := client.Get("http://h/")
						require.NoError(t, err)
						require.Equal(t, "answer 200", readAll(t, resp))
					}
					require.EqualValues(t, 2*calls, served.Load())
					want := 1
					if !c.again {
						want += calls // one for each body that was not read to its end
					}
					require.EqualValues(t, want, conns.dialed.Load())
				})
			})
		}
	}
}

// TestTheOnlyConnectionIsFreeForTheNextAttempt: the response before it must not hold it.
func TestTheOnlyConnectionIsFreeForTheNextAttempt(t *testing.T) {
	for _, length := range []int{10, 100 << 10} {
		synctest.Test(t, func(t *testing.T) {
			var served atomic.Int64
			base, _ := countConnections(t, 1, func(w http.ResponseWriter, _ *http.Request) {
				if served.Add(1) < 3 {
					w.WriteHeader(http.StatusServiceUnavailable)
					_, _ = io.WriteString(w, strings.Repeat("x", length))
					return
				}
				respond(w, http.StatusOK)
			})
			base.MaxConnsPerHost = 1
			client := &http.Client{Transport: &enginehttp.Transport{Engine: transportEngine(t, engine.Config{Retry: thrice}), Base: base}}
			resp, err := client.Get("http://h/")
			require.NoError(t, err)
			require.Equal(t, "answer 200", readAll(t, resp))
		})
	}
}

func TestIdleConnectionsAreClosedThroughTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, conns := countConnections(t, 1, func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK) })
		client := &http.Client{Transport: &enginehttp.Transport{Engine: transportEngine(t, engine.Config{}), Base: base}}
		resp, err := client.Get("http://h/")
		require.NoError(t, err)
		readAll(t, resp)
		synctest.Wait()
		require.EqualValues(t, 1, conns.open.Load())
		client.CloseIdleConnections()
		synctest.Wait()
		require.Zero(t, conns.open.Load())
	})
	(&enginehttp.Transport{Base: transportFunc(nil)}).CloseIdleConnections() // of a Base that has none
}
