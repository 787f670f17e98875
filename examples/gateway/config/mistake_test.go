package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// Every mistake with its place, its value and what it should be.
func TestMistakes(t *testing.T) {
	for _, row := range []struct {
		name, file string
		want       []string
	}{
		{"empty", "", []string{"1:1: not JSON: unexpected end of JSON input"}},
		{"cut short", "{\n  \"routes\": [", []string{"2:14: not JSON: unexpected end of JSON input"}},
		{"a comma too many", "{\"log\": \"off\",\n}", []string{"2:1: not JSON: invalid character '}' looking for beginning of object key string"}},
		{"trailing data", smallest + "\n {}", []string{"2:2: not JSON: invalid character '{' after top-level value"}},
		{"byte order mark", "\ufeff" + smallest, []string{"1:1: the file begins with a byte order mark; save it as UTF-8 without one"}},
		{"not UTF-8", "{\n\"log\": \"é\xff\"}", []string{"2:10: not UTF-8"}},
		{"empty", `{"listen": "", "log": "", "routes": [{"path": "/", "upstream": "http://x"}]}`, []string{
			`listen = "": must not be empty; leave it out for its default`, `log = "": must not be empty; leave it out for its default`}},
		{"misspelt", `{"routes": [{"path": "/", "upstream": "http://x", "limiter": {"rate": "1/m", "max_wat": "1s", "max_queue": 5}}]}`, []string{
			`routes[0].limiter.max_wat = "1s": unknown field; did you mean "max_wait"?`}},
		{"no object", `[]`, []string{`1:1: must be an object, not an array`}},
		{"nothing in it", `{}`, []string{`routes: missing: there must be at least one route`}},
		{"no routes", `{"routes": []}`, []string{`routes = []: must have at least one route`}},
		{"an empty route", "{\"routes\": [\n {}]}", []string{
			`routes[0].path: missing, such as "/"`, `routes[0].upstream: missing, such as "http://127.0.0.1:9000"`}},
		{"wrong types", `{"listen": 1, "trusted_proxies": "2", "log": {}, "timeouts": [],
			"routes": [5, {"strip_prefix": "yes", "path": null}]}`, []string{
			`listen = 1: must be a string, not a number`,
			`trusted_proxies = "2": must be a number, not a string`,
			`log = {...}: must be a string, not an object`,
			`timeouts = []: must be an object, not an array`,
			`routes[0] = 5: must be an object, not a number`,
			`routes[1].upstream: missing, such as "http://127.0.0.1:9000"`,
			`routes[1].strip_prefix = "yes": must be true or false, not a string`,
			`routes[1].path = null: must not be null; leave it out for its default`}},
		{"in flight", withRoute(`"in_flight": {"max": 0, "max_queue": 3}`), []string{
			`routes[0].in_flight.max = 0: must be from 1 to 1073741824`,
			`routes[0].in_flight.max_queue = 3: is of use only with max_wait; without it no request waits`}},
		{"in flight without a bound", withRoute(`"in_flight": {"max_wait": "1s"}`), []string{
			`routes[0].in_flight.max: missing, such as 20`}},
		{"in flight without end", withRoute(`"in_flight": {"max": 1073741825}`), []string{
			`routes[0].in_flight.max = 1073741825: must be from 1 to 1073741824`}},
		{"in flight, not a number", withRoute(`"in_flight": {"max": "20"}`), []string{
			`routes[0].in_flight.max = "20": must be a number, not a string`}},
		{"unknown", withRoute(`"limitter": {}, "Retry": {}, "burts": 5, "x y": [1]`), []string{
			`routes[0].limitter = {...}: unknown field; did you mean "limiter"?`,
			`routes[0].Retry = {...}: unknown field; did you mean "retry"?`,
			`routes[0].burts = 5: unknown field; known are name, host, path, upstream, strip_prefix, key, limiter, ` +
				`address_limiter, breaker, in_flight, retry, timeout, max_connections`,
			`routes[0]["x y"] = [...]: unknown field; known are name, host, path, upstream, strip_prefix, key, limiter, ` +
				`address_limiter, breaker, in_flight, retry, timeout, max_connections`}},
		{"misspelt and therefore not missing", `{"routes": [{"paht": "/", "upstraem": "http://x"}]}`, []string{
			`routes[0].paht = "/": unknown field; did you mean "path"?`,
			`routes[0].upstraem = "http://x": unknown field; did you mean "upstream"?`}},
		{"twice", "{\"log\": \"off\",\n\"log\": \"json\", " + smallest[1:], []string{`log = "json": given twice, first in line 1`}},
		{"rates", withRoute(`"limiter": {"rate": "100/x", "burst": 3}`), []string{
			`routes[0].limiter.rate = "100/x": the unit must be s, m, h or ms, such as "100/m"`}},
		{"a rate without a slash", withRoute(`"limiter": {"rate": "100"}`), []string{
			`routes[0].limiter.rate = "100": must be a number of requests, a slash and a time, such as "100/m"`}},
		{"a rate of nothing", withRoute(`"limiter": {"rate": "0/h"}`), []string{
			`routes[0].limiter.rate = "0/h": the number must be whole, above 0 and below 2^31, such as "100/h"`}},
		{"a rate in no time", withRoute(`"limiter": {"rate": "5/0s"}`), []string{
			`routes[0].limiter.rate = "5/0s": the time must be more than zero`}},
		{"a rate too high", withRoute(`"limiter": {"rate": "5000000/ms"}`), []string{
			`routes[0].limiter.rate = "5000000/ms": must not be above 1e9 per second`}},
		{"no rate", withRoute(`"limiter": {"burst": 0}`), []string{
			`routes[0].limiter.rate: missing, such as "100/m"`,
			`routes[0].limiter.burst = 0: must be at least 1; leave it out for its default`}},
		{"a bucket that never fills", withRoute(`"limiter": {"rate": "1/1000h", "burst": 2147483647}`), []string{
			`routes[0].limiter.burst = 2147483647: is too large for 1/1000h0m0s: the bucket would take more than 2^61 ns (73 years) to fill`}},
		{"a bucket that never fills by default", withRoute(`"limiter": {"rate": "2000000000/2000000h"}`), []string{
			`routes[0].limiter = {...}: burst is too large for 2000000000/2000000h0m0s: the bucket would take more than 2^61 ns (73 years) to fill`}},
		{"exemptions", `{"exempt": {"addresses": ["10.0.0.1/8", "fe80::1%a", "2001:db8::1", "::ffff:1.2.3.4", 5], "paths": ["/a/../b", "x", "/ok"]}, ` + smallest[1:],
			[]string{`exempt.addresses[0] = "10.0.0.1/8": has bits beyond its length, so write "10.0.0.0/8"`,
				`exempt.addresses[1] = "fe80::1%a": must be an address or a prefix, such as "192.0.2.1", "10.0.0.0/8" or "2001:db8::/64"`,
				`exempt.addresses[2] = "2001:db8::1": an IPv6 address counts as its /64, so write "2001:db8::/64"`,
				`exempt.addresses[3] = "::ffff:1.2.3.4": is an IPv4 address, and must be written as one`,
				`exempt.addresses[4] = 5: must be a string, not a number`,
				`exempt.paths[0] = "/a/../b": must have no empty segment, and none that begins or ends with a space or ends with a dot`,
				`exempt.paths[1] = "x": must begin with "/"`}},
		{"exemptions of another kind", `{"exempt": {"address": []}, ` + smallest[1:], []string{
			`exempt.address = []: unknown field; did you mean "addresses"?`}},
		{"tenants", withRoute(`"limiter": {"rate": "1/s", "tenants": {"a.b": {}, "c": {"rate": "5/x", "brst": 1}, "d": 5,
			"e[0]": {"rate": "1/1000h", "burst": 2147483647}, "f": {"rate": "1/s", "burst": 0}, "d": {"rate": "1/s"}, "": {"rate": "1/s"}}}`), []string{
			`routes[0].limiter.tenants["a.b"].rate: missing, such as "100/m"`,
			`routes[0].limiter.tenants["c"].rate = "5/x": the unit must be s, m, h or ms, such as "5/m"`,
			`routes[0].limiter.tenants["c"].brst = 1: unknown field; did you mean "burst"?`,
			`routes[0].limiter.tenants["d"] = 5: must be an object, not a number`,
			`routes[0].limiter.tenants["e[0]"].burst = 2147483647: is too large for 1/1000h0m0s: the bucket would take more than 2^61 ns (73 years) to fill`,
			`routes[0].limiter.tenants["f"].burst = 0: must be at least 1; leave it out for its default`,
			`routes[0].limiter.tenants["d"] = {...}: given twice, first in line 1`,
			`routes[0].limiter.tenants[""] = {...}: a key must have 1 to 256 bytes`}},
		{"a trial", withRoute(`"limiter": {"rate": "1/s", "shadow": "yes"}`), []string{
			`routes[0].limiter.shadow = "yes": must be true or false, not a string`}},
		{"fixed windows", withRoute(`"limiter": {"rate": "2000/1us", "fixed_window": true, "burst": 5, "tenants": {"a": {"rate": "1/s", "burst": 1}, "b": {"rate": "1/1000000h"}}}`), []string{
			`routes[0].limiter.rate = "2000/1us": must not be above 1e9 per second`,
			`routes[0].limiter.burst = 5: must be left out with fixed_window: all requests of a window may come at once`,
			`routes[0].limiter.tenants["a"].burst = 1: must be left out with fixed_window: all requests of a window may come at once`,
			`routes[0].limiter.tenants["b"].rate = "1/1000000h": must not be above 2^61 ns (73 years)`}},
		{"windows that are not there", withRoute(`"limiter": {"rate": "1/s", "offset": "1h"}`), []string{
			`routes[0].limiter.offset = "1h": is of use only with fixed_window`}},
		{"a queue for nobody", withRoute(`"limiter": {"rate": "1/s", "max_queue": 5}`), []string{
			`routes[0].limiter.max_queue = 5: is of use only with max_wait; without it no request waits`}},
		{"numbers", withRoute(`"breaker": {"failures": -1, "probes": 1.5, "successes": 3e9}, "retry": {"attempts": 9999999999}`), []string{
			`routes[0].breaker.failures = -1: must be at least 1; leave it out for its default`,
			`routes[0].breaker.probes = 1.5: must be a whole number below 2^31, written in digits`,
			`routes[0].breaker.successes = 3e9: must be a whole number below 2^31, written in digits`,
			`routes[0].retry.attempts = 9999999999: must be a whole number below 2^31, written in digits`}},
		{"shares", withRoute(`"breaker": {"failure_rate": 0, "slow_rate": 1.5, "min_calls": 0, "recovery_jitter": 2, "half_open_failures": -1}`), []string{
			`routes[0].breaker.slow_after: missing, such as "2s": slow_rate needs it`,
			`routes[0].breaker.failure_rate = 0: must be above 0 and at most 1; leave it out to judge no share`,
			`routes[0].breaker.slow_rate = 1.5: must be above 0 and at most 1; leave it out to judge no share`,
			`routes[0].breaker.min_calls = 0: must be at least 1; leave it out for its default`,
			`routes[0].breaker.recovery_jitter = 2: must be from 0 to 1`,
			`routes[0].breaker.half_open_failures = -1: must not be negative`}},
		{"shares of another kind", withRoute(`"breaker": {"failure_rate": "50%", "window": "1s", "slow_rate": 1e999, "slow_after": "0s"}`), []string{
			`routes[0].breaker.failure_rate = "50%": must be a number, not a string`,
			`routes[0].breaker.slow_rate = 1e999: is too large`,
			`routes[0].breaker.slow_after = "0s": must be more than zero; leave it out for its default`}},
		{"windows", withRoute(`"breaker": {"failure_rate": 0.5, "window": "9ns"}`), []string{
			`routes[0].breaker.window = "9ns": must be at least 10 ns`}},
		{"two windows", withRoute(`"breaker": {"failure_rate": 0.5, "window": "5s", "window_calls": 10, "min_calls": 11}`), []string{
			`routes[0].breaker.window = "5s": must not stand beside window_calls: the window is a time or a number of requests`,
			`routes[0].breaker.min_calls = 11: must be at most window_calls, 10`}},
		{"a window of too many requests", withRoute(`"breaker": {"failure_rate": 0.5, "window_calls": 100001}`), []string{
			`routes[0].breaker.window_calls = 100001: must be at most 100000`}},
		{"a window for nothing", withRoute(`"breaker": {"slow_after": "1s", "window": "5s", "window_calls": 5, "min_calls": 5}`), []string{
			`routes[0].breaker.slow_after = "1s": is of use only with slow_rate`,
			`routes[0].breaker.window = "5s": is of use only with failure_rate or slow_rate`,
			`routes[0].breaker.window_calls = 5: is of use only with failure_rate or slow_rate`,
			`routes[0].breaker.min_calls = 5: is of use only with failure_rate or slow_rate`}},
		{"shares misspelt", withRoute(`"breaker": {"failurerate": 0.5, "window": "5s"}`), []string{
			`routes[0].breaker.failurerate = 0.5: unknown field; did you mean "failure_rate"?`}},
		{"times misspelt", withRoute(`"breaker": {"slow_rate": 0.5, "slow_aftr": "1s", "jitter": 1}`), []string{
			`routes[0].breaker.slow_aftr = "1s": unknown field; did you mean "slow_after"?`,
			`routes[0].breaker.jitter = 1: unknown field; known are failures, failure_rate, slow_rate, slow_after, window, window_calls, ` +
				`min_calls, recovery, max_recovery, recovery_jitter, probes, successes, half_open_failures, probe_timeout, forget_after`}},
		{"open times that contradict", withRoute(`"breaker": {"recovery": "10s", "max_recovery": "5s", "probe_timeout": "900000h", "forget_after": "soon"}`), []string{
			`routes[0].breaker.max_recovery = "5s": must be at least recovery (10s)`,
			`routes[0].breaker.probe_timeout = "900000h": must be at most 2^61 ns (73 years)`,
			`routes[0].breaker.forget_after = "soon": must be a number with a unit, such as "250ms", "1.5s" or "2m"`}},
		{"an open time beside a wrong one", withRoute(`"breaker": {"recovery": "soon", "max_recovery": "1s"}`), []string{
			`routes[0].breaker.recovery = "soon": must be a number with a unit, such as "250ms", "1.5s" or "2m"`}},
		{"an open time beside a misspelt one", withRoute(`"breaker": {"recvery": "1s", "max_recovery": "1s"}`), []string{
			`routes[0].breaker.recvery = "1s": unknown field; did you mean "recovery"?`}},
		{"force without an address", `{"admin_force": true, ` + smallest[1:], []string{`admin_force = true: is of use only with admin`}},
		{"force without a right address", `{"admin_force": true, "admn": ":9090", ` + smallest[1:], []string{
			`admn = ":9090": unknown field; did you mean "admin"?`}},
		{"delays that contradict", withRoute(`"retry": {"base_delay": "2s", "max_delay": "1s"}`), []string{
			`routes[0].retry.max_delay = "1s": must be at least base_delay (2s)`}},
		{"durations", `{"shutdown": "soon", "timeouts": {"idle": "-1s", "read": 5}, ` + smallest[1:], []string{
			`shutdown = "soon": must be a number with a unit, such as "250ms", "1.5s" or "2m"`,
			`timeouts.idle = "-1s": must be more than zero; leave it out for its default`,
			`timeouts.read = 5: must be a string, not a number`}},
		{"a recovery of a century", withRoute(`"breaker": {"recovery": "876000h"}`), []string{
			`routes[0].breaker.recovery = "876000h": must be at most 2^61 ns (73 years)`}},
		{"bytes", `{"connection": {"rate": "1Mbit/s", "burst": "0KiB"}, ` + smallest[1:], []string{
			`connection.rate = "1Mbit/s": must be a whole number, above 0, with B/s, KB/s, MB/s, GB/s, KiB/s, MiB/s or GiB/s, such as "1MiB/s"`,
			`connection.burst = "0KiB": must be a whole number, above 0, with B, KB, MB, GB, KiB, MiB or GiB, such as "64KiB"`}},
		{"many bytes", `{"connection": {"rate": "99999999999999999999B/s", "burst": "2048GiB"}, ` + smallest[1:], []string{
			`connection.rate = "99999999999999999999B/s": must be below 2048GiB`, `connection.burst = "2048GiB": must be below 2048GiB`}},
		{"bytes out of bounds", `{"connection": {"rate": "65GB/s", "burst": "63B"}, ` + smallest[1:], []string{
			`connection.rate = "65GB/s": must be at most 64GB/s`, `connection.burst = "63B": must be at least 64B`}},
		{"a connection without a rate", `{"connection": {}, ` + smallest[1:], []string{`connection.rate: missing, such as "1MiB/s"`}},
		{"the rest", `{"listen": "8080", "trusted_proxies": 17, "log": "xml", ` + smallest[1:], []string{
			`listen = "8080": must be an address and a port, such as ":8080" or "127.0.0.1:8080"`,
			`trusted_proxies = 17: must be 0 to 16`,
			`log = "xml": must be "text", "json" or "off"`}},
		{"bounds of clients", `{"max_client_connections": 0, "max_header_bytes": "1KiB", "timeouts": {"stall": "0s", "halfclosed": "1s"}, ` + smallest[1:],
			[]string{`max_client_connections = 0: must be at least 1; leave it out for no bound`,
				`max_header_bytes = "1KiB": must be 4KiB to 16MiB`,
				`timeouts.stall = "0s": must be more than zero; leave it out for its default`,
				`timeouts.halfclosed = "1s": unknown field; did you mean "half_closed"?`}},
		{"more bounds of clients", `{"max_client_connections": -1, "max_header_bytes": "17MiB", ` + smallest[1:], []string{
			`max_client_connections = -1: must be at least 1; leave it out for no bound`, `max_header_bytes = "17MiB": must be 4KiB to 16MiB`}},
		{"types of bounds", `{"max_client_connections": 1.5, "max_header_bytes": 4096, ` + smallest[1:], []string{
			`max_client_connections = 1.5: must be a whole number below 2^31, written in digits`,
			`max_header_bytes = 4096: must be a string, not a number`}},
		{"a limit by address", withRoute(`"key": {"header": "a"}, "limiter": {"rate": "1/s"}, "address_limiter": {"burst": 0, "max_queue": 2}`), []string{
			`routes[0].address_limiter.rate: missing, such as "100/m"`,
			`routes[0].address_limiter.burst = 0: must be at least 1; leave it out for its default`,
			`routes[0].address_limiter.max_queue = 2: is of use only with max_wait; without it no request waits`}},
		{"a limit by address too high", withRoute(`"key": {"header": "a"}, "address_limiter": {"rate": "5000000/ms"}`), []string{
			`routes[0].address_limiter.rate = "5000000/ms": must not be above 1e9 per second`}},
		{"a limit by address twice", withRoute(`"limiter": {"rate": "1/s"}, "address_limiter": {"rate": "5/s"}`), []string{
			`routes[0].address_limiter = {...}: is of use only with a key that is a header; with "ip", limiter counts addresses`}},
		{"a limit by address and a wrong key", withRoute(`"key": {"header": "a b"}, "address_limiter": {"rate": "5/s"}`), []string{
			`routes[0].key.header = "a b": must be the name of a header field`}},
		{"an admin address", `{"admin": "metrics", ` + smallest[1:], []string{
			`admin = "metrics": must be an address and a port, such as ":9090" or "127.0.0.1:9090"`}},
		{"an admin port", `{"admin": ":http", ` + smallest[1:], []string{`admin = ":http": the port must be 0 to 65535`}},
		{"no admin address", `{"admin": "", ` + smallest[1:], []string{`admin = "": must not be empty; leave it out for its default`}},
		{"one address for both", `{"admin": ":8080", ` + smallest[1:], []string{`admin = ":8080": is the address of listen (:8080), too`}},
		{"one address for both", `{"listen": "10.0.0.1:80", "admin": "0.0.0.0:80", ` + smallest[1:], []string{
			`admin = "0.0.0.0:80": is the address of listen (10.0.0.1:80), too`}},
		{"one address for both", `{"listen": "[::1]:80", "admin": "[::1]:80", ` + smallest[1:], []string{
			`admin = "[::1]:80": is the address of listen ([::1]:80), too`}},
		{"a port", `{"listen": ":65536", ` + smallest[1:], []string{`listen = ":65536": the port must be 0 to 65535`}},
		{"keys", `{"routes": [{"path": "/a", "upstream": "http://x", "key": "cookie"}, {"path": "/b", "upstream": "http://x", "key": {}},
			{"path": "/c", "upstream": "http://x", "key": {"header": "a b"}}, {"path": "/d", "upstream": "http://x", "key": {"Header": "host"}},
			{"path": "/e", "upstream": "http://x", "key": {"header": "host"}},
			{"path": "/f", "upstream": "http://x", "key": {"header": "proxy-authorization"}},
			{"path": "/g", "upstream": "http://x", "key": {"header": "X-Forwarded-For"}}]}`, []string{
			`routes[0].key = "cookie": must be "ip", or an object such as {"header": "X-API-Key"}`,
			`routes[1].key.header: missing, such as "X-API-Key"`,
			`routes[2].key.header = "a b": must be the name of a header field`,
			`routes[3].key.Header = "host": unknown field; did you mean "header"?`,
			`routes[4].key.header = "host": must not be Host, which tells routes apart and not clients`,
			`routes[5].key.header = "proxy-authorization": must not be a field that no upstream gets as the client has sent the field`,
			`routes[6].key.header = "X-Forwarded-For": must not be a field that no upstream gets as the client has sent the field`}},
		{"twins", `{"routes": [{"path": "/a", "upstream": "http://x"}, {"path": "/a/", "upstream": "http://x"},
			{"name": "/a", "path": "/b", "upstream": "http://x"}]}`, []string{
			`routes[1].path = "/a/": routes[0] has the same host and path`,
			`routes[2].name = "/a": routes[0] has the same name`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := config.Load([]byte(row.file))
			require.Nil(t, c)
			mistakes, ok := errors.AsType[config.Mistakes](err)
			require.True(t, ok, "%v", err)
			var got []string
			for _, m := range mistakes {
				line := m.Error()
				if m.Path != "" {
					requirePlace(t, row.file, m)
					_, line, _ = strings.Cut(line, ": ")
				}
				got = append(got, line)
			}
			require.Equal(t, row.want, got)
			require.Equal(t, len(mistakes), strings.Count(mistakes.Error(), "\n")+1)
		})
	}
}

