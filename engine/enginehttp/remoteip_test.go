package enginehttp_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// keyOf is the key of a request from peer that has these lines of X-Forwarded-For, behind n trusted proxies.
func keyOf(n int, peer string, lines ...string) string {
	r := &http.Request{RemoteAddr: peer, Header: http.Header{}}
	if lines != nil {
		r.Header["X-Forwarded-For"] = lines
	}
	return enginehttp.RemoteIP(n)(r)
}

func TestRemoteIPOfAConnection(t *testing.T) {
	for peer, want := range map[string]string{
		"192.0.2.7:1234":                    "192.0.2.7",
		"192.0.2.7":                         "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:1234":       "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff:ffff:0:1]:1":    "2001:db8:1:2::/64",
		"[2001:db8:1:3::1]:1234":            "2001:db8:1:3::/64",
		"2001:db8:1:2::9":                   "2001:db8:1:2::/64",
		"[::1]:1234":                        "::/64",
		"[::ffff:192.0.2.7]:1234":           "192.0.2.7",
		"::ffff:c000:207":                   "192.0.2.7",
		"[fe80::1%eth0]:1234":               "fe80::1%eth0",
		"[fe80::1%eth1]:1234":               "fe80::1%eth1",
		"[fe80::2]:1234":                    "fe80::2",
		"[febf:1:2:3:4:5:6:7]:1234":         "febf:1:2:3:4:5:6:7",
		"[fec0::1%eth0]:1234":               "fec0::/64",
		"169.254.1.2:1234":                  "169.254.1.2",
		"@":                                 "@",
		"":                                  "",
		"/run/app.sock":                     "/run/app.sock",
		"example.org:80":                    "example.org:80",
		"192.0.2.7:http":                    "192.0.2.7:http",
		"192.0.2.7:123456":                  "192.0.2.7:123456",
		"[192.0.2.7":                        "[192.0.2.7",
		"[2001:db8::1]x":                    "[2001:db8::1]x",
		"192.0.2.7:":                        "192.0.2.7:",
		"192.0.2.07:1":                      "192.0.2.07:1",
		"00.0.2.7:1":                        "00.0.2.7:1",
		"0.0.0.0:1":                         "0.0.0.0",
		"256.0.2.7:1":                       "256.0.2.7:1",
		"192.0.2:1":                         "192.0.2:1",
		"192..2.7:1":                        "192..2.7:1",
		"192.0.2.7.1:1":                     "192.0.2.7.1:1",
		strings.Repeat("1", 200) + ".0.2.7": strings.Repeat("1", 200) + ".0.2.7",
	} {
		require.Equal(t, want, keyOf(0, peer), peer)
		require.Equal(t, want, keyOf(0, peer, "198.51.100.1"), "nobody is trusted")
	}
}

// TestAnIPv4AddressWithinAnother is the key: of a translator, a relay or a stack that knows both.
func TestAnIPv4AddressWithinAnother(t *testing.T) {
	for addr, want := range map[string]string{
		"::ffff:192.0.2.7":                     "192.0.2.7", // mapped, RFC 4291
		"::ffff:192.0.2.7%eth0":                "192.0.2.7",
		"::192.0.2.7":                          "192.0.2.7", // compatible, RFC 4291
		"::2":                                  "::/64",
		"::":                                   "::/64",
		"::ffff:0:192.0.2.7":                   "192.0.2.7", // translated, RFC 2765
		"64:ff9b::192.0.2.7":                   "192.0.2.7", // NAT64, RFC 6052
		"64:ff9b::c000:208":                    "192.0.2.8",
		"64:ff9b::1:c000:208":                  "64:ff9b::/64", // not that prefix
		"64:ff9b:1::192.0.2.7":                 "192.0.2.7",    // NAT64 of an operator, RFC 8215
		"64:ff9b:1:fffe::192.0.2.7":            "192.0.2.7",
		"64:ff9b:1:c000:2:700::":               "64:ff9b:1:c000:2:700::", // in another place of it, one client all the same
		"64:ff9b:1:c0:0:207::":                 "64:ff9b:1:c0:0:207::",
		"64:ff9b:2::192.0.2.7":                 "64:ff9b:2::/64",
		"2002:c000:207::1":                     "192.0.2.7", // 6to4, RFC 3056
		"2002:c000:207:1234:5678::1":           "192.0.2.7",
		"2003:c000:207::1":                     "2003:c000:207::/64",
		"2001:0:4136:e378:8000:63bf:3fff:fdd2": "192.0.2.45", // Teredo, RFC 4380
		"2001:0:4136:e378:8000:1234:3fff:fdd2": "192.0.2.45",
		"2001:1:4136:e378:8000:63bf:3fff:fdd2": "2001:1:4136:e378::/64",
		"2001:db8:1:2:0:5efe:192.0.2.7":        "2001:db8:1:2::/64", // ISATAP: the client's own choice
		"2001:db8:1:2::192.0.2.7":              "2001:db8:1:2::/64",
	} {
		require.Equal(t, want, keyOf(0, "["+addr+"]:1234"), addr)
		require.Equal(t, want, keyOf(1, "10.0.0.1:1", addr), addr)
	}
}

