package proxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

func TestAccessLog(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	var out bytes.Buffer
	s := serveTo(t, &out, `"log": "json",`, fmt.Sprintf(
		`{"name": "api", "path": "/api", "upstream": %q, "limiter": {"rate": "1/h"}, "key": {"header": "X-API-Key"}}`, up.URL))
	cl := client(t)
	get(t, cl, s.URL()+"/api/x?token=secret", "X-API-Key", "secret")
	get(t, cl, s.URL()+"/api", "X-API-Key", "secret")
	get(t, cl, s.URL()+"/api")
	get(t, cl, s.URL()+"/nowhere")
	shut(t, s)

	require.NotContains(t, out.String(), "secret")
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		require.NotEmpty(t, m["time"])
		require.Positive(t, m["duration"])
		delete(m, "time")
		delete(m, "duration")
		lines = append(lines, m)
	}
	require.Len(t, lines, 4)
	host := strings.TrimPrefix(up.URL, "http://")
	require.Equal(t, lines[0]["key"], lines[1]["key"])
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "request", "method": "GET", "path": "/api/x", "route": "api", "status": 200.0, "bytes": 5.0,
		"client": "127.0.0.1", "upstream": host, "key": lines[0]["key"]}, lines[0])
	require.Equal(t, 429.0, lines[1]["status"])
	require.NotContains(t, lines[2], "key")
	require.Equal(t, 404.0, lines[3]["status"])
	require.Equal(t, "", lines[3]["route"])
}

func TestAccessLogIsText(t *testing.T) {
	up := upstream(t, echoUpgrade)
	var out bytes.Buffer
	s := serveTo(t, &out, "", route("/", up, ""))
	conn, _ := upgrade(t, s)
	require.NoError(t, conn.Close())
	shut(t, s)
	require.Contains(t, out.String(), "level=INFO msg=request method=GET path=/ route=/ status=101")
}

// soon has a gateway notice soon that a client has left.
const soon = `"timeouts": {"half_closed": "20ms"},`

// The client has left before there was an answer: that is in the log, and counts for nothing.
func TestAccessLogOfOneWhoLeft(t *testing.T) {
	inBubble(t, func(t *bubble) {
		came := make(chan struct{})
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			close(came)
			<-r.Context().Done()
		})
		var out bytes.Buffer
		s := serveTo(t, &out, soon, route("/", up, `, "breaker": {"failures": 1}`))
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			<-came
			leave()
		}()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL(), nil)
		require.NoError(t, err)
		_, err = client(t).Do(req)
		require.ErrorIs(t, err, context.Canceled)
		shut(t, s)
		require.Contains(t, out.String(), "status=499")
		require.Equal(t, proxy.Status{Name: "/", Requests: 1}, s.Status()[0])
	})
}

// Nor is one who has left the queue of the limiter.
func TestAccessLogOfOneWhoLeftTheQueue(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, name("up"))
		var out bytes.Buffer
		s := serveTo(t, &out, soon, route("/", up, `, "limiter": {"rate": "1/h", "max_wait": "2h"}`))
		cl := client(t)
		get(t, cl, s.URL())
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL(), nil)
		require.NoError(t, err)
		left := make(chan error, 1)
		go func() {
			_, err := cl.Do(req)
			left <- err
		}()
		synctest.Wait()
		require.EqualValues(t, 2, s.Status()[0].Requests)
		leave()
		require.ErrorIs(t, receive(t, left), context.Canceled)
		shut(t, s)
		require.Contains(t, out.String(), "status=499")
		require.Equal(t, proxy.Status{Name: "/", Requests: 2}, s.Status()[0])
	})
}

// An upstream that breaks off in the midst of its answer has failed, and the client can tell.
func TestAnswerBreaksOff(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		require.NoError(t, err)
		fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n%s", make([]byte, 50_000))
		_ = rw.Flush()
		_ = conn.Close()
	})
	var out bytes.Buffer
	s := serveTo(t, &out, "", route("/", up, ""))
	resp, err := client(t).Get(s.URL())
	require.NoError(t, err)
	_, err = io.ReadAll(resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, resp.Body.Close())
	shut(t, s)
	require.Contains(t, out.String(), "status=200 bytes=50000")
	require.Contains(t, out.String(), "cut=true")
	require.EqualValues(t, 1, s.Status()[0].Failed)
}

// stuck is a writer that takes its time for the first write.
type stuck struct {
	bytes.Buffer
	begun, proceed chan struct{}
	writes         int
}

func (s *stuck) Write(p []byte) (int, error) {
	if s.writes++; s.writes == 1 {
		close(s.begun)
		<-s.proceed
	}
	return s.Buffer.Write(p)
}

// Nobody waits for a log that cannot be written; what is lost is counted.
func TestLogDoesNotWait(t *testing.T) {
	w := &stuck{begun: make(chan struct{}), proceed: make(chan struct{})}
	l := proxy.NewLog(w, true)
	l.Info("first")
	receive(t, w.begun)
	long := strings.Repeat("x", 1<<10)
	for range 2000 {
		l.Info(long)
	}
	close(w.proceed)
	require.NoError(t, l.Close(t.Context()))
	l.Info("after the end")

	lines := strings.Split(strings.TrimSpace(w.String()), "\n")
	last := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &last))
	require.Equal(t, "WARN", last["level"])
	require.EqualValues(t, 2000, len(lines)-2+int(last["lines"].(float64)))
	require.LessOrEqual(t, w.Len(), 1<<20+1<<10)
	require.LessOrEqual(t, w.writes, 3)
}

// Nor does the end of the gateway wait for ever.
func TestCloseDoesNotWaitForTheLog(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, name("up"))
		w := &stuck{begun: make(chan struct{}), proceed: make(chan struct{})}
		s := serveTo(t, w, "", route("/", up, ""))
		get(t, client(t), s.URL())
		receive(t, w.begun)
		require.ErrorContains(t, s.Close(t.Context()), "log could not be written in time")
		close(w.proceed)
	})
}

// A client that leaves a stream is no failure of the upstream.
func TestStatusOfOneWhoLeftAStream(t *testing.T) {
	inBubble(t, func(t *bubble) {
		ended := make(chan struct{})
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: 1\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(ended)
		})
		s := serve(t, soon, route("/", up, `, "breaker": {"failures": 1}`))
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL(), nil)
		require.NoError(t, err)
		resp, err := client(t).Do(req)
		require.NoError(t, err)
		_, err = io.ReadFull(resp.Body, make([]byte, 8))
		require.NoError(t, err)
		leave()
		_ = resp.Body.Close()
		receive(t, ended)
		shut(t, s)
		require.Equal(t, proxy.Status{Name: "/", Requests: 1}, s.Status()[0])
	})
}

func TestLogOfManyKeepsLines(t *testing.T) {
	var out bytes.Buffer
	l := proxy.NewLog(&out, true)
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 500 {
				l.Info("line", "number", i)
			}
		}()
	}
	for range 4 {
		receive(t, done)
	}
	require.NoError(t, l.Close(t.Context()))
	n := 0
	for d := json.NewDecoder(&out); ; n++ {
		var m map[string]any
		err := d.Decode(&m)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}
	require.Equal(t, 2000, n)
}
