package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/demo"
)

// The gateway of the demonstration serves what it is told to and says what it does.
func TestBegin(t *testing.T) {
	up := httptest.NewServer(http.NotFoundHandler())
	defer up.Close()
	gateway, err := begin([]byte(`{"listen": "127.0.0.1:0",
		"routes": [{"name": "x", "path": "/", "upstream": "` + up.URL + `", "limiter": {"rate": "1/h"}}]}`))
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, want := range []int{http.StatusNotFound, http.StatusTooManyRequests} {
		resp, err := client.Get(gateway.URL)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.StatusCode)
	}
	require.Equal(t, []demo.Route{{Name: "x", Breaker: "closed"}}, gateway.Status())
	err = gateway.Reload([]byte(`{"listen": "127.0.0.1:0", "routes": [{"path": "/new", "upstream": "` + up.URL + `", "breaker": {}}]}`))
	require.NoError(t, err)
	require.Equal(t, []demo.Route{{Name: "/new", Breaker: "closed"}}, gateway.Status())
	require.ErrorContains(t, gateway.Reload([]byte(`{"listen": "127.0.0.1:0", "routes": []}`)), "routes = []: must have at least one route")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, gateway.Close(ctx))

	_, err = begin([]byte(`{}`))
	require.ErrorContains(t, err, "routes")
}

// Without a file there is the demonstration, which ends when it is told to.
func TestDemonstration(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, _, stderr := called(t, ctx)
	require.Equal(t, good, code, stderr)
	require.Empty(t, stderr)
}
