package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// asked starts a request and returns a channel with its answer.
func asked(t testing.TB, s *proxy.Server) <-chan reply {
	t.Helper()
	answers, cl := make(chan reply, 1), client(t)
	go func() {
		resp, err := cl.Get(s.URL())
		if err != nil {
			answers <- reply{body: err.Error()}
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		answers <- reply{resp.StatusCode, resp.Header, fmt.Sprint(string(body), err)}
	}()
	return answers
}

// closed starts to close s, and returns when s accepts no connections.
func closed(ctx context.Context, t *bubble, s *proxy.Server) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Close(ctx) }()
	synctest.Wait()
	_, err := t.network.dial(t.Context(), "tcp", strings.TrimPrefix(s.URL(), "http://"))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	return done
}

func TestCloseDrains(t *testing.T) {
	inBubble(t, func(t *bubble) {
		came, answer := make(chan struct{}), make(chan struct{})
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			close(came)
			<-answer
			fmt.Fprint(w, "late")
		})
		s := serve(t, "", route("/", up, `, "limiter": {"rate": "1/s"}, "breaker": {}`))
		answers := asked(t, s)
		receive(t, came)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		done := closed(ctx, t, s)
		require.Empty(t, done, "closed while a request was running")
		close(answer)
		r := receive(t, answers)
		require.Equal(t, http.StatusOK, r.status)
		require.Equal(t, "late<nil>", r.body)
		require.NoError(t, receive(t, done))
		require.ErrorIs(t, receive(t, s.Failed()), http.ErrServerClosed)
	})
}

func TestCloseCutsOff(t *testing.T) {
	inBubble(t, func(t *bubble) {
		came := make(chan struct{})
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			close(came)
			<-r.Context().Done() // when the gateway gives up
		})
		s := serve(t, "", route("/", up, ""))
		answers := asked(t, s)
		receive(t, came)
		ctx, cancel := context.WithCancel(t.Context())
		done := closed(ctx, t, s)
		cancel()
		require.EqualError(t, receive(t, done), "proxy: requests that had not ended in time and were cut off: 1")
		require.Equal(t, http.StatusServiceUnavailable, receive(t, answers).status)
		require.Zero(t, s.Status()[0].Failed)
		require.ErrorIs(t, receive(t, s.Failed()), http.ErrServerClosed)
	})
}

// A connection that has switched to another protocol may end by itself, and is cut off if it does not.
func TestCloseDrainsUpgrades(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, echoUpgrade)
		for _, leaves := range []bool{true, false} {
			s := serve(t, "", route("/", up, ""))
			conn, lines := upgrade(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			done := closed(ctx, t, s)
			require.Empty(t, done)
			fmt.Fprintln(conn, "hello")
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "hello\n", line)
			if leaves {
				require.NoError(t, conn.Close())
				require.NoError(t, receive(t, done))
			} else {
				cancel()
				require.ErrorContains(t, receive(t, done), "cut off: 1")
				_, err = lines.ReadString('\n')
				require.Error(t, err)
				require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			}
			cancel()
			require.ErrorIs(t, receive(t, s.Failed()), http.ErrServerClosed)
		}
	})
}

func TestStartFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	cfg, err := config.Load(fmt.Appendf(nil, `{"listen": %q, "connection": {"rate": "1MB/s"},
		"routes": [{"path": "/", "upstream": "http://x", "limiter": {"rate": "1/s"}, "breaker": {}}]}`, ln.Addr()))
	require.NoError(t, err)
	_, err = proxy.Start(cfg, io.Discard)
	require.ErrorContains(t, err, "in use")
}
