package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// headers answers with the header and the trailer that have come, a field a line, in lower case and
// with _ for all that is not a letter or a digit, as CGI has them.
func headers(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	var lines []string
	for kind, fields := range map[string]http.Header{"": r.Header, "trailer ": r.Trailer} {
		for name, values := range fields {
			name = strings.Map(func(c rune) rune {
				if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
					return c
				}
				return '_'
			}, strings.ToLower(name))
			lines = append(lines, fmt.Sprintf("%s%s: %s", kind, name, strings.Join(values, "|")))
		}
	}
	slices.Sort(lines)
	fmt.Fprint(w, strings.Join(lines, "\n"))
}

// claims are fields in which a client can say who it is, where it has come from, and what it has
// asked for.
var claims = []string{
	"Forwarded", "X-Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix",
	"X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-By", "X-Forwarded-Protocol", "X-Forwarded-Path",
	"X-Forwarded-Client-Cert", "X-Forwarded-User", "X-Original-Forwarded-For", "X-Real-IP", "X-RealIP", "True-Client-IP", "Client-IP",
	"X-Client-IP", "X-Cluster-Client-IP", "X-Remote-IP", "X-Remote-Addr", "X-Originating-IP", "CF-Connecting-IP",
	"CF-Connecting-IPv6", "Fastly-Client-IP", "Fly-Client-IP", "X-Azure-ClientIP", "X-Appengine-User-IP", "X-Envoy-External-Address",
	"X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-Host", "X-Url-Scheme", "X-Scheme", "Front-End-Https",
	"WL-Proxy-Client-IP", "Proxy-Client-IP", "Proxy",
}

func spellings(name string) []string {
	return []string{
		name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."),
		strings.Replace(name, "-", "_", 1), strings.ToLower(strings.ReplaceAll(name, "-", "_")), strings.ReplaceAll(name, "-", "~"),
	}
}

