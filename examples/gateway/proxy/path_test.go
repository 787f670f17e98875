package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A path that an upstream might take for one of another route is refused, whatever trick makes it
// so.
func TestPathsOfAnotherRouteAreRefused(t *testing.T) {
	t.Parallel()
	open, admin := upstream(t, name("open")), upstream(t, name("admin"))
	s := serve(t, "", route("/", open, ""), route("/admin", admin, `, "limiter": {"rate": "1/h"}`), route("/a/b", admin, `, "name": "ab"`))
	for _, path := range []string{
		// parameters, as of RFC 3986, section 3.3
		"/admin;x", "/admin;x/y", "/admin;", "/admin;x=1;y=2", "/admin%3b", "/admin%3Bx/y", "/a;x/b", "/a/b;x", "/;x/admin", "/admin;/..;/x", "/x/..;/admin",
		// other slashes
		`/admin\x`, "/admin%5cx", "/admin%5C", "/%5cadmin", "/x%5c..%5cadmin", "/%5c..", "/x/..%5cadmin", "/a%5cb",
		// bytes that end a string, and others that no path has
		"/admin%00", "/admin%00.html", "/%00", "/x%00/y", "/admin%0a", "/admin%0d%0aX:y", "/admin%09", "/admin%7f", "/admin%1b", "/x%08/admin", "/admin%c2%80",
		// what file systems cut off
		"/admin%20", "/admin%20/x", "/admin.", "/admin./x", "/admin%2e", "/admin..", "/admin...", "/admin.%20.", "/admin%20.", "/%20admin", "/admin%c2%a0", "/admin%e3%80%80",
		// segments that lead up
		"/x/../admin", "/x/%2e%2e/admin", "/x/.%2e/admin", "/x/..%2fadmin", "/./admin", "/x/..%20/admin", "/x/.%20./admin", "/x/..;x/admin", "/x/..%3bx/admin", "/..%00/x",
		// twice and more
		"/%2561dmin", "/%252561dmin", "/admin%253bx", "/admin%2500", "/x%255c..%255cadmin", "/x/%252e%252e/admin", "/x%252f..%252fadmin", "/admin%252f", "/%2e%252e/admin",
		"/admin%2520", "/admin%252e", "/a%252fb", "/%" + strings.Repeat("25", 7) + "61dmin", "/%" + strings.Repeat("25", 20_000) + "61dmin",
		// queries and fragments within
		"/admin%3fx", "/admin%23x", "/admin%253fx",
		// UTF-8 that is too long, or none
		"/admin%c0%af", "/%c0%ae%c0%ae/admin", "/x/%c0%ae./admin", "/admin%e0%80%af", "/admin%f0%80%80%af", "/%c1%a1dmin", "/admin%ff", "/admin%a0", "/admin%ed%a0%80",
		"/admin%25c0%25af",
		// letters that are others to those who fold them
		"/ADMIN", "/Admin/x", "/%41dmin", "/adm%C4%B1n", "/%ef%bd%81dmin", "/admin%ef%bc%8fx", "/x%ef%bc%8f..%ef%bc%8fadmin", "/A/b", "/admin%e2%80%8b", "/ad%c2%admin",
	} {
		answer := halfClosed(t, s, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		require.True(t, strings.HasPrefix(answer, "HTTP/1.1 400 "), "%s: %q", path, answer)
		require.NotContains(t, answer, "admin ", path)
	}
	for _, status := range s.Status() {
		require.Zero(t, status.Requests, status.Name)
	}
}

// All others pass, and arrive as they were sent.
func TestOrdinaryPathsPass(t *testing.T) {
	up := upstream(t, name("up"))
	s := serve(t, "", route("/", up, ""), route("/admin", up, `, "name": "admin"`))
	for _, path := range []string{
		"/", "/x;jsessionid=1/y", "/x;v=1", "/a%20b", "/a%20b%20", "/...", "/.well-known/x", "/x.", "/a..b/c", "/~me/", "/%C3%A9t%C3%A9", "/a%2Fb", "/a%252Fb",
		"/100%25", "/100%2525", "/what%3F", "/c%23", "/X", "/administrator", "/Administrator", "/admins;x", "/x/admin", "/x/ADMIN", "/admin/X", "/admin/ADMIN", "/admin/x;y=1",
		"/admin/a%20", "/admin/..a", "/%F0%9F%91%A9%E2%80%8D%F0%9F%92%BB", "/a:b", "/a@b", "/a+b", "/a,b", "/(a)", "/a'b", "/a*b", "/a$b&c=d", "/_a-b",
	} {
		r := get(t, client(t), s.URL()+path)
		require.Equal(t, http.StatusOK, r.status, path)
		require.Equal(t, "up "+path, r.body)
	}
}

// Where an upstream sends a client is told in terms of the gateway.
func TestLocation(t *testing.T) {
	t.Parallel()
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		to := strings.ReplaceAll(r.URL.Query().Get("to"), "SELF", "http://"+r.Host)
		w.Header().Set("Location", to)
		w.Header().Set("Content-Location", to)
		w.Header().Set("X-Prefix", fmt.Sprintf("%q", r.Header["X-Forwarded-Prefix"]))
		w.WriteHeader(http.StatusFound)
	})
	s := serve(t, "", route("/api", up, `, "strip_prefix": true`), route("/as/it/is", up, ""), route("/", up, ""),
		fmt.Sprintf(`{"path": "/deep", "upstream": "%s/below/", "strip_prefix": true}`, up.URL),
		fmt.Sprintf(`{"path": "/put", "upstream": "%s/below"}`, up.URL))
	for _, row := range []struct{ route, to, want string }{
		{"/api/x", "/login?a=b#c", "/api/login?a=b#c"},
		{"/api/x", "SELF/login", "/api/login"},
		{"/api/x", "SELF", "/api/"},
		{"/api/x", "SELF?a", "/api/?a"},
		{"/api/x", "/", "/api/"},
		{"/api/x", "/a%2Fb/", "/api/a%2Fb/"},
		{"/api/x", "/api/login", "/api/login"}, // by one who has heeded X-Forwarded-Prefix
		{"/api/x", "/api", "/api"},
		{"/api/x", "/apix", "/api/apix"},
		{"/api/x", "login", "login"},
		{"/api/x", "../login", "../login"},
		{"/api/x", "?a=b", "?a=b"},
		{"/api/x", "https://example.com/login", "https://example.com/login"},
		{"/api/x", "//example.com/login", "//example.com/login"},
		{"/api/x", "http://%zz", "http://%zz"},
		{"/api/x", "mailto:me@example.com", "mailto:me@example.com"},
		{"/as/it/is", "/login", "/login"},
		{"/as/it/is", "SELF/login", "/login"},
		{"/x", "/login", "/login"},
		{"/x", "SELF/login", "/login"},
		{"/deep/x", "/below/login", "/deep/login"},
		{"/deep/x", "SELF/below/login", "/deep/login"},
		{"/deep/x", "/below", "/deep/"},
		{"/deep/x", "/other", "/other"},
		{"/put/x", "/below/put/login", "/put/login"},
		{"/put/x", "SELF/below/put/login", "/put/login"},
	} {
		to := strings.NewReplacer("%", "%25", "#", "%23", "?", "%3F", "&", "%26").Replace(row.to)
		r := raw(t, s, "GET "+row.route+"?to="+to+" HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Equal(t, http.StatusFound, r.status)
		require.Equal(t, row.want, r.header.Get("Location"), "%s: %s", row.route, row.to)
		require.Equal(t, row.want, r.header.Get("Content-Location"), "%s: %s", row.route, row.to)
	}
	require.Equal(t, `["/api"]`, get(t, client(t), s.URL()+"/api/x").header.Get("X-Prefix"))
	require.Equal(t, `["/deep"]`, get(t, client(t), s.URL()+"/deep/x").header.Get("X-Prefix"))
	require.Equal(t, `[]`, get(t, client(t), s.URL()+"/x").header.Get("X-Prefix"))
	s = serve(t, `"trusted_proxies": 1,`, route("/api", up, `, "strip_prefix": true`))
	require.Equal(t, `["/outer/api"]`, get(t, client(t), s.URL()+"/api/x", "X-Forwarded-Prefix", "/outer/").header.Get("X-Prefix"))
	r := get(t, client(t), s.URL()+"/api/x?to=/login", "X-Forwarded-Prefix", "/outer")
	require.Equal(t, "/outer/api/login", r.header.Get("Location"))
}
