package config_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestDefaults(t *testing.T) {
	c := load(t, smallest)
	require.Equal(t, ":8080", c.Listen)
	require.Empty(t, c.Admin)
	require.Equal(t, "text", c.Log)
	require.Zero(t, c.TrustedProxies)
	require.Equal(t, config.Duration(10*time.Second), c.Shutdown)
	require.Equal(t, config.Timeouts{ReadHeader: config.Duration(10 * time.Second), Idle: config.Duration(2 * time.Minute),
		Stall: config.Duration(30 * time.Second), HalfClosed: config.Duration(3 * time.Second)}, c.Timeouts)
	require.Zero(t, c.MaxClientConnections)
	require.Equal(t, config.Size(64<<10), c.MaxHeaderBytes)
	require.Nil(t, c.Connection)
	require.Len(t, c.Routes, 1)
	r := c.Routes[0]
	require.Equal(t, "/", r.Name)
	require.Equal(t, "http://127.0.0.1:9000", r.Upstream.String())
	require.Equal(t, "ip", r.Key.String())
	require.Equal(t, config.Duration(30*time.Second), r.Timeout)
	require.Nil(t, r.Limiter)
	_, guarded := r.Engine()
	require.False(t, guarded, "a stage is on that the file does not name")
}

func TestDefaultsOfStages(t *testing.T) {
	r := load(t, withRoute(`"limiter": {"rate": "100/m"}, "breaker": {}, "retry": {}`)).Routes[0]
	require.Equal(t, config.Limiter{Rate: config.Rate{Count: 100, Per: time.Minute}, Burst: 100, MaxQueue: 1024}, *r.Limiter)
	require.Equal(t, config.Breaker{Failures: 5, Recovery: config.Duration(5 * time.Second), Probes: 1, Successes: 1,
		ProbeTimeout: config.Duration(time.Minute), ForgetAfter: config.Duration(time.Minute)}, *r.Breaker)
	require.Equal(t, config.Retry{
		Attempts: 3, BaseDelay: config.Duration(100 * time.Millisecond), MaxDelay: config.Duration(5 * time.Second)}, *r.Retry)
	require.Equal(t, engine.NoWait, r.Limiter.Engine().MaxWait, "a request waits that was not told to")

	r = load(t, withRoute(`"retry": {"max_delay": "20ms"}`)).Routes[0]
	require.Equal(t, config.Duration(20*time.Millisecond), r.Retry.BaseDelay)
	r = load(t, withRoute(`"retry": {"base_delay": "7s"}`)).Routes[0]
	require.Equal(t, config.Duration(7*time.Second), r.Retry.MaxDelay)
}

// With a rate, failures in a row open nothing unless the file says so, and the window has its
// defaults. Other defaults of a breaker follow other fields.
func TestDefaultsOfBreakers(t *testing.T) {
	of := func(timeout, fields string) config.Breaker {
		return *load(t, withRoute(`"timeout": "`+timeout+`", "breaker": {`+fields+`}`)).Routes[0].Breaker
	}
	for _, rate := range []string{`"failure_rate": 0.5`, `"slow_rate": 0.5, "slow_after": "1s"`} {
		b := of("1s", rate)
		require.Zero(t, b.Failures)
		require.Equal(t, config.Duration(10*time.Second), b.Window)
		require.Equal(t, 20, b.MinCalls)
		require.Equal(t, 3, of("1s", `"failures": 3, `+rate).Failures)
	}
	b := of("1s", `"failure_rate": 0.5, "window_calls": 7`)
	require.Zero(t, b.Window)
	require.Equal(t, 7, b.MinCalls)
	require.Equal(t, 20, of("1s", `"failure_rate": 0.5, "window_calls": 21`).MinCalls)
	require.Equal(t, config.Duration(30*time.Second), of("1s", "").ProbeTimeout)
	require.Equal(t, config.Duration(40*time.Second), of("20s", "").ProbeTimeout)
	require.Equal(t, config.Duration(1<<61), of("2000000h", "").ProbeTimeout, "no longer than may be")
	require.Equal(t, config.Duration(70*time.Second), of("1s", `"recovery": "7s"`).ForgetAfter)
	require.LessOrEqual(t, of("1s", `"recovery": "600000h"`).ForgetAfter, config.Duration(1<<61))
}

