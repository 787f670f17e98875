package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// halfClosed sends text, closes that direction, and returns everything that is answered.
func halfClosed(t testing.TB, s *proxy.Server, text string) string {
	t.Helper()
	conn := dial(t, s)
	go func() { // ends with the connection
		_, _ = io.WriteString(conn, text) // fails if the gateway does not want the rest
		_ = conn.CloseWrite()
	}()
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(answer)
}

// A client that closes its direction after the request still reads, and gets the answer of the
// upstream.
func TestHalfClosedClientIsAnswered(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			time.Sleep(time.Millisecond) // of the bubble: the gateway has noticed the half-close before the answer comes
			fmt.Fprintf(w, "%s %s %s %v", r.Method, r.URL.Path, body, err)
		})
		all := `, "limiter": {"rate": "100/s"}, "breaker": {"failures": 1}, "retry": {}`
		for _, stages := range []string{"", all, all + `, "max_connections": 1`} {
			s := serve(t, "", route("/", up, stages))
			for request, want := range map[string]string{
				"GET /a HTTP/1.1\r\nHost: x\r\n\r\n":                                                              "GET /a  <nil>",
				"GET /a HTTP/1.0\r\n\r\n":                                                                         "GET /a  <nil>",
				"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":                                         "GET /a  <nil>",
				"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc":                                     "POST /a abc <nil>",
				"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":           "PUT /a abc <nil>",
				"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc":             "POST /a abc <nil>",
				"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n":                            "GET /b  <nil>",
				"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" + "GET /b HTTP/1.0\r\nHost: x\r\n\r\n": "GET /b  <nil>",
			} {
				answer := halfClosed(t, s, request)
				require.Equal(t, strings.Count(request, " HTTP/1."), strings.Count(answer, " 200 OK\r\n"), "%q: %q", request, answer)
				require.Contains(t, answer, want, "%q", request)
			}
			status := s.Status()[0]
			require.Zero(t, status.Failed+status.Limited+status.Unavailable)
		}
	})
}

// A client that has closed its direction has the answer of the gateway itself, too.
func TestHalfClosedClientIsRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		s := serve(t, "", route("/", upstream(t, name("up")), `, "limiter": {"rate": "1/h"}, "breaker": {}`))
		answer := halfClosed(t, s, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 2)+"GET /a/../b HTTP/1.1\r\nHost: x\r\n\r\n")
		for _, status := range []string{"200 OK", "429 Too Many Requests", "400 Bad Request"} {
			require.Equal(t, 1, strings.Count(answer, "HTTP/1.1 "+status+"\r\n"), "%q", answer)
		}
		require.Equal(t, proxy.Status{Name: "/", Requests: 2, Limited: 1}, s.Status()[0])
	})
}

// What is answered goes on as long as there is more of it.
func TestHalfClosedClientHasTheWholeAnswer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			for i := range 10 {
				fmt.Fprintf(w, "%d.", i)
				_ = http.NewResponseController(w).Flush()
				time.Sleep(100 * time.Millisecond) // of the bubble
			}
		})
		s := serve(t, `"timeouts": {"half_closed": "500ms"},`, route("/", up, ""))
		answer := halfClosed(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		for i := range 10 {
			require.Contains(t, answer, fmt.Sprintf("%d.", i))
		}
		require.True(t, strings.HasSuffix(answer, "\r\n0\r\n\r\n"), "%q", answer)
	})
}

// An upstream that is silent is not waited for without an end, since the client may have left for
// good.
func TestHalfClosedClientOfASilentUpstream(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		ended := make(chan struct{}, 1)
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			ended <- struct{}{}
		})
		var out bytes.Buffer
		s := serveTo(t, &out, `"timeouts": {"half_closed": "50ms"},`, route("/", up, `, "breaker": {"failures": 1, "recovery": "1h"}`))
		answer := halfClosed(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.True(t, strings.HasPrefix(answer, "HTTP/1.1 502 "), "%q", answer)
		receive(t, ended)
		shut(t, s)
		require.Contains(t, out.String(), "status=499")
		require.Equal(t, proxy.Status{Name: "/", Breaker: breaker.Closed, Requests: 1}, s.Status()[0])
	})
}

// A request that has not come whole is the client's fault, and is never answered with 200.
func TestIncompleteRequestsAreRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
		s := serve(t, "", route("/", up, `, "limiter": {"rate": "100/s"}, "breaker": {"failures": 1, "recovery": "1h"}, "retry": {}`))
		for _, body := range []string{
			"Content-Length: 100\r\n\r\nhalf",
			"Content-Length: 1000000\r\n\r\nhalf",
			"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
			"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
			"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
			"Transfer-Encoding: chunked\r\n\r\nnot a number\r\n",
			"Expect: 100-continue\r\nContent-Length: 100\r\n\r\nhalf",
		} {
			for _, method := range []string{"POST", "PUT", "GET"} {
				// The server writes one 100 Continue, and the upstream's may come through as another.
				answer := strings.ReplaceAll(halfClosed(t, s, method+" / HTTP/1.1\r\nHost: x\r\n"+body), "HTTP/1.1 100 Continue\r\n\r\n", "")
				require.True(t, strings.HasPrefix(answer, "HTTP/1.1 400 "), "%s %q: %q", method, body, answer)
			}
		}
		status := s.Status()[0]
		require.Equal(t, breaker.Closed, status.Breaker)
		require.Zero(t, status.Failed)
	})
}

// A request whose body comes too slowly is answered 408.
func TestSlowUploadIsRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
		for _, timeouts := range []string{`{"read": "100ms"}`, `{"stall": "100ms"}`} {
			s := serve(t, `"timeouts": `+timeouts+`,`, route("/", up, `, "breaker": {"failures": 1, "recovery": "1h"}, "retry": {}`))
			for _, body := range []string{
				"Content-Length: 100\r\n\r\n", "Content-Length: 100\r\n\r\nhalf", "Content-Length: 1000000\r\n\r\nhalf",
				"Transfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
			} {
				r := raw(t, s, "POST / HTTP/1.1\r\nHost: x\r\n"+body)
				require.Equal(t, http.StatusRequestTimeout, r.status, "%s %q", timeouts, body)
			}
			status := s.Status()[0]
			require.Equal(t, breaker.Closed, status.Breaker)
			require.Zero(t, status.Failed)
		}
	})
}

// The bound on how long a request may take to arrive does not count while the upstream is at work.
func TestReadTimeoutEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			time.Sleep(time.Second) // of the bubble
			fmt.Fprint(w, "late")
		})
		s := serve(t, `"timeouts": {"read": "500ms", "half_closed": "1ms"},`, route("/", up, ""))
		require.Equal(t, "late", get(t, client(t), s.URL()).body)
		resp, err := client(t).Post(s.URL(), "text/plain", strings.NewReader("hello"))
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, "late", string(body))
	})
}
