package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysReportsEngines(t *testing.T) {
	g := gatewayOf(t, byKey, `{"name": "site", "path": "/", "upstream": "http://192.0.2.1:9001", "limiter": {"rate": "1/h"}}`,
		`{"name": "open", "path": "/open", "upstream": "http://192.0.2.1:9002"}`)
	s := &Server{gateway: g}
	clients := guard(t, g, "api", "client")
	for i := range 20 {
		for range i {
			clients.Engine.Allow(fmt.Sprintf("secret %d", i))
		}
	}
	got := reports(t, s, "/debug/keys")
	require.Len(t, got, 4)
	for i, want := range []engineReport{
		{Route: "api", Engine: "address"}, {Route: "api", Engine: "client", Hidden: true, Keys: 19}, {Route: "api", Engine: "upstream"},
		{Route: "site", Engine: "client"},
	} {
		most := got[i].MostRefused
		require.NotNil(t, most, "an empty list, not null")
		want.MostRefused = most
		require.Equal(t, want, got[i])
		require.Len(t, most, map[bool]int{true: 10, false: 0}[i == 1])
	}
	require.Equal(t, refusedKey{clients.Shown("secret 19"), 16}, got[1].MostRefused[0])
	require.Len(t, reports(t, s, "/debug/keys?n=2&route=api")[1].MostRefused, 2)
	require.Empty(t, reports(t, s, "/debug/keys?n=0")[1].MostRefused)
	require.Len(t, reports(t, s, "/debug/keys?route=site"), 1)
}

// A key is found by its value and by its hash, and is shown as a hash.
func TestKeysReportsAKey(t *testing.T) {
	g := gatewayOf(t, byKey)
	s := &Server{gateway: g}
	clients, upstream := guard(t, g, "api", "client"), guard(t, g, "api", "upstream")
	for range 4 {
		clients.Engine.Allow("secret")
	}
	fail(t, upstream, "192.0.2.1:9000")
	hash := clients.Shown("secret")
	for _, name := range []string{"secret", hash} {
		got := reports(t, s, "/debug/keys?key="+name)
		require.Nil(t, got[0].Key, "no address")
		require.Nil(t, got[2].Key, "no upstream")
		key := got[1].Key
		require.Greater(t, key.RetryIn, 3590.0)
		require.Greater(t, key.Limits[0].Wait, 3590.0)
		key.RetryIn, key.Limits[0].Wait = 0, 0
		require.InDelta(t, 0, key.Limits[0].Available, 0.01)
		key.Limits[0].Available = 0
		require.Equal(t, &keyReport{
			Key: hash, Known: true, Stage: "limiter", Breaker: "closed", Limits: []limitReport{{Capacity: 3, Rate: 1.0 / 3600}},
		}, key)
	}
	unknown := reports(t, s, "/debug/keys?key=nobody")[1].Key
	require.Equal(t, &keyReport{
		Key: clients.Shown("nobody"), Passes: true, Breaker: "closed", Limits: []limitReport{{Capacity: 3, Rate: 1.0 / 3600, Available: 3}},
	}, unknown)

	broken := reports(t, s, "/debug/keys?key=192.0.2.1:9000")[2].Key
	require.Greater(t, broken.OpenFor, 3590.0)
	require.Greater(t, broken.RetryIn, 3590.0)
	broken.OpenFor, broken.RetryIn = 0, 0
	require.Equal(t, &keyReport{Key: "192.0.2.1:9000", Known: true, Stage: "breaker", Breaker: "open", Failures: broken.Failures,
		Limits: []limitReport{}}, broken)
}

// An address has the key that its requests have.
func TestKeysReportsAnAddress(t *testing.T) {
	g := gatewayOf(t, byKey)
	s := &Server{gateway: g}
	addresses := guard(t, g, "api", "address")
	addresses.Engine.Allow("2001:db8::/64")
	addresses.Engine.Allow("192.0.2.7")
	for text, want := range map[string]string{
		"2001:db8::5": "2001:db8::/64", "2001:db8::/64": "2001:db8::/64", "192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
	} {
		key := reports(t, s, "/debug/keys?key="+url.QueryEscape(text))[0].Key
		require.NotNil(t, key, text)
		require.Equal(t, want, key.Key)
		require.True(t, key.Known)
		require.InDelta(t, 4, key.Limits[0].Available, 0.01)
	}
}

func TestBadQueries(t *testing.T) {
	s := &Server{gateway: gatewayOf(t, byKey)}
	for target, want := range map[string]string{
		"/debug/keys?n=-1":                  `n = "-1": must be 0 to 100`,
		"/debug/keys?n=101":                 `n = "101": must be 0 to 100`,
		"/debug/keys?n=":                    `n = "": must be 0 to 100`,
		"/debug/keys?kee=secret":            `"kee": unknown parameter; known are key, n, route`,
		"/debug/keys?key=secret&key=secret": `key: given 2 times`,
		"/debug/keys?%zz":                   `the query of the URL: invalid URL escape "%zz"`,
		"/debug/events?since=-1":            `since = "-1": must be the number of an event, 0 for all that are kept`,
		"/debug/events?since=":              `since = "": must be the number of an event, 0 for all that are kept`,
		"/debug/events?key=secret":          `"key": unknown parameter; known are since`,
	} {
		rec := ask(s, target)
		require.Equal(t, http.StatusBadRequest, rec.Code, target)
		require.Equal(t, want+"\n", rec.Body.String())
	}
	rec := ask(s, "/debug/keys?route=apy")
	require.Equal(t, http.StatusNotFound, rec.Code)
	require.Equal(t, "route = \"apy\": no such route with a limiter, a breaker or retries\n", rec.Body.String())
}

// TestKeysShowsWindows and when they end.
func TestKeysShowsWindows(t *testing.T) {
	g := gatewayOf(t, byKey, `{"name": "site", "path": "/", "upstream": "http://192.0.2.1:9001", "limiter": {"rate": "10/24h", "fixed_window": true}}`)
	s := &Server{gateway: g}
	guard(t, g, "site", "client").Engine.Allow("192.0.2.7")
	limit := reports(t, s, "/debug/keys?route=site&key=192.0.2.7")[0].Key.Limits[0]
	require.Equal(t, 24*3600., limit.Window)
	require.Positive(t, limit.Ends)
	require.LessOrEqual(t, limit.Ends, limit.Window)
	require.Equal(t, 9., limit.Available)
}
