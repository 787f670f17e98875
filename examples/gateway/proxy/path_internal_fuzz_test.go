package proxy

import (
	"net/url"
	"strings"
	"testing"
)

// What is cut off a path is the route's path, no more and no less, in both forms of the path.
func FuzzBelow(f *testing.F) {
	f.Add("/api/a%2Fb", "/api")
	f.Add("//api//v2/x", "/api/v2")
	f.Add("/%61pi/x", "/api")
	f.Add("/apix", "/api")
	f.Add("/", "/")
	f.Add("/a/../b", "/a")
	f.Add("/é%C3%A9/x", "/éé")
	f.Fuzz(func(t *testing.T, raw, prefix string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil || !strings.HasPrefix(prefix, "/") || strings.Contains(prefix, "//") || len(prefix) > 1 && strings.HasSuffix(prefix, "/") {
			return // no path of a request or of a route
		}
		n := below(u.Path, prefix)
		if n < 0 {
			if u.Path == prefix || strings.HasPrefix(u.Path, prefix+"/") || prefix == "/" && strings.HasPrefix(u.Path, "/") {
				t.Fatalf("%q is not below %q", u.Path, prefix)
			}
			return
		}
		cut, rest := u.Path[:n], u.Path[n:]
		for strings.Contains(cut, "//") {
			cut = strings.ReplaceAll(cut, "//", "/")
		}
		if cut != prefix && (prefix != "/" || cut != "") || rest != "" && rest[0] != '/' {
			t.Fatalf("%q below %q: cut into %q and %q", u.Path, prefix, cut, rest)
		}
		whole := u.EscapedPath()
		at := escaped(whole, n)
		if first, err := url.PathUnescape(whole[:at]); err != nil || first != u.Path[:n] {
			t.Fatalf("%q: the first %d bytes of %q are %q, not %q (%v)", raw, n, u.Path, first, u.Path[:n], err)
		}
		if last, err := url.PathUnescape(whole[at:]); err != nil || last != rest {
			t.Fatalf("%q: the rest of %q is %q, not %q (%v)", raw, u.Path, last, rest, err)
		}
	})
}
