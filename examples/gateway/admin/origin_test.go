package admin

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A page of another site in an operator's browser can neither force a breaker nor, with a name that
// leads to the address, read anything.
func TestPagesOfOtherSitesAreRefused(t *testing.T) {
	g := gatewayOf(t, byKey)
	for name, row := range map[string]struct {
		fields      []string
		reads, open bool // whether a GET is answered; and a POST
	}{
		"curl":                          {[]string{"Host", "localhost:9090"}, true, true},
		"through a tunnel":              {[]string{"Host", "LOCALHOST:1234"}, true, true},
		"by address":                    {[]string{"Host", "127.0.0.1:9090"}, true, true},
		"by another address":            {[]string{"Host", "127.0.0.2"}, true, true},
		"by IPv6":                       {[]string{"Host", "[::1]:9090"}, true, true},
		"by the name in the file":       {[]string{"Host", "admin.test:9090"}, true, true},
		"no browser":                    {[]string{"Host", ""}, true, false},
		"DNS rebinding":                 {[]string{"Host", "evil.test:9090", "Origin", "http://evil.test:9090", "Sec-Fetch-Site", "same-origin"}, false, false},
		"a name with an address":        {[]string{"Host", "127.0.0.1.evil.test"}, false, false},
		"a name with localhost":         {[]string{"Host", "localhost.evil.test"}, false, false},
		"another address":               {[]string{"Host", "10.0.0.1:9090"}, false, false},
		"an unusual address":            {[]string{"Host", "2130706433"}, false, false},
		"the gateway's own page":        {[]string{"Host", "localhost:9090", "Origin", "http://localhost:9090", "Sec-Fetch-Site", "same-origin"}, true, true},
		"another site":                  {[]string{"Sec-Fetch-Site", "cross-site"}, true, false},
		"another port":                  {[]string{"Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"}, true, false},
		"another site, old browser":     {[]string{"Origin", "https://evil.test"}, true, false},
		"another port, old browser":     {[]string{"Origin", "http://localhost:3000"}, true, false},
		"a page without an origin":      {[]string{"Origin", "null"}, true, false},
		"own page, old browser":         {[]string{"Host", "localhost:9090", "Origin", "http://localhost:9090"}, true, true},
		"another site with own address": {[]string{"Host", "127.0.0.1:9090", "Origin", "http://evil.test"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Server{gateway: g, mayForce: true, origin: origin{name: "admin.test"}}
			for _, path := range []string{"/healthz", "/debug/keys", "/metrics"} {
				rec := called(s, http.MethodGet, path, row.fields...)
				require.Equal(t, row.reads, rec.Code == http.StatusOK, "%s: %d %s", path, rec.Code, rec.Body)
				require.True(t, row.reads || rec.Code == http.StatusForbidden)
			}
			rec := called(s, http.MethodPost, forcing("upstream", upstreamKey, "open", "1h"), row.fields...)
			require.Equal(t, row.open, rec.Code == http.StatusOK, "%d %s", rec.Code, rec.Body)
			require.True(t, row.open || rec.Code == http.StatusForbidden)
			require.Equal(t, row.open, guard(t, g, "api", "upstream").Engine.Stats().ForcedKeys == 1)
			if row.open {
				called(s, http.MethodPost, forcing("upstream", upstreamKey, "open", "0"), row.fields...)
			}
		})
	}
}

// An address that is open to the network is read by any name; to force takes its own address.
func TestNamesOfAnOpenAddress(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shown) { // at 192.0.2.1
		for host, status := range map[string]string{
			"metrics.test": "403", "192.0.2.1:80": "200", "192.0.2.2": "403", "[::ffff:192.0.2.1]": "200", "localhost": "200",
		} {
			for text, want := range map[string]string{
				"GET /healthz": "200", "POST " + forcing("upstream", upstreamKey, "open", "1h"): status,
			} {
				conn := s.send(t, text+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
				got, err := io.ReadAll(conn)
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(string(got), "HTTP/1.1 "+want), "%s: %s: %s", host, text, got)
			}
		}
		s.Close()
	})
}

// Where a Server listens decides which names it has.
func TestOriginOf(t *testing.T) {
	for address, want := range map[string]origin{
		"127.0.0.1:0": {}, "Localhost:0": {name: "localhost"}, "0.0.0.0:0": {anyHost: true},
	} {
		listener, err := net.Listen("tcp", address)
		require.NoError(t, err)
		require.NoError(t, listener.Close())
		require.Equal(t, want, originOf(address, listener))
	}
	s, err := Start("127.0.0.1:0", true, gatewayOf(t, byKey), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer s.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /debug/keys HTTP/1.1\r\nHost: evil.test\r\n\r\n")
	require.NoError(t, err)
	status, body := answer(t, conn)
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, "host = \"evil.test\": must be localhost or the address of the gateway; the request may come from a page of another site\n", body)
}
