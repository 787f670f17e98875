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
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	defer up.Close()
	gateway, err := begin([]byte(`{"listen": "127.0.0.1:0", "log": "off", "routes": [{"name": "x", "path": "/", "upstream": "` + up.URL + `",
		"limiter": {"rate": "1/h"}, "breaker": {"failures": 1, "recovery": "1h"}}]}`))
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, want := range []int{http.StatusInternalServerError, http.StatusTooManyRequests} {
		resp, err := client.Get(gateway.URL)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.StatusCode)
	}
	err = gateway.Reload([]byte(`{"listen": "127.0.0.1:0", "log": "off", "routes": [{"path": "/", "upstream": "` + up.URL + `"}]}`))
	require.NoError(t, err)
	resp, err := client.Get(gateway.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusInternalServerError, resp.StatusCode, "neither limit nor breaker")
	require.ErrorContains(t, gateway.Reload([]byte(`{"listen": "127.0.0.1:0", "log": "off", "routes": []}`)), "routes = []: must have at least one route")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, gateway.Close(ctx))
	var changes []demo.Change
	for c := range gateway.Changes(ctx) { // ends, since the gateway is closed
		changes = append(changes, c)
	}
	require.Len(t, changes, 1)
	require.Equal(t, "x", changes[0].Route)
	require.Equal(t, "open", changes[0].State)
	require.InDelta(t, time.Hour, changes[0].Until.Sub(changes[0].At), 1)

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
