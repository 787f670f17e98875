package proxy_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// That there are no more connections to an upstream is a bound of the gateway's, and no failure of
// the upstream.
func TestWaitingForAConnectionIsNoFailure(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		came, release := make(chan struct{}), make(chan struct{})
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hold" { // answers in time, and takes its time for the rest
				w.WriteHeader(http.StatusOK)
				_ = http.NewResponseController(w).Flush()
				close(came)
				<-release
			}
		})
		s := serve(t, "", fmt.Sprintf(
			`{"path": "/", "upstream": %q, "timeout": "500ms", "max_connections": 1, "breaker": {"failures": 1, "recovery": "1h"}, "retry": {}}`, up.URL))
		cl := client(t)
		resp, err := cl.Get(s.URL() + "/hold")
		require.NoError(t, err)
		receive(t, came)
		for range 3 {
			require.Equal(t, http.StatusServiceUnavailable, get(t, cl, s.URL()).status)
		}
		close(release)
		require.NoError(t, resp.Body.Close())
		synctest.Wait() // until the connection is free
		require.Equal(t, http.StatusOK, get(t, cl, s.URL()).status)
		status := s.Status()[0]
		require.Equal(t, breaker.Closed, status.Breaker)
		require.Zero(t, status.Failed)
		require.EqualValues(t, 3, status.Unavailable)
	})
}

// A client that does not read its answer gives the connections that it holds back.
func TestAnswerThatIsNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		ended := make(chan error, 1)
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/large" {
				return
			}
			headerFirst(w)
			_, err := io.Copy(w, io.LimitReader(endless{}, 1<<30))
			ended <- err
		})
		s := serve(t, `"timeouts": {"stall": "200ms"},`, route("/", up, `, "max_connections": 1, "breaker": {"failures": 1}`))
		conn := dial(t, s)
		fmt.Fprint(conn, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Error(t, receive(t, ended), "the upstream could send all of it")
		require.Equal(t, http.StatusOK, get(t, client(t), s.URL()).status)
		require.Equal(t, proxy.Status{Name: "/", Breaker: breaker.Closed, Requests: 2}, s.Status()[0])
	})
}

// A client that reads slowly has the whole answer. The time of stall is for a part of a write.
func TestAnswerThatIsReadSlowlyIsNot(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		const size = 512 << 10
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			headerFirst(w)
			_, _ = io.Copy(w, io.LimitReader(endless{}, size))
		})
		s := serve(t, `"timeouts": {"stall": "1s"},`, route("/", up, ""))
		conn := dial(t, s)
		fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
		read, buf := int64(0), make([]byte, 4<<10)
		for {
			n, err := conn.Read(buf)
			read += int64(n)
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
			time.Sleep(300 * time.Millisecond) // of the bubble
		}
		require.Greater(t, read, int64(size))
	})
}

// There are no more connections of clients than max_client_connections; the next client waits.
func TestMaxClientConnections(t *testing.T) {
	t.Parallel()
	for _, more := range []string{"", `"connection": {"rate": "1MiB/s"},`} {
		inBubble(t, func(t *bubble) {
			s := serve(t, more+`"max_client_connections": 2,`, route("/", upstream(t, name("up")), ""))
			first, second := dial(t, s), dial(t, s)
			require.NoError(t, askOn(first))
			require.NoError(t, askOn(second))
			next := func() <-chan error {
				asked := make(chan error, 1)
				go func() { // ends with the gateway
					conn, err := t.network.dial(t.Context(), "tcp", strings.TrimPrefix(s.URL(), "http://"))
					if err == nil {
						err = errors.Join(askOn(conn), conn.Close())
					}
					asked <- err
				}()
				synctest.Wait()
				return asked
			}
			third := next()
			require.Empty(t, third)
			require.NoError(t, first.Close())
			require.NoError(t, receive(t, third))

			require.NoError(t, askOn(dial(t, s)))
			fourth := next()
			require.Empty(t, fourth)
			shut(t, s) // also while a client waits
			require.ErrorIs(t, receive(t, fourth), syscall.ECONNREFUSED)
		})
	}
}

