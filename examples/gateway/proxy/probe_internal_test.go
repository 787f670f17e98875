package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/internal/pipes"
)

// A small upload keeps no probe either if the breaker has become half-open only after the prober
// has asked.
func TestSmallUploadsThatBecomeProbesKeepNone(t *testing.T) {
	t.Parallel()
	for _, more := range []string{"", `, "retry": {"base_delay": "1ms"}`} {
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			inBubble(t, func(t *testing.T, n *pipes.Network) {
				listener, err := n.Listen()
				require.NoError(t, err)
				var well atomic.Bool
				r := gatewayTo(t, n, listener, "http", `"breaker": {"failures": 1, "recovery": "1s"}`+more, nil, func(p *peer) {
					for in := bufio.NewReader(p); ; {
						req, err := http.ReadRequest(in)
						if err != nil {
							return
						}
						status := http.StatusServiceUnavailable
						if well.Load() {
							status = http.StatusOK
						}
						if _, err := io.Copy(io.Discard, req.Body); err != nil {
							return
						}
						fmt.Fprintf(p, "HTTP/1.1 %d Status\r\nContent-Length: 0\r\n\r\n", status)
					}
				})
				r.gateway.table.Load().routes[0].handler.(*httputil.ReverseProxy).Transport.(*prober).probing = func() bool { return false }
				status, _ := r.ask(t, http.MethodGet, nil, nil)
				require.Equal(t, http.StatusServiceUnavailable, status)
				time.Sleep(time.Second)
				require.Equal(t, breaker.HalfOpen, r.Status()[0].Breaker)
				well.Store(true)

				conn, err := r.dial(t.Context(), "tcp", r.URL()[len("http://"):])
				require.NoError(t, err)
				fmt.Fprint(conn, method+" / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
				synctest.Wait()
				status, _ = r.ask(t, http.MethodGet, nil, nil)
				require.Equal(t, http.StatusServiceUnavailable, status, "the upload is the probe")
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
				status, _ = r.ask(t, http.MethodGet, nil, nil)
				require.Equal(t, http.StatusOK, status, "and then it is not")
				require.Equal(t, breaker.Closed, r.Status()[0].Breaker)
				require.NoError(t, conn.Close())
			})
		}
	}
}
