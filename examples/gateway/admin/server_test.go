package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
	"github.com/limitpal/limitpal-go/examples/internal/pipes"
)

// shown is a server in a bubble, on a network in memory, and its gateway.
type shown struct {
	*Server
	gateway *proxy.Gateway
	network pipes.Network
	log     bytes.Buffer
}

// inBubble runs test in a bubble. test closes the server; the gateway is closed after test.
func inBubble(t *testing.T, test func(*testing.T, *shown)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &shown{gateway: gatewayOf(t, byKey)}
		listener, err := s.network.Listen()
		require.NoError(t, err)
		s.Server = serve(listener, originOf("127.0.0.1:0", listener), true, s.gateway, slog.New(slog.NewTextHandler(&s.log, nil)))
		test(t, s)
		require.Empty(t, s.log.String())
	})
}

// send opens a connection and sends text.
func (s *shown) send(t *testing.T, text string) net.Conn {
	t.Helper()
	conn, err := s.network.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL(), "http://"))
	require.NoError(t, err)
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return conn
}

// answer reads one answer, with the whole body.
func answer(t *testing.T, conn net.Conn) (status int, body string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

func (s *shown) reload(t *testing.T) {
	t.Helper()
	require.NoError(t, s.gateway.Reload(load(t, byKey)))
}

const get = "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"

func TestHealth(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shown) {
		status, body := answer(t, s.send(t, fmt.Sprintf(get, "/healthz")))
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "ok\n", body)
		s.Drain()
		status, body = answer(t, s.send(t, fmt.Sprintf(get, "/healthz")))
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, "stopping\n", body)
		for _, target := range []string{"/", "/debug/pprof/", "/debug/key"} {
			status, _ = answer(t, s.send(t, fmt.Sprintf(get, target)))
			require.Equal(t, http.StatusNotFound, status, target)
		}
		status, _ = answer(t, s.send(t, "DELETE /debug/keys HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		require.Equal(t, http.StatusMethodNotAllowed, status)
		began := time.Now()
		s.Close()
		require.Less(t, time.Since(began), lastWord/2, "idle connections are not waited for")
	})
}

// Events come as lines, with their numbers, until the gateway ends; the last event comes, too.
func TestEventsAreStreamed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shown) {
		s.reload(t) // an event of each engine
		synctest.Wait()
		conn := s.send(t, fmt.Sprintf(get, "/debug/events?since=2"))
		later := s.send(t, fmt.Sprintf(get, "/debug/events"))
		synctest.Wait()
		time.Sleep(time.Hour)
		fail(t, guard(t, s.gateway, "api", "upstream"), "192.0.2.1:9000")
		synctest.Wait() // the events of two engines come in any order
		guard(t, s.gateway, "api", "client").Engine.Allow("secret")
		guard(t, s.gateway, "api", "client").Engine.Refresh("secret")
		synctest.Wait()
		require.NoError(t, s.gateway.Close(t.Context()))
		began := time.Now()
		s.Close()
		require.Less(t, time.Since(began), lastWord/2, "the streams have ended")

		status, body := answer(t, conn)
		require.Equal(t, http.StatusOK, status)
		var lines []eventLine
		for line := range strings.Lines(body) {
			var l eventLine
			require.NoError(t, json.Unmarshal([]byte(line), &l))
			require.EqualValues(t, len(lines)+3, l.Seq)
			lines = append(lines, l)
		}
		require.Len(t, lines, 3)
		require.Equal(t, "reconfigured", lines[0].Kind)
		until := began.Add(time.Hour)
		require.WithinDuration(t, until, *lines[1].Until, 0)
		require.WithinDuration(t, began, lines[1].At, 0)
		lines[1].Until, lines[1].At = nil, time.Time{}
		require.Equal(t, eventLine{Seq: 4, Kind: "tripped", Route: "api", Engine: "upstream", Key: "192.0.2.1:9000", From: "closed", To: "open",
			Reason: "a failure: upstream is down"}, lines[1])
		require.Equal(t, guard(t, s.gateway, "api", "client").Shown("secret"), lines[2].Key)
		require.NotContains(t, body, "secret")
		require.NotContains(t, strings.Split(body, "\n")[0], "reason", "fields that do not apply are left out")

		_, body = answer(t, later)
		require.Equal(t, 2, strings.Count(body, "\n"), "without since only what comes")
	})
}

