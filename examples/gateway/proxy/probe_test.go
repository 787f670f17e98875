package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// fallible is an upstream that fails until it is told to be well, and says how much it was sent.
type fallible struct {
	well atomic.Bool
	came chan struct{} // has one for each POST that comes while it is well
}

func (f *fallible) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.well.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.Method == http.MethodPost {
		f.came <- struct{}{}
	}
	n, _ := io.Copy(io.Discard, r.Body)
	fmt.Fprint(w, n)
}

// halfOpen starts a gateway whose breaker is about to let a probe through.
func halfOpen(t *bubble, more string) (*proxy.Server, *fallible) {
	t.Helper()
	f := &fallible{came: make(chan struct{}, 100)}
	s := serve(t, `"timeouts": {"stall": "5m"},`, route("/", upstream(t, f.ServeHTTP), `, "breaker": {"failures": 1, "recovery": "50ms"}`+more))
	require.Equal(t, http.StatusServiceUnavailable, get(t, client(t), s.URL()).status)
	require.NotEqual(t, breaker.Closed, s.Status()[0].Breaker)
	f.well.Store(true)
	settle(s.Status()[0].OpenFor)
	require.Zero(t, s.Status()[0].OpenFor)
	return s, f
}

// settle waits for a time of the bubble, and for the work that begins at the end of that time.
func settle(wait time.Duration) {
	time.Sleep(wait)
	synctest.Wait()
}

// slow begins an upload of size bytes, or a chunked one if size is negative, and sends the first
// bytes and no more.
func slow(t *bubble, s *proxy.Server, size int, first int) net.Conn {
	t.Helper()
	conn := dial(t, s)
	body := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, strings.Repeat("x", first))
	if size < 0 {
		body = fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", first, strings.Repeat("x", first))
	}
	go func() { // ends with the connection
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+body) // fails if the gateway does not want the rest
	}()
	synctest.Wait()
	return conn
}

// awaited is the time for which a probe may wait for a body that cannot be sent again.
const awaited = 100 * time.Millisecond

// A client that has not sent the whole body does not keep the breaker's probe: another request has
// the probe.
func TestSlowUploadsKeepNoProbe(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name        string
		size, first int
		wait        time.Duration // until the other request
	}{
		{"nothing", 100, 0, 0}, {"a part", 100, 50, 0}, {"chunks", -1, 5, 0}, {"more than is kept", 1 << 20, 0, awaited},
		{"all that is kept", 1 << 20, 64 << 10, awaited}, {"much more", 1 << 20, 1 << 19, awaited}, {"many chunks", -1, 1 << 19, awaited},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, more := range []string{"", `, "retry": {"base_delay": "1ms"}`} {
				inBubble(t, func(t *bubble) {
					s, _ := halfOpen(t, more)
					for range 3 {
						slow(t, s, row.size, row.first)
					}
					require.EqualValues(t, 4, s.Status()[0].Requests)
					settle(row.wait)
					require.Equal(t, http.StatusOK, get(t, client(t), s.URL()).status)
					require.Equal(t, breaker.Closed, s.Status()[0].Breaker)
					require.EqualValues(t, 1, s.Status()[0].Failed)
				})
			}
		})
	}
}

// An upload is as good a probe as any if nobody else comes, and if there is no hurry about it.
func TestUploadsAreProbes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		for _, size := range []int{100, 64 << 10, 1 << 20} {
			s, _ := halfOpen(t, "")
			conn := slow(t, s, size, size/2)
			settle(50 * time.Millisecond)
			_, err := io.WriteString(conn, strings.Repeat("x", size-size/2))
			require.NoError(t, err)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, fmt.Sprint(size), string(body))
			require.Equal(t, breaker.Closed, s.Status()[0].Breaker)
		}
	})
}

// An upload that has given the probe to another request goes on.
func TestUploadsGoOnWithoutTheProbe(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		s, f := halfOpen(t, "")
		conn := slow(t, s, 1<<20, 1<<19)
		receive(t, f.came)
		settle(awaited)
		require.Equal(t, http.StatusOK, get(t, client(t), s.URL()).status)
		_, err := io.WriteString(conn, strings.Repeat("x", 1<<19))
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, breaker.Closed, s.Status()[0].Breaker)
	})
}

// Bodies that are small are sent again, if the request may be.
func TestSmallBodiesAreSentAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if asked.Add(1)%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, n)
	})
	s := serve(t, "", route("/", up, `, "retry": {"base_delay": "1ms"}`))
	for _, row := range []struct {
		method string
		size   int
		header string
		again  bool
	}{
		{http.MethodPut, 1, "", true}, {http.MethodPut, 64 << 10, "", true}, {http.MethodPut, 64<<10 + 1, "", false}, {http.MethodPut, 1 << 20, "", false},
		{http.MethodPost, 1, "", false}, {http.MethodPost, 1, "Idempotency-Key", true},
	} {
		for _, chunked := range []bool{false, true} {
			asked.Store(0)
			var body io.Reader = strings.NewReader(strings.Repeat("x", row.size))
			if chunked {
				body = io.MultiReader(body)
			}
			req, err := http.NewRequestWithContext(t.Context(), row.method, s.URL(), body)
			require.NoError(t, err)
			req.Header.Set("Expect", "100-continue") // so that an early answer does not cost the connection
			if row.header != "" {
				req.Header.Set(row.header, "1")
			}
			r := send(t, client(t), req)
			require.Equal(t, row.again, r.status == http.StatusOK, "%v %v", row, chunked)
			require.Equal(t, fmt.Sprint(row.size), r.body)
		}
	}
}