// What a client says of itself reaches no upstream, however it is spelt, and neither as a trailer
// nor twice.
func TestForgedHeadersAreDropped(t *testing.T) {
	t.Parallel()
	up := upstream(t, headers)
	s := serve(t, "", route("/", up, `, "strip_prefix": true`), route("/key", up, `, "limiter": {"rate": "1000/s"}, "key": {"header": "X-API-Key"}`))
	for _, claim := range claims {
		for _, name := range spellings(claim) {
			for _, request := range []string{
				"GET / HTTP/1.1\r\nHost: x\r\n" + name + ": forged\r\n\r\n",
				"GET / HTTP/1.1\r\nHost: x\r\n" + name + ": forged\r\n" + name + ": forged\r\n\r\n",
				"GET / HTTP/1.1\r\nHost: x\r\nConnection: " + claim + "\r\n" + name + ": forged\r\n\r\n",
				"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, " + name +
					"\r\n\r\n0\r\nX-Sum: 1\r\n" + name + ": forged\r\n\r\n",
				"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n0\r\nX-Sum: 1\r\n" + name + ": forged\r\n\r\n",
				"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + name + ": forged\r\n\r\n",
			} {
				r := raw(t, s, request)
				require.Equal(t, http.StatusOK, r.status, request)
				require.NotContains(t, r.body, "forged", request)
				require.Contains(t, r.body, "x_forwarded_for: 127.0.0.1\n", request)
			}
		}
	}
	r := raw(t, s, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nX_Mine: a\r\n\r\n0\r\nX-Sum: 1\r\n\r\n")
	require.Contains(t, r.body, "trailer x_sum: 1", "a trailer that claims nothing is lost")
	require.Contains(t, r.body, "x_mine: a", "a field that claims nothing is lost")
}

// The header that tells clients apart has one spelling, and is there once.
func TestKeyHeaderHasOneSpelling(t *testing.T) {
	t.Parallel()
	up := upstream(t, headers)
	s := serve(t, "", route("/", up, `, "limiter": {"rate": "1000/s"}, "key": {"header": "X-API-Key"}`))
	for _, name := range spellings("X-API-Key")[3:] {
		r := raw(t, s, "GET / HTTP/1.1\r\nHost: x\r\nX-API-Key: mine\r\n"+name+": forged\r\n\r\n")
		require.Equal(t, http.StatusOK, r.status)
		require.NotContains(t, r.body, "forged", name)
		require.Contains(t, r.body, "x_api_key: mine")
	}
	for _, second := range []string{"X-API-Key: two", "x-api-key: one", "X-Api-Key:"} {
		r := raw(t, s, "GET / HTTP/1.1\r\nHost: x\r\nX-API-Key: one\r\n"+second+"\r\n\r\n")
		require.Equal(t, http.StatusBadRequest, r.status, second)
	}
}

// A trailer is the client's, also if a proxy that is trusted hands the trailer on: a server that
// merges the trailer into the header would believe the client.
func TestTrustedProxyMakesNoClaimsInTrailers(t *testing.T) {
	t.Parallel()
	up := upstream(t, headers)
	s := serve(t, `"trusted_proxies": 1,`, route("/", up, ""))
	for _, claim := range claims {
		for _, name := range spellings(claim) {
			r := raw(t, s, "POST / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, "+name+
				"\r\n\r\n0\r\nX-Sum: 1\r\n"+name+": forged\r\n\r\n")
			require.Equal(t, http.StatusOK, r.status, name)
			require.NotContains(t, r.body, "forged", name)
			require.Contains(t, r.body, "trailer x_sum: 1", name)
			require.Contains(t, r.body, "x_forwarded_for: 192.0.2.1, 127.0.0.1\n", name)
		}
	}
}

// A client cannot have the field that tells clients apart dropped on the way to the upstream, nor
// the claims of a proxy that is trusted: both count, so that both arrive.
func TestConnectionHidesNoFieldThatCounts(t *testing.T) {
	t.Parallel()
	up := upstream(t, headers)
	s := serve(t, "", route("/", up, `, "limiter": {"rate": "1000/s"}, "key": {"header": "X-API-Key"}`))
	trusting := serve(t, `"trusted_proxies": 1,`, route("/", up, ""))
	for _, connection := range []string{"%s", "close, %s", "close,%s", "x , %s\t, y", "close\r\nConnection: %s", "%s\r\nConnection: close"} {
		for _, name := range spellings("X-API-Key")[:3] {
			r := raw(t, s, "GET / HTTP/1.1\r\nHost: x\r\nX-API-Key: mine\r\nConnection: "+fmt.Sprintf(connection, name)+"\r\n\r\n")
			require.Equal(t, http.StatusBadRequest, r.status, "%s: %s", connection, r.body)
		}
		for _, name := range []string{"X-Real-IP", "x-forwarded-for", "Forwarded", "X-Forwarded-Prefix", "X-Forwarded-Proto"} {
			request := "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n" + name + ": 192.0.2.1\r\nConnection: " +
				fmt.Sprintf(connection, name) + "\r\n\r\n"
			require.Equal(t, http.StatusBadRequest, raw(t, trusting, request).status, request)
		}
	}
	for _, at := range []*proxy.Server{s, trusting} {
		r := raw(t, at, "GET / HTTP/1.1\r\nHost: x\r\nX-API-Key: mine\r\nX-Mine: a\r\nConnection: close, X-Mine, X_API_Key\r\n\r\n")
		require.Equal(t, http.StatusOK, r.status)
		require.Contains(t, r.body, "x_api_key: mine")
		require.NotContains(t, r.body, "x_mine")
	}
}

// A proxy that is trusted is believed, in the spelling that it uses.
func TestTrustedProxyIsBelieved(t *testing.T) {
	t.Parallel()
	up := upstream(t, headers)
	s := serve(t, `"trusted_proxies": 1,`, route("/", up, ""))
	r := raw(t, s, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Port: 443\r\nX-Real-IP: 192.0.2.1\r\n"+
		"X_Forwarded_For: forged\r\nX.Real.IP: forged\r\nProxy: forged\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1\r\n\r\n")
	require.NotContains(t, r.body, "forged")
	for _, want := range []string{"x_forwarded_for: 192.0.2.1, 127.0.0.1", "x_forwarded_port: 443", "x_real_ip: 192.0.2.1", "x_forwarded_proto: https",
		"forwarded: for=192.0.2.1"} {
		require.Contains(t, r.body, want)
	}
}

// A key that a client makes up gives it a new limit; a limit by address beside it holds all the
// same. A request that the limit of its key refuses costs the address nothing.
func TestLimitByAddressBesideOneByHeader(t *testing.T) {
	t.Parallel()
	up := upstream(t, headers)
	s := serve(t, "", route("/", up,
		`, "limiter": {"rate": "2/h"}, "key": {"header": "X-API-Key"}, "address_limiter": {"rate": "5/h"}`))
	cl := client(t)
	for i, want := range []int{200, 200, 429} {
		require.Equal(t, want, get(t, cl, s.URL(), "X-API-Key", "one").status, i)
	}
	for i, want := range []int{200, 200, 200, 429} {
		r := get(t, cl, s.URL(), "X-API-Key", fmt.Sprint("made up ", i))
		require.Equal(t, want, r.status, i)
		require.NotEmpty(t, r.header.Get("RateLimit"))
	}
	require.EqualValues(t, 2, s.Status()[0].Limited)
	require.EqualValues(t, 7, s.Status()[0].Requests)
}
