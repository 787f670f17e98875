package pipes_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/examples/internal/pipes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAServerInABubble has a request take an hour, which is over at once.
func TestAServerInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n pipes.Network
		l, err := n.Listen()
		require.NoError(t, err)
		server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Hour) // of the bubble
			_, _ = io.WriteString(w, r.Host)
		})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }() // ends with Close

		client := &http.Client{Transport: &http.Transport{DialContext: n.DialContext}}
		begun := time.Now()
		resp, err := client.Get("http://" + l.Addr().String())
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, l.Addr().String(), string(body))
		require.Equal(t, time.Hour, time.Since(begun))

		client.CloseIdleConnections()
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
}

func TestDialWithoutAListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n pipes.Network
		_, err := n.DialContext(t.Context(), "tcp", "192.0.2.1:80")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)

		l, err := n.Listen()
		require.NoError(t, err)
		patience, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = n.DialContext(patience, "tcp", l.Addr().String())
		require.ErrorIs(t, err, context.DeadlineExceeded, "nobody accepts")

		time.AfterFunc(time.Minute, func() { require.NoError(t, l.Close()) })
		_, err = n.DialContext(t.Context(), "tcp", l.Addr().String())
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		_, err = l.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		require.NoError(t, l.Close(), "twice")
	})
}

func TestAddressesDiffer(t *testing.T) {
	var n pipes.Network
	first, err := n.Listen()
	require.NoError(t, err)
	second, err := n.Listen()
	require.NoError(t, err)
	require.NotEqual(t, first.Addr(), second.Addr())
	require.Equal(t, "pipe", first.Addr().Network())
}