// requirePlace requires that the place of m is where its value begins, or its name if that is the
// mistake, or the object that misses it.
func requirePlace(t *testing.T, file string, m config.Mistake) {
	t.Helper()
	rest := []rune(strings.Split(file, "\n")[m.Line-1])[m.Column-1:]
	name := m.Path[strings.LastIndexAny(m.Path, ".[")+1:]
	want := strings.TrimSuffix(m.Value, "...}") // what objects and arrays begin with
	want = strings.TrimSuffix(want, "...]")
	switch {
	case strings.HasPrefix(m.Reason, "unknown field"), strings.HasPrefix(m.Reason, "given twice"):
		want = `"` + strings.Trim(name, `"]`) + `"`
	case m.Value == "":
		want = "{"
	}
	require.True(t, strings.HasPrefix(string(rest), want), "%v: there is %q", m, string(rest))
}

func TestAPasswordIsNotShown(t *testing.T) {
	_, err := config.Load([]byte(`{"routes": [{"path": "/", "upstream": "http://me:secret@x"}]}`))
	require.EqualError(t, err, `1:39: routes[0].upstream = "http://***@x": must not carry a user or a password`)
}

// What one field may not be; that it is the field's only mistake goes without saying.
func TestMistakenFields(t *testing.T) {
	for _, row := range []struct{ field, value, want string }{
		{"upstream", "127.0.0.1:9000", "must be a URL"},
		{"upstream", "localhost:9000", "must be a URL that begins with http:// or https://"},
		{"upstream", "ftp://x", "must be a URL that begins with http:// or https://"},
		{"upstream", "http://:80", "must name a host"},
		{"upstream", "http://x:0", "the port must be 1 to 65535"},
		{"upstream", "http://x:70000", "the port must be 1 to 65535"},
		{"upstream", "http://me:secret@x", "must not carry a user or a password"},
		{"upstream", "http://x/?", "must have no ? and no #"},
		{"upstream", "http://x/#a", "must have no ? and no #"},
		{"upstream", "http://x/%zz", `must be a URL: invalid URL escape "%zz"`},
		{"path", "", `must begin with "/"`},
		{"path", "api", `must begin with "/"`},
		{"path", "/a//b", "must have no empty segment"},
		{"path", "/a/../b", "must have no empty segment"},
		{"path", "//", "must have no empty segment"},
		{"path", "/a%20b", "must be a path without %, ? and #"},
		{"path", "/a\\nb", "must have no control characters"},
		{"path", `/a\\b`, `must have no \ and no ;`},
		{"path", "/a;b", `must have no \ and no ;`},
		{"path", "/a\u200bb", "must have no spaces but ordinary ones, and no characters that cannot be seen"},
		{"path", "/a\u00a0b", "must have no spaces but ordinary ones"},
		{"path", "/a/b.", "or ends with a dot"},
		{"path", "/a /b", "begins or ends with a space"},
		{"path", "/./b", "must have no empty segment"},
		{"host", "Example.com", "must be in lower case"},
		{"host", "2001:DB8::1", `is an address, and must be written as "2001:db8::1"`},
		{"host", "0:0::1", `is an address, and must be written as "::1"`},
		{"host", "fe80::1%eth0", `is an address, and must be written as "fe80::1"`},
		{"host", "example.com:80", "must be without a scheme and a port"},
		{"host", "example.com.", "with no dot at either end"},
		{"host", "*.example.com", `'*' cannot be in it`},
		{"name", "a\\tb", "must be printable"},
		{"listen", "host name:80", "must be an address and a port"},
	} {
		fields := map[string]string{"path": "/", "upstream": "http://x"}
		file := `{"routes": [{`
		if row.field == "listen" {
			file = `{"listen": "` + row.value + `", "routes": [{`
		} else {
			fields[row.field] = row.value
		}
		for name, value := range fields {
			file += `"` + name + `": "` + value + `",`
		}
		_, err := config.Load([]byte(strings.TrimSuffix(file, ",") + "}]}"))
		mistakes, ok := errors.AsType[config.Mistakes](err)
		require.True(t, ok, "%s %q: %v", row.field, row.value, err)
		require.Len(t, mistakes, 1, "%s %q", row.field, row.value)
		require.Contains(t, mistakes[0].Reason, row.want)
		require.True(t, strings.HasSuffix(mistakes[0].Path, row.field), mistakes[0].Path)
	}
}