func TestRemoteIPBehindProxies(t *testing.T) {
	const peer = "10.0.0.1:1234"
	for _, c := range []struct {
		n     int
		lines []string
		want  string
	}{
		{1, nil, "10.0.0.1"},
		{1, []string{}, "10.0.0.1"},
		{1, []string{"192.0.2.7"}, "192.0.2.7"},
		{1, []string{"203.0.113.9, 192.0.2.7"}, "192.0.2.7"},
		{1, []string{"203.0.113.9", "192.0.2.7"}, "192.0.2.7"},
		{2, []string{"203.0.113.9, 192.0.2.7, 10.0.0.2"}, "192.0.2.7"},
		{2, []string{"203.0.113.9", "192.0.2.7", "10.0.0.2"}, "192.0.2.7"},
		{2, []string{"203.0.113.9,192.0.2.7", "10.0.0.2"}, "192.0.2.7"},
		{3, []string{"203.0.113.9, 192.0.2.7 ,\t10.0.0.3", "10.0.0.2"}, "192.0.2.7"},
		// Fewer than there should be: the leftmost.
		{2, []string{"192.0.2.7"}, "192.0.2.7"},
		{9, []string{"192.0.2.7, 10.0.0.3, 10.0.0.2"}, "192.0.2.7"},
		// No address: the next to the right, never further left.
		{1, []string{"192.0.2.7, unknown"}, "10.0.0.1"},
		{1, []string{"192.0.2.7, "}, "10.0.0.1"},
		{1, []string{"192.0.2.7", ""}, "10.0.0.1"},
		{2, []string{"192.0.2.7, unknown, 10.0.0.2"}, "10.0.0.2"},
		{2, []string{"192.0.2.7, , "}, "10.0.0.1"},
		{3, []string{"192.0.2.7, _hidden, unknown, 10.0.0.2"}, "10.0.0.2"},
		{2, []string{"192.0.2.7, unknown"}, "192.0.2.7"},
		// Spellings.
		{1, []string{"192.0.2.7:1234"}, "192.0.2.7"},
		{1, []string{`"192.0.2.7:1234"`}, "192.0.2.7"},
		{1, []string{`"[2001:db8:1:2::7]:1234"`}, "2001:db8:1:2::/64"},
		{1, []string{"[2001:db8:1:2::7]"}, "2001:db8:1:2::/64"},
		{1, []string{"2001:db8:1:2::7"}, "2001:db8:1:2::/64"},
		{1, []string{"fe80::7%eth0"}, "fe80::7%eth0"},
		{1, []string{"::ffff:192.0.2.7"}, "192.0.2.7"},
		{1, []string{"[::ffff:192.0.2.7]:80"}, "192.0.2.7"},
		{1, []string{`"`}, "10.0.0.1"},
		{1, []string{"[]"}, "10.0.0.1"},
		{1, []string{":80"}, "10.0.0.1"},
	} {
		require.Equal(t, c.want, keyOf(c.n, peer, c.lines...), "%+v", c)
	}
}

func TestRemoteIPOfAUnixSocketBehindAProxy(t *testing.T) {
	require.Equal(t, "192.0.2.7", keyOf(1, "@", "203.0.113.9, 192.0.2.7"))
	require.Equal(t, "@", keyOf(1, "@", "203.0.113.9, unknown"))
}

func TestRemoteIPWithANegativeNumber(t *testing.T) {
	require.PanicsWithValue(t, "enginehttp: RemoteIP: trustedProxies is negative", func() { enginehttp.RemoteIP(-1) })
}

