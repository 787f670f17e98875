package main

import (
	"encoding"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// Every field of the types is in the schema and every one of the schema in the types, of the same
// kind.
func TestSchemaHasTheFieldsOfTheTypes(t *testing.T) {
	v := newValidator(t)
	v.compare(t, v.root, reflect.TypeFor[config.Config](), "")
}

func (v validator) compare(t *testing.T, s map[string]any, of reflect.Type, path string) {
	t.Helper()
	if ref, ok := s["$ref"].(string); ok {
		s = v.def(ref)
	}
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch {
	case of == reflect.TypeFor[config.Key](): // reads more than one kind of value
		require.Contains(t, s, "oneOf", path)
		return
	case reflect.PointerTo(of).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()), of.Kind() == reflect.String && s["enum"] == nil:
		require.Equal(t, "string", s["type"], path)
		return
	case of.Kind() == reflect.Struct:
		require.Equal(t, "object", s["type"], path)
		require.Equal(t, false, s["additionalProperties"], path)
		properties := s["properties"].(map[string]any)
		var names []string
		for field := range of.Fields() {
			name := field.Tag.Get("json")
			names = append(names, name)
			require.Contains(t, properties, name, path)
			v.compare(t, properties[name].(map[string]any), field.Type, path+"."+name)
		}
		require.ElementsMatch(t, names, slices.Collect(maps.Keys(properties)), path)
	case of.Kind() == reflect.Map:
		require.Equal(t, "object", s["type"], path)
		v.compare(t, s["additionalProperties"].(map[string]any), of.Elem(), path+"{}")
	case of.Kind() == reflect.Slice:
		require.Equal(t, "array", s["type"], path)
		v.compare(t, s["items"].(map[string]any), of.Elem(), path+"[]")
	case of.Kind() == reflect.Int:
		require.Equal(t, "integer", s["type"], path)
	case of.Kind() == reflect.Float64:
		require.Equal(t, "number", s["type"], path)
	case of.Kind() == reflect.Bool:
		require.Equal(t, "boolean", s["type"], path)
	default:
		require.NotNil(t, s["enum"], path)
	}
}

