package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/internal/pipes"
)

// The parts that a reload puts out of use are closed when the last request that uses them has
// ended, or when the time of shutdown is up; other parts stay.
func TestPartsEndWithTheirRequests(t *testing.T) {
	for _, late := range []bool{false, true} {
		inBubble(t, func(t *testing.T, n *pipes.Network) {
			ln, err := n.Listen()
			require.NoError(t, err)
			came, proceed := make(chan struct{}), make(chan struct{})
			up := &httptest.Server{Listener: ln, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				close(came)
				<-proceed
			})}}
			up.Start()
			defer up.Close()
			load := func(routes string) *config.Config {
				cfg, err := config.Load(fmt.Appendf(nil, `{"listen": "127.0.0.1:0", "log": "off", "shutdown": "1m", "routes": [%s]}`, routes))
				require.NoError(t, err)
				return cfg
			}
			kept := fmt.Sprintf(`{"path": "/kept", "upstream": %q, "timeout": "1h", "limiter": {"rate": "1/s"}, "breaker": {}}`, up.URL)
			gone := fmt.Sprintf(`{"path": "/", "upstream": %q, "timeout": "1h", "limiter": {"rate": "1/s"}, "breaker": {}}`, up.URL)
			s, err := StartIn(n, load(kept+","+gone), io.Discard)
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close(context.Background())) }()
			held := func() int {
				s.gateway.parts.mu.Lock()
				defer s.gateway.parts.mu.Unlock()
				return len(s.gateway.parts.users)
			}
			before := s.gateway.table.Load()
			client := &http.Client{Transport: &http.Transport{DialContext: n.DialContext, DisableKeepAlives: true}}
			answer := make(chan int, 1)
			go func() { // ends with the answer
				resp, err := client.Get(s.URL())
				if err != nil {
					answer <- 0
					return
				}
				_ = resp.Body.Close()
				answer <- resp.StatusCode
			}()
			<-came
			for range 3 { // each table in between is used by no request
				require.NoError(t, s.Reload(load(kept)))
			}
			now := s.gateway.table.Load()
			require.Same(t, before.routes[0].limits, now.routes[0].limits)
			require.Same(t, before.routes[0].calls, now.routes[0].calls)
			require.Same(t, before.routes[0].outlet, now.routes[0].outlet)
			require.Equal(t, 6, held(), "a part was closed that a request uses")
			if late {
				time.Sleep(time.Minute) // of the bubble
			} else {
				close(proceed)
				require.Equal(t, http.StatusOK, <-answer)
			}
			synctest.Wait()
			require.Equal(t, 3, held())
			require.ErrorIs(t, before.routes[1].limits.Run(t.Context(), "k", func(context.Context) error { return nil }), engine.ErrClosed)
			require.NoError(t, now.routes[0].limits.Run(t.Context(), "k", func(context.Context) error { return nil }))
			if late {
				close(proceed)
				require.Equal(t, http.StatusOK, <-answer, "the request goes on without its engines")
			}
		})
	}
}

// Places go to connections in the order in which these came, and follow a change of their number.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(1)
		require.True(t, p.take(nil, nil))
		got := make(chan int, 3)
		leave := make(chan struct{})
		for i := range 3 {
			go func() { // ends with a place, or with leave
				if p.take(leave, nil) {
					got <- i
				}
			}()
			synctest.Wait()
		}
		require.Empty(t, got)
		p.resize(2)
		require.Equal(t, 0, <-got)
		p.resize(1) // two places are taken
		p.give()
		synctest.Wait()
		require.Empty(t, got)
		p.give()
		require.Equal(t, 1, <-got)
		close(leave)
		synctest.Wait()
		require.Zero(t, p.waiting.Len())
		p.resize(0)
		require.True(t, p.take(nil, nil))
	})
}
