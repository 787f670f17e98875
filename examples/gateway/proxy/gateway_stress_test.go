package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// erratic is an upstream that answers early or late, with much or little, and sometimes not at all.
func erratic(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, io.LimitReader(r.Body, rand.Int64N(200<<10)))
	time.Sleep(rand.N(20 * time.Millisecond)) // of the bubble
	switch rand.IntN(10) {
	case 0:
		panic(http.ErrAbortHandler)
	case 1:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintf(w, "up %d", n)
	if rand.IntN(4) == 0 {
		_, _ = io.Copy(w, io.LimitReader(endless{}, rand.Int64N(1<<20)))
	}
}

// requests are one to three requests in a row, of which the last may be cut short.
func requests() string {
	var b strings.Builder
	for range 1 + rand.IntN(3) {
		method := []string{"GET", "POST", "PUT"}[rand.IntN(3)]
		fmt.Fprintf(&b, "%s / HTTP/1.1\r\nHost: x\r\n", method)
		b.WriteString([]string{"", "", "Expect: 100-continue\r\n", "Connection: close\r\n"}[rand.IntN(4)])
		body := strings.Repeat("x", rand.IntN(150<<10))
		switch {
		case method == "GET":
			b.WriteString("\r\n")
		case rand.IntN(2) == 0:
			fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
		default:
			fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n%x\r\n%s\r\n0\r\nX-A: 1\r\n\r\n", len(body), body)
		}
	}
	if rand.IntN(3) == 0 {
		return b.String()[:rand.IntN(b.Len())]
	}
	return b.String()
}

// Clients and upstreams do anything: no answer is an empty 200, nothing is left, and nothing is
// wrong in the log.
func TestStressOfErraticClients(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		up := upstream(t, erratic)
		var out bytes.Buffer
		s := serveTo(t, &out, `"timeouts": {"half_closed": "30ms", "stall": "100ms", "read": "300ms"}, "max_client_connections": 20,`,
			route("/", up, `, "breaker": {"recovery": "10ms"}, "retry": {"base_delay": "1ms"}, "max_connections": 5, "limiter": {"rate": "500/s"}`))
		var clients sync.WaitGroup
		for range 25 {
			clients.Go(func() {
				for range 15 {
					conn := dial(t, s)
					text := requests()
					sent := make(chan struct{})
					go func() { // ends with the connection
						defer close(sent)
						for len(text) > 0 {
							n := 1 + rand.IntN(len(text))
							if _, err := io.WriteString(conn, text[:n]); err != nil {
								return
							}
							text = text[n:]
							time.Sleep(rand.N(10 * time.Millisecond)) // of the bubble
						}
						if rand.IntN(2) == 0 {
							_ = conn.CloseWrite()
						}
					}()
					_ = conn.SetReadDeadline(time.Now().Add(rand.N(500 * time.Millisecond)))
					answers, _ := io.ReadAll(conn)
					if bytes.Contains(answers, []byte(" 200 OK\r\n")) && bytes.Contains(answers, []byte("Content-Length: 0\r\n")) {
						t.Errorf("an empty answer: %.500q", answers)
					}
					if rand.IntN(4) == 0 {
						_ = conn.SetLinger(0)
					}
					_ = conn.Close()
					<-sent
				}
			})
		}
		clients.Wait()
		shut(t, s)
		for line := range strings.Lines(out.String()) {
			if !strings.Contains(line, " msg=tripped route=/ ") { // the upstream may well fail five times in a row
				require.NotContains(t, line, "level=WARN")
			}
		}
		require.Contains(t, out.String(), "status=200")
	})
}
