package enginehttp_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// endOfEach lets a test wait until h has ended a request.
func endOfEach(h http.Handler) (http.Handler, <-chan struct{}) {
	ends := make(chan struct{}, 100)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { ends <- struct{}{} }()
		h.ServeHTTP(w, r)
	}), ends
}

// TestStatsOfAServer: a script over sockets, with clients that leave and handlers that break off.
func TestStatsOfAServer(t *testing.T) {
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		arrived := make(chan struct{})
		next := func(w http.ResponseWriter, r *http.Request) {
			path := r.URL.Path[1:]
			if path != "patient" {
				endingsOfNext[path].next(w, r)
				return
			}
			arrived <- struct{}{}
			<-r.Context().Done()
			w.WriteHeader(http.StatusBadGateway)
		}
		h := &enginehttp.Handler{Engine: guarding(t, engine.Config{Breaker: counting}), Next: http.HandlerFunc(next)}
		outer, ends := endOfEach(h)
		srv := serve(outer)
		post := func(ctx context.Context, path string) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL, nil) // no client repeats a POST
			require.NoError(t, err)
			r.URL.Path = "/" + path
			resp, err := srv.Client().Do(r)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, resp.Body)
			require.NoError(t, resp.Body.Close())
			return err
		}
		var want enginehttp.HandlerStats
		for path, row := range endingsOfNext {
			if path == "101" || path == "Goexit" { // without a Hijack; and net/http does not foresee the other
				continue
			}
			err := post(t.Context(), path)
			require.Equal(t, row.want.Aborted > 0, err != nil, "%s: %v", path, err)
			<-ends
			want = plus(want, row.want)
			require.Equal(t, want, h.Stats(), path)
		}
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { left <- post(ctx, "patient") }()
		<-arrived
		require.Equal(t, 1, h.Stats().InFlight)
		leave()
		require.ErrorIs(t, <-left, context.Canceled)
		<-ends
		require.Equal(t, plus(want, enginehttp.HandlerStats{Status5xx: 1}), h.Stats())
	})
}

// plus returns the sum of a and b.
func plus(a, b enginehttp.HandlerStats) enginehttp.HandlerStats {
	return enginehttp.HandlerStats{
		InFlight:  a.InFlight + b.InFlight,
		Status1xx: a.Status1xx + b.Status1xx, Status2xx: a.Status2xx + b.Status2xx, Status3xx: a.Status3xx + b.Status3xx,
		Status4xx: a.Status4xx + b.Status4xx, Status5xx: a.Status5xx + b.Status5xx,
		Limited: a.Limited + b.Limited, Unavailable: a.Unavailable + b.Unavailable, GaveUp: a.GaveUp + b.GaveUp,
		BadRequest: a.BadRequest + b.BadRequest, Aborted: a.Aborted + b.Aborted,
	}
}

// TestStatsOfAHijackedConnection: the request is in flight until Next ends, whatever is sent.
func TestStatsOfAHijackedConnection(t *testing.T) {
	for name, row := range map[string]struct {
		status int // before Hijack; 0: none
		abort  bool
		want   enginehttp.HandlerStats
	}{
		"without a status":   {0, false, enginehttp.HandlerStats{Status1xx: 1}},
		"after a 101":        {101, false, enginehttp.HandlerStats{Status1xx: 1}},
		"after a 200":        {200, false, enginehttp.HandlerStats{Status2xx: 1}},
		"and then abandoned": {101, true, enginehttp.HandlerStats{Aborted: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &enginehttp.Handler{Engine: guarding(t, engine.Config{Breaker: counting}), Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if row.status > 0 {
					w.WriteHeader(row.status)
				}
				conn, rw, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_, _ = rw.WriteString("hello\n")
				_ = rw.Flush()
				_, _ = io.Copy(io.Discard, rw) // until the client has gone
				if row.abort {
					panic(http.ErrAbortHandler)
				}
			})}
			outer, ends := endOfEach(h)
			srv := httptest.NewUnstartedServer(outer)
			srv.Config.ErrorLog = quiet
			srv.Start()
			defer srv.Close()
			var dialer net.Dialer
			conn, err := dialer.DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
			require.NoError(t, err)
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			require.NoError(t, err)
			for in := bufio.NewReader(conn); ; {
				line, err := in.ReadString('\n')
				require.NoError(t, err)
				if line == "hello\n" {
					break
				}
			}
			require.Equal(t, enginehttp.HandlerStats{InFlight: 1}, h.Stats())
			require.NoError(t, conn.Close())
			<-ends
			require.Equal(t, row.want, h.Stats())
		})
	}
}