func TestEverything(t *testing.T) {
	c := load(t, `{
		"$schema": "./schema.json", "listen": "127.0.0.1:0", "admin": ":9090", "admin_force": true, "trusted_proxies": 2, "shutdown": "1m30s", "log": "json",
		"timeouts": {"read_header": "1s", "read": "2s", "write": "3s", "idle": "4s", "stall": "5s", "half_closed": "6s"},
		"connection": {"rate": "500KB/s", "burst": "64KiB"}, "max_client_connections": 1000, "max_header_bytes": "1MiB",
		"routes": [{
			"name": "api", "host": "api.example.com", "path": "/v1/", "upstream": "https://10.0.0.1:8443/base", "strip_prefix": true,
			"key": {"header": "x-api-key"}, "limiter": {"rate": "20/250ms", "burst": 5, "max_wait": "100ms", "max_queue": 7},
			"address_limiter": {"rate": "9/24h", "fixed_window": true, "offset": "5h"},
			"breaker": {"failures": 1, "recovery": "2s", "probes": 3, "successes": 4, "failure_rate": 0.5, "slow_rate": 0.25, "slow_after": "1s",
				"window_calls": 50, "min_calls": 10, "max_recovery": "1m", "recovery_jitter": 0.125, "half_open_failures": 2, "probe_timeout": "7s",
				"forget_after": "2m"},
			"in_flight": {"max": 20, "max_wait": "3s", "max_queue": 40},
			"retry": {"attempts": 2, "base_delay": "10ms", "max_delay": "20ms", "max_elapsed": "1h"},
			"timeout": "250ms", "max_connections": 99}]}`)
	want := config.Config{
		Schema: "./schema.json", Listen: "127.0.0.1:0", Admin: "127.0.0.1:9090", AdminForce: true, TrustedProxies: 2, Shutdown: config.Duration(90 * time.Second), Log: "json",
		Timeouts: config.Timeouts{
			ReadHeader: config.Duration(time.Second), Read: config.Duration(2 * time.Second),
			Write: config.Duration(3 * time.Second), Idle: config.Duration(4 * time.Second),
			Stall: config.Duration(5 * time.Second), HalfClosed: config.Duration(6 * time.Second)},
		Connection:           &config.Connection{Rate: 500_000, Burst: 65_536},
		MaxClientConnections: 1000, MaxHeaderBytes: 1 << 20,
		Routes: []config.Route{{
			Name: "api", Host: "api.example.com", Path: "/v1", Upstream: c.Routes[0].Upstream, StripPrefix: true,
			Key: config.Key{Header: "X-Api-Key"},
			Limiter: &config.Limiter{Rate: config.Rate{Count: 20, Per: 250 * time.Millisecond}, Burst: 5,
				MaxWait: config.Duration(100 * time.Millisecond), MaxQueue: 7},
			AddressLimiter: &config.Limiter{Rate: config.Rate{Count: 9, Per: 24 * time.Hour}, Burst: 9, FixedWindow: true, Offset: config.Duration(5 * time.Hour),
				MaxQueue: 1024},
			Breaker: &config.Breaker{Failures: 1, FailureRate: 0.5, SlowRate: 0.25, SlowAfter: config.Duration(time.Second), WindowCalls: 50, MinCalls: 10,
				Recovery: config.Duration(2 * time.Second), MaxRecovery: config.Duration(time.Minute), RecoveryJitter: 0.125,
				Probes: 3, Successes: 4, HalfOpenFailures: 2,
				ProbeTimeout: config.Duration(7 * time.Second), ForgetAfter: config.Duration(2 * time.Minute)},
			InFlight: &config.InFlight{Max: 20, MaxWait: config.Duration(3 * time.Second), MaxQueue: 40},
			Retry: &config.Retry{Attempts: 2, BaseDelay: config.Duration(10 * time.Millisecond),
				MaxDelay:   config.Duration(20 * time.Millisecond),
				MaxElapsed: config.Duration(time.Hour)},
			Timeout: config.Duration(250 * time.Millisecond), MaxConnections: 99,
		}},
	}
	require.Equal(t, want, *c)
	require.Equal(t, "https://10.0.0.1:8443/base", c.Routes[0].Upstream.String())

	// What an engine is given holds there.
	e, guarded := c.Routes[0].Engine()
	require.True(t, guarded)
	require.Equal(t, breaker.Policy{
		FailureThreshold: 1, FailureRate: 0.5, SlowRate: 0.25, SlowAfter: time.Second, WindowCalls: 50, MinCalls: 10,
		RecoveryTimeout: 2 * time.Second, MaxRecovery: time.Minute, RecoveryJitter: 0.125,
		HalfOpenProbes: 3, HalfOpenSuccesses: 4, HalfOpenFailures: 2, ProbeTimeout: 7 * time.Second, ForgetAfter: 2 * time.Minute,
	}, *e.Breaker)
	w, _ := load(t, withRoute(`"breaker": {"failure_rate": 0.5, "window": "3s"}`)).Routes[0].Engine()
	require.Equal(t, 3*time.Second, w.Breaker.Window)
	require.Equal(t, 2, e.Retry.MaxAttempts)
	for _, cfg := range []engine.Config{e, c.Routes[0].Limiter.Engine(), c.Connection.Engine()} {
		eng, err := engine.New(cfg)
		require.NoError(t, err)
		require.NoError(t, eng.Close(context.Background()))
	}
	require.Equal(t, 100*time.Millisecond, c.Routes[0].Limiter.Engine().MaxWait)
	require.Equal(t, limiter.FixedWindow{Max: 9, Per: 24 * time.Hour, Offset: 5 * time.Hour}, c.Routes[0].AddressLimiter.Engine().Limiter)
	quota := load(t, withRoute(`"limiter": {"rate": "1/h", "fixed_window": true, "offset": "1m", "tenants": {"a": {"rate": "5/s"}}}`)).Routes[0].Limiter.Engine()
	require.Equal(t, limiter.FixedWindow{Max: 5, Per: time.Second, Offset: time.Minute}, quota.LimiterFor("a"))
}

