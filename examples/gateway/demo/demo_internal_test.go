package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunTellsWhyTheGatewayDidNotStart(t *testing.T) {
	wrong := errors.New("port in use")
	err := Run(t.Context(), os.Stderr, func([]byte) (*Gateway, error) { return nil, wrong })
	require.ErrorIs(t, err, wrong)
	require.ErrorContains(t, err, "starting the gateway: port in use")
}

func TestRunTellsThatTheGatewayDoesNotServe(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	wrong := errors.New("still busy")
	err := Run(t.Context(), os.Stderr, func([]byte) (*Gateway, error) {
		return &Gateway{URL: server.URL, Close: func(context.Context) error { return wrong }}, nil
	})
	require.Regexp(t, "^the gateway does not serve /[a-z]+/: it answers 404 Not Found\nclosing the gateway: still busy$", err.Error())
	require.ErrorIs(t, err, wrong)
}

// readFile reads a configuration that has no other fields than file has.
func readFile(t *testing.T, config []byte) (c file) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&c))
	return c
}

func TestConfig(t *testing.T) {
	require.True(t, json.Valid([]byte(template)), "also before the addresses are filled in")
	ups, err := openUpstreams(tenSeconds(), &loopback{})
	require.NoError(t, err)
	defer func() { require.NoError(t, ups.close()) }()

	reformed := readFile(t, ups.config(true))
	c := readFile(t, ups.config(false))
	require.Equal(t, "40/s", reformed.Routes[0].Limiter.Rate)
	reformed.Routes[0].Limiter.Rate = c.Routes[0].Limiter.Rate
	require.Equal(t, c, reformed, "nothing else changes")
	require.Equal(t, "127.0.0.1:0", c.Listen)
	require.Equal(t, "off", c.Log, "an access log would be written over the view")
	require.Equal(t, map[string]string{"rate": "1MiB/s", "burst": "64KiB"}, c.Connection)
	require.Len(t, c.Routes, len(ups.servers))
	for i, r := range c.Routes {
		u := ups.servers[i]
		require.Equal(t, u.route.name, r.Name)
		require.Equal(t, "/"+r.Name+"/", r.Path)
		require.Equal(t, "http://"+u.address, r.Upstream)
		require.Equal(t, "X-API-Key", r.Key["header"])
		require.Equal(t, "50/s", r.Limiter.Rate)
		require.Equal(t, ups.script.burst, r.Limiter.Burst)
	}
}

func TestScript(t *testing.T) {
	s := tenSeconds()
	for at, want := range map[time.Duration]mood{
		0: well, 2*time.Second - 1: well, 2 * time.Second: hanging, 3500 * ms: resetting, 5 * time.Second: unavailable,
		7*time.Second - 1: unavailable, 7 * time.Second: well, time.Hour: well,
	} {
		require.Equal(t, want, s.mood(at), at)
	}
	require.Equal(t, 2, s.patient())
	require.Equal(t, "scraper", s.cast[s.greedy()].name)
	middle := s.reform.at - s.cast[s.greedy()].wave/2
	require.False(t, s.cast[s.greedy()].rests(middle), "the reform falls into a wave, when the bucket is empty")
	require.True(t, s.cast[s.greedy()].rests(middle-1))
	require.LessOrEqual(t, utf8.RuneCountInString(s.routes[2].name)+2, margin)
}
