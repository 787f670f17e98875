package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// raw sends text as it is and returns what is answered.
func raw(t testing.TB, s *proxy.Server, text string) reply {
	t.Helper()
	conn := dial(t, s)
	defer conn.Close()
	fmt.Fprint(conn, text)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: strings.Fields(text)[0]})
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// What net/http takes from a client but would not send to an upstream is the client's mistake: else anybody could open a breaker.
func TestMalformedRequestsAreNobodyElsesFailure(t *testing.T) {
	var asked atomic.Int64
	up := upstream(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	s := serve(t, "", route("/", up, `, "breaker": {"failures": 1, "recovery": "1h"}`))
	for _, fields := range []string{
		"Transfer-Encoding: chunked\r\nTrailer: no token\r\n\r\n0\r\n",
		"Connection: Upgrade\r\nUpgrade: \xc3\xa9\r\n",
	} {
		require.Equal(t, http.StatusBadRequest, raw(t, s, "POST / HTTP/1.1\r\nHost: x\r\n"+fields+"\r\n").status, fields)
	}
	require.Zero(t, asked.Load())
	require.Equal(t, proxy.Status{Name: "/", Breaker: breaker.Closed}, s.Status()[0])
}

func TestFormsOfARequest(t *testing.T) {
	up := upstream(t, name("up"))
	s := serve(t, "", route("/", up, ""), route("/", up, `, "host": "2001:db8::1", "strip_prefix": true, "name": "v6"`))
	for _, row := range []struct{ head, want string }{
		{"GET http://x HTTP/1.1\r\nHost: x", "up /"},
		{"GET http://x?q HTTP/1.1\r\nHost: x", "up /?q"},
		{"GET http://[2001:db8::1] HTTP/1.1\r\nHost: x", "up /"},
		{"GET / HTTP/1.0", "up /"},
	} {
		r := raw(t, s, row.head+"\r\n\r\n")
		require.Equal(t, http.StatusOK, r.status, row.head)
		require.Equal(t, row.want, r.body, row.head)
	}
	for _, host := range []string{"[2001:db8::1]", "[2001:DB8:0::1]", "[2001:db8:0:0:0:0:0:1]:8080"} {
		before := s.Status()[1].Requests
		require.Equal(t, http.StatusOK, raw(t, s, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n").status)
		require.Equal(t, before+1, s.Status()[1].Requests, host)
	}
	require.Equal(t, http.StatusNotFound, raw(t, s, "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n").status)
}