// TestAClientCannotChooseItsKey: whatever X-Forwarded-For it sends, through as many proxies as are trusted it has the same key.
func TestAClientCannotChooseItsKey(t *testing.T) {
	// A proxy appends its peer's address, on the last line or on one of its own.
	appends := func(lines []string, peer string, own bool) []string {
		lines = append([]string(nil), lines...)
		if own || len(lines) == 0 {
			return append(lines, peer)
		}
		lines[len(lines)-1] += ", " + peer
		return lines
	}
	sent := [][]string{
		nil, {""}, {","}, {"198.51.100.1"}, {"198.51.100.1, 198.51.100.2"}, {"198.51.100.1", "198.51.100.2"}, {"unknown"}, {`"`}, {"["},
		{"198.51.100.1,"}, {"198.51.100.1", ""}, {"198.51.100.1, 10.0.0.2"}, {strings.Repeat("198.51.100.1, ", 1000)}, {`"198.51.100.1`}, {"\\"},
	}
	for n := range 4 {
		for _, own := range []bool{false, true} {
			for _, lines := range sent {
				peer := "192.0.2.7"
				for hop := range n {
					lines = appends(lines, peer, own)
					peer = "10.0.0." + string(rune('1'+hop))
				}
				require.Equal(t, "192.0.2.7", keyOf(n, peer+":1234", lines...), "%d proxies, %q", n, lines)
			}
		}
	}
}

// TestAClientCannotEscapeItsLimit: the same over a socket.
func TestAClientCannotEscapeItsLimit(t *testing.T) {
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		h := &enginehttp.Handler{Engine: guarding(t, oneIn(1<<40)), Next: http.HandlerFunc(greet)} // Key: RemoteIP(0)
		srv := serve(h)
		for i, want := range []int{200, 429, 429} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
			require.NoError(t, err)
			req.Header.Set("X-Forwarded-For", "198.51.100."+string(rune('1'+i)))
			req.Header.Set("X-Real-IP", "198.51.100."+string(rune('1'+i)))
			req.Header.Set("Forwarded", "for=198.51.100."+string(rune('1'+i)))
			resp, err := srv.Client().Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, want, resp.StatusCode)
		}
		_, known := h.Engine.Inspect("127.0.0.1")
		require.True(t, known)
	})
}

// TestRemoteIPOverAUnixSocket: every client has the same key.
func TestRemoteIPOverAUnixSocket(t *testing.T) {
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	srv := httptest.NewUnstartedServer(&enginehttp.Handler{Engine: guarding(t, oneIn(1<<40)), Next: http.HandlerFunc(greet)})
	require.NoError(t, srv.Listener.Close())
	srv.Listener = listener
	srv.Start()
	defer srv.Close()
	for _, want := range []int{200, 429} {
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "unix", listener.Addr().String())
		require.NoError(t, err)
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://unix/", nil)
		require.NoError(t, err)
		resp, err := transport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.StatusCode)
		transport.CloseIdleConnections()
	}
}

// TestRemoteIPAllocatesItsResultOnly, and of an IPv4 connection, whose address is a part of RemoteAddr, not even that.
func TestRemoteIPAllocatesItsResultOnly(t *testing.T) {
	lines := []string{"198.51.100.1, unknown", `"[2001:db8::1%eth0]:1", 192.0.2.9`}
	for _, peer := range []string{"192.0.2.7:1234", "[2001:db8:1:2:3:4:5:6]:1234", "[fe80::1%eth0]:1234"} {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": lines}}
		for n := range 4 {
			key := enginehttp.RemoteIP(n)
			want := 1.0
			switch {
			case n == 0 && peer[0] != '[':
				want = 0
			case n == 3:
				want = 2 // the third from the right is no address, which is an error
			}
			require.Equal(t, want, testing.AllocsPerRun(100, func() { key(r) }), "%s, %d", peer, n)
		}
	}
}

func TestHeader(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.org/", nil)
	require.Empty(t, enginehttp.Header("X-API-Key")(r))
	r.Header.Add("x-api-key", "a")
	require.Equal(t, "a", enginehttp.Header("X-API-Key")(r))
	require.Equal(t, "a", enginehttp.Header("x-api-key")(r))
	require.Equal(t, "example.org", enginehttp.Header("host")(r))

	long := strings.Repeat("x", 256)
	r.Header.Set("X-API-Key", long)
	require.Equal(t, long, enginehttp.Header("X-API-Key")(r))
	keys := map[string]bool{}
	for _, end := range []string{"y", "z", "yy"} {
		r.Header.Set("X-API-Key", long+end)
		key := enginehttp.Header("X-API-Key")(r)
		require.Len(t, key, 64, "what is long is not kept")
		keys[key] = true
	}
	require.Len(t, keys, 3)
}
