package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// An upstream that stalls holds a request for as long as timeout says and no longer, wherever it
// stalls, and it is its failure.
func TestTimeoutHoldsForHTTP1(t *testing.T) {
	const timeout = `"timeout": "200ms", "breaker": {"failures": 1, "recovery": "1h"}`
	drip := func(first, again string) func(*testing.T, *peer) {
		return func(t *testing.T, p *peer) {
			_, err := p.Read(make([]byte, 4<<10)) // the request
			if err == nil {
				_, err = fmt.Fprint(p, first)
			}
			for err == nil && t.Context().Err() == nil {
				time.Sleep(10 * time.Millisecond)
				_, err = fmt.Fprint(p, again)
			}
		}
	}
	for name, row := range map[string]struct {
		scheme string
		handle func(*testing.T, *peer)
	}{
		"no handshake":      {"https", func(t *testing.T, p *peer) { p.hold(t) }},
		"half a handshake":  {"https", func(t *testing.T, p *peer) { _, _ = p.Write([]byte{22, 3, 3}); p.hold(t) }},
		"no answer":         {"http", func(t *testing.T, p *peer) { _, _ = io.Copy(io.Discard, p) }},
		"half an answer":    {"http", drip("HTTP/1.1 200 OK\r\nA:", "")},
		"a header by drips": {"http", drip("HTTP/1.1 200 OK\r\nA: ", "b")},
		"fields by drips":   {"http", drip("HTTP/1.1 200 OK\r\n", "A: b\r\n")},
		"hints by drips":    {"http", drip("", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")},
		"continues":         {"http", drip("", "HTTP/1.1 100 Continue\r\n\r\n")},
	} {
		for _, bound := range []string{"", `, "max_connections": 2`} {
			t.Run(name+bound, func(t *testing.T) {
				t.Parallel()
				listener, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				s, g := gatewayTo(t, listener, row.scheme, timeout+bound, nil, func(p *peer) { row.handle(t, p) })
				status, _ := ask(t, s, http.MethodGet, nil, nil)
				require.Equal(t, http.StatusGatewayTimeout, status)
				require.Equal(t, breaker.Open, g.Status()[0].Breaker)
			})
		}
	}
}