// askOn sends a request on conn, and reads the beginning of the answer.
func askOn(conn net.Conn) error {
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_, err := io.ReadFull(conn, make([]byte, len("HTTP/1.1 200 OK")))
	return err
}

// Nobody waits for a client that has more to send: the client is answered, and the connection
// closed.
func TestAnswersDoNotWaitForTheBody(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/early" { // without a look at the body
				w.Header().Set("Connection", "close")
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			}
		})
		gone := upstream(t, name("gone"))
		gone.Close()
		s := serve(t, "", route("/early", up, ""), route("/limited", up, `, "limiter": {"rate": "1/h"}`), route("/dead", gone, ""),
			route("/open", gone, `, "breaker": {"failures": 1, "recovery": "1h"}`))
		get(t, client(t), s.URL()+"/limited")
		get(t, client(t), s.URL()+"/open")
		for path, want := range map[string]int{
			"/early": http.StatusRequestEntityTooLarge, "/limited": http.StatusTooManyRequests, "/dead": http.StatusBadGateway,
			"/open": http.StatusServiceUnavailable, "/nowhere": http.StatusNotFound, "/early/..": http.StatusBadRequest,
		} {
			for _, body := range []string{
				"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "Content-Length: 100\r\n\r\nhello", "Content-Length: 100000000\r\n\r\nhello",
			} {
				conn := dial(t, s)
				require.NoError(t, conn.SetDeadline(time.Now().Add(3*time.Second)))
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s", path, body)
				answer, err := io.ReadAll(conn)
				require.NoError(t, err, "%s %s: the connection stays", path, body)
				require.True(t, strings.HasPrefix(string(answer), fmt.Sprintf("HTTP/1.1 %d ", want)), "%s %s: %q", path, body, answer)
			}
		}
	})
}

// The rest of a body that is not read is never taken for a request.
func TestBodiesAreNotTakenForRequests(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		var asked atomic.Int64
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			w.WriteHeader(http.StatusForbidden) // without a look at the body
		})
		var out bytes.Buffer
		s := serveTo(t, &out, "", route("/early", up, ""), route("/limited", up, `, "limiter": {"rate": "1/h"}`))
		get(t, client(t), s.URL()+"/limited")
		const second = "GET /early/second HTTP/1.1\r\nHost: x\r\n\r\n"
		for _, path := range []string{"/nowhere", "/early", "/limited", "/early/.."} {
			for _, body := range []string{
				"Transfer-Encoding: chunked\r\n\r\nbad\x00\r\n" + second,
				"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!" + second,
				"Transfer-Encoding: chunked\r\n\r\nfffff\r\n" + second,
				"Content-Length: 1000000\r\n\r\n" + second,
				"Content-Length: 1000\r\n\r\n" + second,
				"Content-Length: 400000\r\n\r\n" + strings.Repeat("x", 300<<10) + second,
			} {
				answer := halfClosed(t, s, "POST "+path+" HTTP/1.1\r\nHost: x\r\n"+body)
				require.LessOrEqual(t, strings.Count(answer, "HTTP/1.1 "), 1, "%s %q: %q", path, body, answer)
			}
		}
		shut(t, s)
		require.NotContains(t, out.String(), "second")
		require.EqualValues(t, 1+6, asked.Load())
		require.Equal(t, 1+4*6, strings.Count(out.String(), "msg=request"))
	})
}

// An upstream that answers, and then waits for a body that nobody asks the client for, holds
// nothing for good.
func TestStandstillIsCutOff(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		release := make(chan struct{})
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-release // net/http does not see that the gateway has gone while there is a body to read
		})
		defer close(release)
		s := serve(t, `"timeouts": {"stall": "100ms"},`, route("/", up, `, "breaker": {"failures": 1}`))
		conn := dial(t, s)
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(answer), "HTTP/1.1 200 "), "%q", answer)
		require.False(t, strings.HasSuffix(string(answer), "\r\n0\r\n\r\n"), "the answer claims to be whole")
		status := s.Status()[0]
		require.Equal(t, breaker.Closed, status.Breaker)
		require.Zero(t, status.Failed)
	})
}
