package config_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// Whatever the file: no panic, and either mistakes, each with a place in the file, or a configuration of which engines can be made.
func FuzzLoad(f *testing.F) {
	f.Add(smallest)
	f.Add(withRoute(`"limiter": {"rate": "20/250ms", "max_wait": "1s"}, "breaker": {"recovery": "1s"}, "retry": {"max_delay": "1ms"}`))
	f.Add(withRoute(`"breaker": {"failure_rate": 0.5, "slow_rate": 1e-300, "slow_after": "1ns", "window": "10ns", "min_calls": 1, "max_recovery": "73y"}`))
	f.Add(withRoute(`"timeout": "2000000h", "breaker": {"failure_rate": 1e-400, "window_calls": 100000, "recovery": "600000h", "recovery_jitter": -0}`))
	f.Add(withRoute(`"key": {"header": "X-API-Key"}, "timeout": "1h", "strip_prefix": true, "host": "a.b", "name": "é"`))
	f.Add(`{"connection": {"rate": "1B/s", "burst": "2GiB"}, ` + smallest[1:])
	f.Add(`{"routes": [{"path": "/", "upstreem": "http://[::1]:80", "limiter": {"rate": "1/0.001h"}, "limiter": null}, []]}`)
	f.Add("{\"listen\": \"\xff\"}")
	f.Add(strings.Repeat("[", 20_000))
	f.Fuzz(func(t *testing.T, file string) {
		c, err := config.Load([]byte(file))
		if err != nil {
			require.Nil(t, c)
			requireMistakes(t, file, err)
			return
		}
		require.True(t, json.Valid([]byte(file)))
		require.True(t, utf8.ValidString(file))
		require.NotEmpty(t, c.Routes)
		for _, r := range c.Routes {
			require.True(t, strings.HasPrefix(r.Path, "/"))
			require.NotEmpty(t, r.Upstream.Host)
			require.Positive(t, r.Timeout)
			if cfg, guarded := r.Engine(); guarded {
				requireEngine(t, cfg)
			}
			if r.Limiter != nil {
				requireEngine(t, r.Limiter.Engine())
				var again config.Rate
				require.NoError(t, again.UnmarshalText([]byte(r.Limiter.Rate.String())))
				require.Equal(t, r.Limiter.Rate, again)
			}
		}
		if c.Connection != nil {
			requireEngine(t, c.Connection.Engine())
			var again config.Size
			require.NoError(t, again.UnmarshalText([]byte(c.Connection.Burst.String())))
			require.Equal(t, c.Connection.Burst, again)
		}
	})
}

func requireMistakes(t *testing.T, file string, err error) {
	t.Helper()
	mistakes, ok := errors.AsType[config.Mistakes](err)
	require.True(t, ok, "%v", err)
	require.NotEmpty(t, mistakes)
	lines := strings.Split(file, "\n")
	before := config.Mistake{}
	for _, m := range mistakes {
		require.NotEmpty(t, m.Reason)
		require.True(t, m.Line >= 1 && m.Line <= len(lines), "%v", m)
		require.True(t, m.Column >= 1 && m.Column <= len(lines[m.Line-1])+1, "%v", m)
		require.True(t, m.Line > before.Line || m.Line == before.Line && m.Column >= before.Column, "%v comes after %v", m, before)
		before = m
	}
}

func requireEngine(t *testing.T, cfg engine.Config) {
	t.Helper()
	eng, err := engine.New(cfg)
	require.NoError(t, err)
	require.NoError(t, eng.Close(context.Background()))
}
