package enginehttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
)

// refusing is a handler that refuses every request.
func refusing(t *testing.T) *enginehttp.Handler {
	eng := guarding(t, oneIn(1<<40))
	require.NoError(t, eng.Acquire(t.Context(), "k"))
	return &enginehttp.Handler{
		Engine: eng, Key: func(*http.Request) string { return "k" },
		Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("admitted") }),
	}
}

// rawClient is a connection to a server with handler, in memory, so that time is that of the bubble.
func rawClient(t *testing.T, handler http.Handler) (net.Conn, *bufio.Reader) {
	conn, err := pipeTransport(t, false, handler).DialContext(t.Context(), "tcp", "h")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn, bufio.NewReader(conn)
}

// readReply reads an answer to its end.
func readReply(t *testing.T, r *bufio.Reader) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return resp
}

const post = "POST / HTTP/1.1\r\nHost: h\r\n"

// TestARefusalDoesNotWaitForTheBody, however little of it the client has sent. Then the connection is closed.
func TestARefusalDoesNotWaitForTheBody(t *testing.T) {
	closed := guarding(t, engine.Config{})
	require.NoError(t, closed.Close(context.Background()))
	for name, begin := range map[string]string{
		"chunked":          post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"chunked, nothing": post + "Transfer-Encoding: chunked\r\n\r\n",
		"half a chunk":     post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhe",
		"no trailer":       post + "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n0\r\n",
		"a length":         post + "Content-Length: 10\r\n\r\nhello",
		"a great length":   post + "Content-Length: 1000000000\r\n\r\nhello",
		"HTTP/1.0":         "POST / HTTP/1.0\r\nContent-Length: 10\r\nConnection: keep-alive\r\n\r\nhello",
		"expecting":        post + "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
		"a second request": post + "Content-Length: 200\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		for refusal, handler := range map[string]func(t *testing.T) (*enginehttp.Handler, int){
			"limit": func(t *testing.T) (*enginehttp.Handler, int) { return refusing(t), 429 },
			"Refuse": func(t *testing.T) (*enginehttp.Handler, int) {
				h := refusing(t)
				h.Refuse = func(w http.ResponseWriter, _ *http.Request, _ *engine.Rejection) {
					http.Error(w, "no", http.StatusTeapot)
				}
				return h, 418
			},
			"shutdown": func(t *testing.T) (*enginehttp.Handler, int) {
				h := refusing(t)
				require.NoError(t, h.Engine.Close(t.Context()))
				return h, 503
			},
			"two keys": func(t *testing.T) (*enginehttp.Handler, int) {
				h := refusing(t)
				h.Key = enginehttp.Header("User-Agent")
				return h, 400
			},
		} {
			t.Run(name+"/"+refusal, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, status := handler(t)
					conn, r := rawClient(t, h)
					begun := time.Now()
					head, body, _ := strings.Cut(begin, "\r\n\r\n")
					if refusal == "two keys" {
						head += "\r\nUser-Agent: a\r\nUser-Agent: b"
					}
					go say(conn, head+"\r\n\r\n"+body) // ends when the connection is closed
					resp, err := http.ReadResponse(r, nil)
					require.NoError(t, err)
					require.Equal(t, status, resp.StatusCode)
					require.Zero(t, time.Since(begun))
					_, err = io.Copy(io.Discard, resp.Body)
					require.NoError(t, err)
					rest, _ := io.ReadAll(r)
					require.Empty(t, rest, "nothing that was in the body is a request")
					require.LessOrEqual(t, time.Since(begun), 2*time.Second)
				})
			})
		}
	}
}

// TestAConnectionIsKeptAfterARefusal if the body is all there, or comes soon.
func TestAConnectionIsKeptAfterARefusal(t *testing.T) {
	for name, c := range map[string]struct {
		head  string
		parts []string
	}{
		"no body":      {post + "Content-Length: 0\r\n\r\n", nil},
		"with it":      {post + "Content-Length: 5\r\n\r\nhello", nil},
		"after it":     {post + "Content-Length: 5\r\n\r\n", []string{"hello"}},
		"in parts":     {post + "Content-Length: 5\r\n\r\n", []string{"h", "el", "lo"}},
		"chunked":      {post + "Transfer-Encoding: chunked\r\n\r\n", []string{"5\r\nhello\r\n", "0\r\n\r\n"}},
		"with trailer": {post + "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n", []string{"5\r\nhello\r\n0\r\n", "X-Sum: 1\r\n\r\n"}},
		"much":         {post + "Content-Length: 65536\r\n\r\n", []string{strings.Repeat("x", 65536)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, r := rawClient(t, refusing(t))
				for range 3 {
					begun := time.Now()
					say(conn, c.head)
					resp := readReply(t, r)
					require.Equal(t, 429, resp.StatusCode)
					require.False(t, resp.Close)
					require.Zero(t, time.Since(begun))
					for _, part := range c.parts {
						time.Sleep(50 * time.Millisecond)
						say(conn, part)
					}
					time.Sleep(time.Minute) // no deadline is left behind
				}
			})
		})
	}
}

