package proxy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// answered sends text to a gateway of its own and returns what it answers, and what it logs of
// that.
func answered(t *testing.T, settings, text string) (answer string, lines []map[string]any) {
	t.Helper()
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {})
	var out bytes.Buffer
	s := serveTo(t, &out, `"log": "json",`+settings, route("/", up, ""))
	conn := dial(t, s)
	go func() { // ends with the connection
		_, _ = io.WriteString(conn, text)
		_ = conn.CloseWrite()
	}()
	all, _ := io.ReadAll(conn) // which a reset may end, since not all of text is read
	shut(t, s)
	for line := range strings.Lines(out.String()) {
		require.Less(t, len(line), 8<<10)
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		if m["msg"] == "request" {
			lines = append(lines, m)
		}
	}
	return string(all), lines
}

// Every answer leaves a line, that of a request that is never looked at, too; and no line is so
// long that it is dropped.
func TestNoRequestHidesFromTheLog(t *testing.T) {
	t.Parallel()
	const kib, mib = 1 << 10, 1 << 20
	a, x := strings.Repeat("a", 900*kib), strings.Repeat("x", 3*mib)
	host := " HTTP/1.1\r\nHost: x\r\n"
	for name, row := range map[string]struct {
		text           string
		status         int
		method, prefix string
	}{
		"path":                 {"GET /" + a[:791*kib] + host + "\r\n", 431, "GET", "/aaaa"},
		"path within bounds":   {"GET /" + a[:40*kib] + host + "\r\n", 200, "GET", "/aaaa"},
		"path of control":      {"GET /" + strings.Repeat("%01", 10*kib) + host + "\r\n", 400, "GET", "/\x01\x01"},
		"path beyond all":      {"GET /" + x + host + "\r\n", 431, "GET", "/xxxx"},
		"query":                {"GET /a?" + a + host + "\r\n", 431, "GET", "/a"},
		"method":               {a[:40*kib] + " /" + host + "\r\n", 200, "aaaa", "/"},
		"method beyond bounds": {a + " /" + host + "\r\n", 431, "aaaa", ""},
		"header":               {"GET /h" + host + "A: " + a + "\r\n\r\n", 431, "GET", "/h"},
		"many headers":         {"GET /h" + host + strings.Repeat("A: b\r\n", 100*kib) + "\r\n", 431, "GET", "/h"},
		"no host":              {"GET /h HTTP/1.1\r\n\r\n", 400, "GET", "/h"},
		"two hosts":            {"GET /h" + host + "Host: y\r\n\r\n", 400, "GET", "/h"},
		"bad header":           {"GET /h" + host + "A b: c\r\n\r\n", 400, "GET", "/h"},
		"bad value":            {"GET /h" + host + "A: \x01\r\n\r\n", 400, "GET", "/h"},
		"bad escape":           {"GET /%zz" + host + "\r\n", 400, "GET", "/%zz"},
		"no version":           {"GET /h\r\n\r\n", 400, "GET", "/h"},
		"later version":        {"GET /h HTTP/3.0\r\nHost: x\r\n\r\n", 505, "GET", "/h"},
		"garbage":              {"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "", ""},
		"coding":               {"POST /h" + host + "Transfer-Encoding: gzip\r\n\r\n", 501, "POST", "/h"},
		"expectation":          {"POST /h" + host + "Expect: much\r\n\r\n", 417, "POST", "/h"},
		"asterisk":             {"OPTIONS *" + host + "\r\n", 404, "OPTIONS", "*"},
		"preface":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, "PRI", "*"},
		"tunnel":               {"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", 404, "CONNECT", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, lines := answered(t, "", row.text)
			require.True(t, strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", row.status)) || answer == "", "%.100q", answer)
			require.Len(t, lines, 1)
			require.EqualValues(t, row.status, lines[0]["status"])
			require.Equal(t, "127.0.0.1", lines[0]["client"])
			require.True(t, strings.HasPrefix(lines[0]["method"].(string), row.method), "%v", lines[0]["method"])
			require.True(t, strings.HasPrefix(lines[0]["path"].(string), row.prefix), "%v", lines[0]["path"])
			require.NotContains(t, lines[0]["path"], "?")
		})
	}
}

// What comes first on a connection is not what is logged of what comes later.
func TestLogTellsRequestsOfAConnectionApart(t *testing.T) {
	t.Parallel()
	for _, between := range []string{"", "hello"} {
		first := fmt.Sprintf("POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(between), between)
		answer, lines := answered(t, "", first+"GET /second HTTP/1.1\r\n\r\n")
		require.Equal(t, 2, strings.Count(answer, "HTTP/1.1 "), "%q", answer)
		require.Len(t, lines, 2)
		require.Equal(t, "/first", lines[0]["path"])
		require.EqualValues(t, 400, lines[1]["status"])
		require.NotEqual(t, "/first", lines[1]["path"])
	}
}

func TestMaxHeaderBytes(t *testing.T) {
	t.Parallel()
	request := "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 100<<10) + "\r\n\r\n"
	_, lines := answered(t, `"max_header_bytes": "128KiB",`, request)
	require.EqualValues(t, 200, lines[0]["status"])
	_, lines = answered(t, `"max_header_bytes": "32KiB",`, request)
	require.EqualValues(t, 431, lines[0]["status"])
}

// Lines are not lost because they are many and long.
func TestLogOfLongLines(t *testing.T) {
	t.Parallel()
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {})
	w := &stuck{begun: make(chan struct{}), proceed: make(chan struct{})}
	s := serveTo(t, w, "", route("/", up, ""))
	cl := client(t)
	get(t, cl, s.URL()+"/first")
	receive(t, w.begun) // and takes no more for now
	for range 100 {
		get(t, cl, s.URL()+"/"+strings.Repeat("%07", 18<<10), "X-Forwarded-For", strings.Repeat("1", 4<<10))
	}
	close(w.proceed)
	shut(t, s)
	require.Equal(t, 101, strings.Count(w.String(), "msg=request"))
	require.Equal(t, proxy.Status{Name: "/", Requests: 1}, s.Status()[0])
}
