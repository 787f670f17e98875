package enginehttp_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// TestEventsArriveBeforeTheHandlerEnds: a stream of events is not held back, and its beginning has the fields.
func TestEventsArriveBeforeTheHandlerEnds(t *testing.T) {
	for name, flush := range map[string]func(http.ResponseWriter) error{
		"Flusher":            func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil },
		"ResponseController": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
				next := make(chan string)
				srv := serve(&enginehttp.Handler{
					Engine: guarding(t, anHourLeft()),
					Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Content-Type", "text/event-stream")
						if err := flush(w); err != nil { // the header alone
							t.Error(err)
						}
						for event := range next {
							_, _ = io.WriteString(w, "data: "+event+"\n\n")
							if err := flush(w); err != nil {
								t.Error(err)
							}
						}
					}),
				})
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
				require.NoError(t, err)
				resp, err := srv.Client().Do(req) // returns while the handler waits for the first event
				require.NoError(t, err)
				defer resp.Body.Close()
				require.Equal(t, `"default";r=0;t=3600`, resp.Header.Get("RateLimit"))
				events := bufio.NewReader(resp.Body)
				for _, event := range []string{"one", "two"} {
					next <- event
					line, err := events.ReadString('\n')
					require.NoError(t, err)
					require.Equal(t, "data: "+event+"\n", line)
					_, err = events.ReadString('\n')
					require.NoError(t, err)
				}
				close(next)
				_, err = events.ReadByte()
				require.ErrorIs(t, err, io.EOF)
			})
		})
	}
}

// TestUpgradedConnection: a handler takes the connection over, as for a WebSocket, and that is a success when it ends.
func TestUpgradedConnection(t *testing.T) {
	for name, hijack := range map[string]func(http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error){
		"Hijacker": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) { return w.(http.Hijacker).Hijack() },
		"ResponseController": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			return http.NewResponseController(w).Hijack()
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := &enginehttp.Handler{
				Engine: guarding(t, opensAtOnce()),
				Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					conn, rw, err := hijack(w)
					if err != nil {
						t.Error(err)
						return
					}
					defer conn.Close()
					_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
					_ = rw.Flush()
					_, _ = io.Copy(conn, rw.Reader) // until the client has said all
				}),
			}
			ended := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				h.ServeHTTP(w, r)
			}))
			defer srv.Close()
			var dialer net.Dialer
			conn, err := dialer.DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			require.NoError(t, err)
			r := bufio.NewReader(conn)
			resp, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
			for _, message := range []string{"ping\n", "pong\n"} {
				_, err = io.WriteString(conn, message)
				require.NoError(t, err)
				echo, err := r.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, message, echo)
			}
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			<-ended
			_, err = h.Engine.Admit(t.Context(), "127.0.0.1")
			require.NoError(t, err, "the breaker is closed")
		})
	}
}

// TestAHijackedConnectionHasNoStatus: whatever is written to the writer after the connection was taken is not sent.
func TestAHijackedConnectionHasNoStatus(t *testing.T) {
	h := &enginehttp.Handler{
		Engine: guarding(t, opensAtOnce()),
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			w.WriteHeader(500)
			_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
			_ = conn.Close()
		}),
	}
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = quiet
	srv.Start()
	defer srv.Close()
	require.Equal(t, http.StatusNoContent, answered(t, srv, http.MethodPost).status)
	require.Equal(t, http.StatusNoContent, answered(t, srv, http.MethodPost).status)
}
