package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

func TestUpload(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, r.ContentLength, n, err)
	})
	s := serve(t, "", route("/", up, `, "limiter": {"rate": "100/s"}, "breaker": {}, "retry": {}, "max_connections": 1`))
	cl := client(t)
	for _, body := range []io.Reader{strings.NewReader(strings.Repeat("x", 1<<20)), io.LimitReader(endless{}, 1<<20)} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(), body)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(req.ContentLength+map[bool]int64{true: -1}[req.ContentLength == 0], 1<<20, nil), send(t, cl, req).body)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A client that sends half a body, or garbage, is no failure of the upstream: else anybody could
// open its breaker.
func TestUploadBroken(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
		s := serve(t, "", route("/", up, `, "breaker": {"failures": 1, "recovery": "1h"}`))
		for _, body := range []string{
			"Transfer-Encoding: chunked\r\n\r\nnot a number\r\n",
			"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!!",
			"Content-Length: 100\r\n\r\nhalf",
		} {
			conn := dial(t, s)
			fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+body)
			require.NoError(t, conn.CloseWrite())
			answer, err := io.ReadAll(conn) // until the gateway is done with it
			require.NoError(t, err)
			if !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") { // which the upstream may have said before it was over
				require.True(t, len(answer) == 0 || strings.HasPrefix(string(answer), "HTTP/1.1 400 "), "%s", answer)
			}
			require.NoError(t, conn.Close())
			status := s.Status()[0]
			require.Equal(t, breaker.Closed, status.Breaker)
			require.Zero(t, status.Failed)
		}
		require.Equal(t, http.StatusOK, get(t, client(t), s.URL()).status)
	})
}

// What comes behind the body of a request comes to the upstream, too.
func TestUploadWithTrailers(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v %v", body, err, r.Trailer)
	})
	s := serve(t, "", route("/", up, ""))
	r := raw(t, s, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n")
	require.Equal(t, "abc <nil> map[X-Sum:[42]]", r.body)
}

// A client that is sending when the gateway stops hears of it.
func TestUploadCutOff(t *testing.T) {
	inBubble(t, func(t *bubble) {
		came := make(chan struct{})
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 4))
			close(came)
			_, _ = io.Copy(io.Discard, r.Body)
		})
		s := serve(t, "", route("/", up, ""))
		conn := dial(t, s)
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
		receive(t, came)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.EqualError(t, s.Close(ctx), "proxy: requests that had not ended in time and were cut off: 1")
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(answer), "HTTP/1.1 503 "), "%q", answer)
	})
}

// An upstream that does not take the body is silent.
func TestUploadNotTaken(t *testing.T) {
	inBubble(t, func(t *bubble) {
		ln := listen(t)
		go func() { // ends with the listener
			for {
				conn, err := ln.Accept() // and nobody reads
				if err != nil {
					return
				}
				defer conn.Close()
			}
		}()
		s := serve(t, "", fmt.Sprintf(
			`{"path": "/", "upstream": "http://%v", "timeout": "100ms", "breaker": {"failures": 1, "recovery": "1h"}}`, ln.Addr()))
		conn := dial(t, s)
		go func() { // ends with the connection
			fmt.Fprint(conn, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n")
			_, _ = io.Copy(conn, io.LimitReader(endless{}, 1<<30))
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusGatewayTimeout, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusServiceUnavailable, get(t, client(t), s.URL()).status)
	})
}

// A client that takes its time is not one whose upstream is silent.
func TestUploadSlow(t *testing.T) {
	inBubble(t, func(t *bubble) {
		first := make(chan struct{})
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadFull(r.Body, make([]byte, 5))
			require.NoError(t, err)
			close(first)
			rest, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			fmt.Fprintf(w, "%s", rest)
		})
		s := serve(t, "", fmt.Sprintf(`{"path": "/", "upstream": %q, "timeout": "300ms"}`, up.URL))
		body, in := io.Pipe()
		go func() { // ends with the request
			_, _ = io.WriteString(in, "hello")
			<-first
			time.Sleep(1200 * time.Millisecond) // of the bubble: four times as long as the upstream may be silent
			_, _ = io.WriteString(in, " world")
			_ = in.Close()
		}()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(), body)
		require.NoError(t, err)
		require.Equal(t, " world", send(t, client(t), req).body)
	})
}

// An upstream that ends its connection during an upload has failed, as any other that does not
// answer.
func TestUploadToAnUpstreamThatDies(t *testing.T) {
	t.Parallel()
	l := listen(t)
	over := make(chan struct{})
	defer close(over)
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the test
				defer conn.Close()
				_, _ = io.CopyN(io.Discard, conn, 100<<10)
				_ = conn.(duplex).CloseWrite()
				<-over
			}()
		}
	}()
	s := serve(t, "", fmt.Sprintf(`{"path": "/", "upstream": "http://%v", "breaker": {"failures": 2, "recovery": "1h"}}`, l.Addr()))
	for _, want := range []int{502, 502, 503} {
		conn := dial(t, s)
		go func() { // ends with the connection
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 64<<20)
			_, _ = io.Copy(conn, io.LimitReader(endless{}, 64<<20))
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, want, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
		require.NoError(t, conn.Close())
	}
	require.Equal(t, breaker.Open, s.Status()[0].Breaker)
}