// TestARefusalOfALargeUploadIsRead by a client that sends all before it reads, or as much as it can.
func TestARefusalOfALargeUploadIsRead(t *testing.T) {
	for _, size := range []int64{1, 100 << 10, 8 << 20} {
		for _, length := range []int64{size, -1} {
			synctest.Test(t, func(t *testing.T) {
				client := &http.Client{Transport: pipeTransport(t, false, refusing(t))}
				req := newRequest(t, http.MethodPost, "http://h/", io.LimitReader(zeros{}, size))
				req.ContentLength = length
				resp, err := client.Do(req)
				require.NoError(t, err)
				require.Equal(t, 429, resp.StatusCode)
				readAll(t, resp)
				time.Sleep(time.Second) // of the bubble: the server closes a connection in steps
			})
		}
	}
}

// TestALargeUploadIsNotCutOff at once. A connection that is closed before all data has been read is
// reset, and a reset may take the answer from a client that is still sending.
func TestALargeUploadIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, r := rawClient(t, refusing(t))
		begun := time.Now()
		sent := make(chan time.Duration)
		go func() { // ends when the connection is closed
			say(conn, post+"Content-Length: 8388608\r\n\r\n")
			_, _ = io.Copy(conn, zeros{})
			sent <- time.Since(begun)
		}()
		require.Equal(t, 429, readReply(t, r).StatusCode)
		require.Zero(t, time.Since(begun))
		require.GreaterOrEqual(t, <-sent, 100*time.Millisecond)
	})
}

// TestARefusalOverHTTP2 comes while the body is being sent, and other requests of the connection go on.
func TestARefusalOverHTTP2(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			client := &http.Client{Transport: pipeTransport(t, http2, refusing(t))}
			for range 3 {
				begun := time.Now()
				body, rest := io.Pipe()
				resp, err := client.Do(newRequest(t, http.MethodPost, "http://h/", body))
				require.NoError(t, err)
				require.Equal(t, 429, resp.StatusCode)
				require.Zero(t, time.Since(begun))
				readAll(t, resp)
				require.NoError(t, rest.Close())
			}
			time.Sleep(time.Second) // of the bubble: the server closes a connection in steps
		})
	}
}

// bareWriter hides what an http.ResponseWriter can do besides.
type bareWriter struct{ http.ResponseWriter }

// TestARefusalThroughAWriterThatHidesTheConnection is not held up either: the connection is closed at once.
func TestARefusalThroughAWriterThatHidesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := refusing(t)
		conn, r := rawClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(bareWriter{w}, r) }))
		say(conn, post+"Transfer-Encoding: chunked\r\n\r\n")
		begun := time.Now()
		resp := readReply(t, r)
		require.Equal(t, 429, resp.StatusCode)
		require.True(t, resp.Close)
		require.Zero(t, time.Since(begun))
	})
}

// TestARefusalOfANestedHandler reaches the connection through the writer of the handler around it.
func TestARefusalOfANestedHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer := &enginehttp.Handler{Engine: guarding(t, engine.Config{}), Next: refusing(t)}
		conn, r := rawClient(t, outer)
		say(conn, post+"Content-Length: 5\r\n\r\n")
		begun := time.Now()
		require.Equal(t, 429, readReply(t, r).StatusCode)
		require.Zero(t, time.Since(begun))
		say(conn, "hello")
		say(conn, post+"Content-Length: 5\r\n\r\n")
		require.Equal(t, 429, readReply(t, r).StatusCode, "the connection is kept")
		_, err := io.ReadAll(r)
		require.NoError(t, err, "and then closed")
	})
}

// TestRefuse writes the answer of a Handler for others.
func TestRefuse(t *testing.T) {
	eng := guarding(t, anHourLeft())
	require.NoError(t, eng.Acquire(t.Context(), "k"))
	limited := eng.Acquire(t.Context(), "k")
	for name, c := range map[string]struct {
		err    error
		status int
		after  string
	}{
		"limited":        {limited, 429, "3600"},
		"wrapped":        {fmt.Errorf("quota: %w", limited), 429, "3600"},
		"stopped":        {&engine.StoppedError{Reason: limited, Last: io.EOF}, 429, "3600"},
		"queue":          {&engine.Rejection{Err: engine.ErrQueueFull}, 503, ""},
		"capacity":       {&engine.Rejection{Err: limiter.ErrExceedsCapacity}, 429, ""},
		"closed":         {&engine.Rejection{Err: engine.ErrClosed}, 503, ""},
		"context":        {context.DeadlineExceeded, 503, ""},
		"something else": {errors.New("no"), 503, ""},
		"nothing":        {nil, 503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			enginehttp.Refuse(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), c.err)
			r := reply{w.Code, w.Result().Header, w.Body.String(), nil}
			require.Equal(t, c.status, r.status)
			require.Equal(t, c.after, r.header.Get("Retry-After"))
			problemOf(t, r)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		conn, r := rawClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { enginehttp.Refuse(w, r, limited) }))
		say(conn, post+"Transfer-Encoding: chunked\r\n\r\n")
		require.Equal(t, 429, readReply(t, r).StatusCode)
		_, err := io.ReadAll(r)
		require.NoError(t, err)
	})
}