// Both say the same of these files.
func TestSchemaAgreesWithLoad(t *testing.T) {
	sample, err := os.ReadFile("gateway.json")
	require.NoError(t, err)
	route := func(more string) string { return `{"routes": [{"path": "/", "upstream": "http://x"` + more + `}]}` }
	v := newValidator(t)
	for _, row := range []struct {
		file  string
		valid bool
	}{
		{string(sample), true},
		{route(``), true},
		{route(`, "breaker": {}, "retry": {}, "key": "ip", "host": "a.b"`), true},
		{route(`, "timeout": "1h2m3.5s", "limiter": {"rate": "20/250ms", "max_wait": "1ms", "max_queue": 3}`), true},
		{route(`, "key": {"header": "X-API-Key"}, "max_connections": 2147483647`), true},
		{`{"connection": {"rate": "1B/s"}, ` + route(``)[1:], true},
		{`{"max_client_connections": 1, "max_header_bytes": "16MiB", ` + route(``)[1:], true},
		{`{"timeouts": {"stall": "1m", "half_closed": "1ms"}, ` + route(``)[1:], true},
		{route(`, "key": {"header": "X-API-Key"}, "limiter": {"rate": "1/s"}, "address_limiter": {"rate": "5/s", "max_wait": "1s", "max_queue": 3}`), true},
		{route(`, "limiter": {"rate": "1/s", "shadow": true}`), true},
		{route(`, "in_flight": {"max": 20}`), true},
		{route(`, "in_flight": {"max": 1, "max_wait": "1s", "max_queue": 3}`), true},
		{route(`, "in_flight": {"max": 1, "max_queue": 3}`), false},
		{route(`, "in_flight": {}`), false},
		{route(`, "in_flight": {"max": 0}`), false},
		{route(`, "in_flight": {"max": 1073741825}`), false},
		{`{"exempt": {}, ` + route(``)[1:], true},
		{`{"exempt": {"addresses": ["10.0.0.0/8", "::/64"], "paths": ["/a"]}, ` + route(``)[1:], true},
		{`{"exempt": {"addresses": ["here"]}, ` + route(``)[1:], false},
		{`{"exempt": {"paths": ["a"]}, ` + route(``)[1:], false},
		{route(`, "limiter": {"rate": "1/s", "tenants": {"a b": {"rate": "2/s", "burst": 5}, "c": {"rate": "1/m"}}}`), true},
		{route(`, "limiter": {"rate": "10000/24h", "fixed_window": true, "offset": "5h", "tenants": {"a": {"rate": "1/h"}}}`), true},
		{route(`, "limiter": {"rate": "1/s", "burst": 2, "fixed_window": false}`), true},
		{route(`, "limiter": {"rate": "1/s", "burst": 2, "fixed_window": true}`), false},
		{route(`, "limiter": {"rate": "1/s", "offset": "1h"}`), false},
		{route(`, "limiter": {"rate": "1/s", "offset": "1h", "fixed_window": false}`), false},
		{route(`, "limiter": {"rate": "1/s", "tenants": {"a": {}}}`), false},
		{route(`, "limiter": {"rate": "1/s", "tenants": {"a": {"rate": "1/s", "max_wait": "1s"}}}`), false},
		{route(`, "limiter": {"rate": "1/s", "tenants": []}`), false},
		{`[]`, false},
		{`{}`, false},
		{`{"routes": []}`, false},
		{`{"routes": [{}]}`, false},
		{`{"routes": [{"path": "/"}]}`, false},
		{`{"routes": [{"upstream": "http://x"}]}`, false},
		{`{"log": "xml", ` + route(``)[1:], false},
		{`{"trusted_proxies": 17, ` + route(``)[1:], false},
		{`{"trusted_proxies": 1.5, ` + route(``)[1:], false},
		{`{"listen": "localhost", ` + route(``)[1:], false},
		{`{"admin": ":9090", ` + route(``)[1:], true},
		{`{"admin": "localhost", ` + route(``)[1:], false},
		{`{"admin": ":9090", "admin_force": true, ` + route(``)[1:], true},
		{`{"admin_force": false, ` + route(``)[1:], true},
		{`{"admin_force": true, ` + route(``)[1:], false},
		{`{"admin": ":9090", "admin_force": "yes", ` + route(``)[1:], false},
		{`{"shutdown": "1", ` + route(``)[1:], false},
		{`{"shutdown": "-1s", ` + route(``)[1:], false},
		{`{"shutdown": null, ` + route(``)[1:], false},
		{`{"connection": {}, ` + route(``)[1:], false},
		{`{"max_client_connections": 0, ` + route(``)[1:], false},
		{`{"max_client_connections": "1", ` + route(``)[1:], false},
		{`{"max_header_bytes": 65536, ` + route(``)[1:], false},
		{`{"timeouts": {"stall": "0"}, ` + route(``)[1:], false},
		{`{"timeouts": {"half_closed": 5}, ` + route(``)[1:], false},
		{route(`, "key": {"header": "a"}, "address_limiter": {}`), false},
		{route(`, "key": {"header": "a"}, "address_limiter": {"rate": "1/s", "max_queue": 3}`), false},
		{route(`, "key": {"header": "a"}, "address_limiter": {"rate": "1/s", "key": "ip"}`), false},
		{`{"connection": {"rate": "1MiB"}, ` + route(``)[1:], false},
		{`{"connection": {"rate": "1MiB/s", "burst": "1"}, ` + route(``)[1:], false},
		{route(`, "unknown": 1`), false},
		{route(`, "key": "cookie"`), false},
		{route(`, "key": {}`), false},
		{route(`, "key": {"header": "a b"}`), false},
		{route(`, "limiter": {}`), false},
		{route(`, "limiter": {"rate": "100"}`), false},
		{route(`, "limiter": {"rate": "1/s", "max_queue": 3}`), false},
		{route(`, "limiter": {"rate": "1/s", "shadow": 1}`), false},
		{route(`, "breaker": {"failures": 0}`), false},
		{route(`, "breaker": {"failure_rate": 0.5, "slow_rate": 1, "slow_after": "1s", "window": "1m", "min_calls": 5}`), true},
		{route(`, "breaker": {"failures": 3, "slow_rate": 1e-3, "slow_after": "1s", "window_calls": 100000, "min_calls": 100}`), true},
		{route(`, "breaker": {"max_recovery": "1m", "recovery_jitter": 1, "half_open_failures": 0, "probe_timeout": "1s", "forget_after": "1h"}`), true},
		{route(`, "breaker": {"failure_rate": 0}`), false},
		{route(`, "breaker": {"failure_rate": 1.01}`), false},
		{route(`, "breaker": {"failure_rate": "50%"}`), false},
		{route(`, "breaker": {"slow_rate": 0.5}`), false},
		{route(`, "breaker": {"slow_after": "1s"}`), false},
		{route(`, "breaker": {"slow_rate": -0.5, "slow_after": "1s"}`), false},
		{route(`, "breaker": {"window": "1s"}`), false},
		{route(`, "breaker": {"window_calls": 10}`), false},
		{route(`, "breaker": {"min_calls": 10}`), false},
		{route(`, "breaker": {"failure_rate": 0.5, "window": "1s", "window_calls": 10}`), false},
		{route(`, "breaker": {"failure_rate": 0.5, "window_calls": 100001}`), false},
		{route(`, "breaker": {"failure_rate": 0.5, "min_calls": 0}`), false},
		{route(`, "breaker": {"recovery_jitter": 1.1}`), false},
		{route(`, "breaker": {"recovery_jitter": -0.1}`), false},
		{route(`, "breaker": {"half_open_failures": -1}`), false},
		{route(`, "breaker": {"probe_timeout": 5}`), false},
		{route(`, "breaker": {"forget_after": "0"}`), false},
		{route(`, "retry": {"attempts": 2147483648}`), false},
		{route(`, "strip_prefix": "yes"`), false},
		{strings.Replace(route(``), `"/"`, `"x"`, 1), false},
		{strings.Replace(route(``), `"/"`, `"/x;y"`, 1), false},
		{strings.Replace(route(``), `"/"`, `"/x\\y"`, 1), false},
		{strings.Replace(route(``), `http:`, `ftp:`, 1), false},
	} {
		_, err := config.Load([]byte(row.file))
		require.Equal(t, row.valid, err == nil, "Load of %s: %v", row.file, err)
		var value any
		require.NoError(t, json.Unmarshal([]byte(row.file), &value))
		wrong := v.check(v.root, value, "")
		require.Equal(t, row.valid, len(wrong) == 0, "the schema on %s: %v", row.file, wrong)
	}
}

