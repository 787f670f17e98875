package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// A machine that has no room for another connection has itself to blame, and says so at once.
func TestNoRoomForAConnectionIsNoFailure(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "well") }))
	t.Cleanup(up.Close)
	for _, bound := range []string{"", `, "max_connections": 5`} {
		cfg, err := config.Load(fmt.Appendf(nil, `{"listen": "127.0.0.1:0", "log": "off", "routes": [{"path": "/", "upstream": %q,
			"breaker": {"failures": 1, "recovery": "1h"}, "retry": {"base_delay": "1ms"} %s}]}`, up.URL, bound))
		require.NoError(t, err)
		s, err := Start(cfg, io.Discard)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
		r := &rig{s, new(net.Dialer).DialContext}
		base := s.gateway.table.Load().routes[0].base
		dial, reason := base.DialContext, atomic.Pointer[error]{}
		base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if err := reason.Load(); err != nil {
				return nil, *err
			}
			return dial(ctx, network, addr)
		}
		for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
			for _, err := range []error{
				&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", errno)},
				&net.DNSError{Err: "socket: " + errno.Error()},
				errors.Join(errors.New("several"), errno),
			} {
				reason.Store(&err)
				status, _ := r.ask(t, http.MethodGet, nil, nil)
				require.Equal(t, http.StatusServiceUnavailable, status, "%v", err)
			}
		}
		reason.Store(nil)
		status, body := r.ask(t, http.MethodGet, nil, nil)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "well", body)
		require.Equal(t, Status{Name: "/", Breaker: breaker.Closed, Requests: 16, Unavailable: 15}, s.gateway.Status()[0])

		var refused error = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
		reason.Store(&refused)
		base.CloseIdleConnections()
		status, _ = r.ask(t, http.MethodGet, nil, nil)
		require.Equal(t, http.StatusServiceUnavailable, status) // the second attempt finds it open
		require.Equal(t, breaker.Open, s.gateway.Status()[0].Breaker, "an upstream that refuses is well")
	}
}