// 500,000 bytes per second are blocks of 64 bytes at 7812.5 per second, one every 128 µs.
func TestConnectionCountsBlocks(t *testing.T) {
	c := load(t, `{"connection": {"rate": "500KB/s"}, `+smallest[1:])
	require.Equal(t, config.Size(500_000), c.Connection.Burst)
	eng, err := engine.New(c.Connection.Engine())
	require.NoError(t, err)
	defer func() { require.NoError(t, eng.Close(context.Background())) }()
	require.Equal(t, 500_000/64, eng.Limits()[0].Capacity())
	require.Equal(t, 128*time.Microsecond, eng.Limits()[0].Interval())

	require.Equal(t, config.Size(1<<20), load(t, `{"connection": {"rate": "1GB/s"}, `+smallest[1:]).Connection.Burst)
	require.Equal(t, config.ByteRate(3e9), load(t, `{"connection": {"rate": "3000000000B/s"}, `+smallest[1:]).Connection.Rate)
	require.Equal(t, config.Size(4<<10), load(t, `{"connection": {"rate": "1B/s"}, `+smallest[1:]).Connection.Burst)
}

// Only an address that says so opens the gateway's own figures to the network.
func TestAdminIsLocal(t *testing.T) {
	for written, want := range map[string]string{
		":9090": "127.0.0.1:9090", ":0": "127.0.0.1:0", "0.0.0.0:9090": "0.0.0.0:9090", "[::]:9090": "[::]:9090",
		"10.0.0.1:8080": "10.0.0.1:8080", "localhost:9090": "localhost:9090",
	} {
		require.Equal(t, want, load(t, `{"listen": "10.0.0.2:8080", "admin": "`+written+`", `+smallest[1:]).Admin)
	}
}