// A file that gives every default that the schema names means the same as one that gives none.
func TestSchemaNamesTheDefaults(t *testing.T) {
	v := newValidator(t)
	none := map[string]any{"routes": []any{map[string]any{"path": "/", "upstream": "http://x", "name": "x",
		"limiter": map[string]any{"rate": "1/s", "max_wait": "1s"}, "breaker": map[string]any{}, "retry": map[string]any{}}}}
	plain, err := json.Marshal(none)
	require.NoError(t, err)
	n := v.give(v.root, none)
	given, err := json.Marshal(none)
	require.NoError(t, err)
	require.Equal(t, 24, n, "defaults that the schema names")

	want, err := config.Load(plain)
	require.NoError(t, err)
	got, err := config.Load(given)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// give adds to value every default that s names, and returns how many that are.
func (v validator) give(s map[string]any, value any) (n int) {
	if ref, ok := s["$ref"].(string); ok {
		s = v.def(ref)
	}
	if items, ok := value.([]any); ok {
		for _, item := range items {
			n += v.give(s["items"].(map[string]any), item)
		}
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return n
	}
	for name, property := range s["properties"].(map[string]any) {
		p := property.(map[string]any)
		if fields[name] == nil && name == "timeouts" {
			fields[name] = map[string]any{}
		}
		if d, ok := p["default"]; ok {
			fields[name] = d
			n++
		} else if fields[name] != nil {
			n += v.give(p, fields[name])
		}
	}
	return n
}