// A reader that takes nothing holds nobody up, and is cut off.
func TestEventsDoNotWaitForASlowReader(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shown) {
		conn := s.send(t, fmt.Sprintf(get, "/debug/events"))
		synctest.Wait()
		began := time.Now()
		for range 2000 {
			s.reload(t)
		}
		require.Zero(t, time.Since(began))
		synctest.Wait()
		require.Zero(t, time.Since(began), "the stream waits, and nothing else does")
		time.Sleep(patience + time.Second)
		synctest.Wait()
		got, err := io.ReadAll(conn)
		require.Zero(t, time.Since(began.Add(patience+time.Second)))
		require.Less(t, len(got), 1<<18)
		require.Contains(t, string(got), `"seq":1,`)
		_ = err // the end of the answer is missing, and the connection closed or reset
		s.Close()
	})
}

// A stream ends when its client leaves, and its place is free.
func TestEventsEndWithTheClient(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shown) {
		var conns []net.Conn
		for range mostClients {
			conns = append(conns, s.send(t, fmt.Sprintf(get, "/debug/events")))
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		dialed := make(chan net.Conn)
		go func() { // ends when a place is free
			conn, _ := s.network.DialContext(ctx, "tcp", strings.TrimPrefix(s.URL(), "http://"))
			dialed <- conn
		}()
		time.Sleep(time.Minute)
		select {
		case <-dialed:
			require.FailNow(t, "more connections than there are places")
		default:
		}
		require.NoError(t, conns[0].Close())
		conn := <-dialed
		_, err := fmt.Fprintf(conn, get, "/healthz")
		require.NoError(t, err)
		status, _ := answer(t, conn)
		require.Equal(t, http.StatusOK, status)
		began := time.Now()
		s.Close()
		require.Equal(t, lastWord, time.Since(began), "the gateway goes on, so the streams are cut off")
	})
}

// No client stays that does not send a request as it should.
func TestClientsAreBounded(t *testing.T) {
	for name, row := range map[string]struct {
		text   string
		within time.Duration
		status string
	}{
		"nothing":            {"", patience, ""},
		"half a header":      {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", patience, ""},
		"a long header":      {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: " + strings.Repeat("a", 40<<10), 0, "431"},
		"a body that stalls": {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12", 0, "400"},
		"chunks that stall":  {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1", 0, "400"},
		"an idle connection": {fmt.Sprintf(get, "/healthz"), 2 * time.Minute, "200"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *shown) {
				began := time.Now()
				conn := s.send(t, row.text)
				got, _ := io.ReadAll(conn)
				require.LessOrEqual(t, time.Since(began), row.within+time.Second) // net/http waits for half a second after a 431
				require.GreaterOrEqual(t, time.Since(began), row.within)
				if row.status == "" {
					require.Empty(t, got)
				} else {
					require.True(t, strings.HasPrefix(string(got), "HTTP/1.1 "+row.status), string(got))
				}
				s.Close()
			})
		})
	}
}

func TestStart(t *testing.T) {
	s, err := Start("127.0.0.1:0", false, gatewayOf(t, byKey), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer s.Close()
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, s.URL())
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Head(s.URL() + "/debug/events")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "application/x-ndjson", resp.Header.Get("Content-Type"))
	require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))

	_, err = Start(strings.TrimPrefix(s.URL(), "http://"), false, gatewayOf(t, byKey), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "admin: listen tcp 127.0.0.1:")
}

// A client that takes no answers is cut off.
func TestAClientThatTakesNothingIsCutOff(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shown) {
		conn := s.send(t, strings.Repeat(fmt.Sprintf(get, "/debug/keys"), 1000))
		time.Sleep(patience + time.Second)
		synctest.Wait()
		began := time.Now()
		got, _ := io.ReadAll(conn)
		require.Zero(t, time.Since(began))
		answers := strings.Count(string(got), "HTTP/1.1 200 OK")
		require.Positive(t, answers)
		require.Less(t, answers, 500)
		s.Close()
	})
}
