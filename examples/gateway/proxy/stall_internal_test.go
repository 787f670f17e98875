package proxy

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/internal/pipes"
)

// An upstream that stalls, at any place, holds a request for the time of timeout and no longer, and
// has failed.
func TestTimeoutHoldsForHTTP1(t *testing.T) {
	const timeout = `"timeout": "200ms", "breaker": {"failures": 1, "recovery": "1h"}`
	drip := func(first, again string) func(*testing.T, *peer) {
		return func(t *testing.T, p *peer) {
			_, err := p.Read(make([]byte, 4<<10)) // the request
			if err == nil {
				_, err = fmt.Fprint(p, first)
			}
			for err == nil && t.Context().Err() == nil {
				time.Sleep(10 * time.Millisecond) // of the bubble
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
				inBubble(t, func(t *testing.T, n *pipes.Network) {
					listener, err := n.Listen()
					require.NoError(t, err)
					r := gatewayTo(t, n, listener, row.scheme, timeout+bound, nil, func(p *peer) { row.handle(t, p) })
					begun := time.Now()
					status, _ := r.ask(t, http.MethodGet, nil, nil)
					require.Equal(t, http.StatusGatewayTimeout, status)
					require.Equal(t, 200*time.Millisecond, time.Since(begun))
					require.Equal(t, breaker.Open, r.Status()[0].Breaker)
				})
			})
		}
	}
}
