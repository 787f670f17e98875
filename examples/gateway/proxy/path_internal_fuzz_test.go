package proxy

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
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

// A path has the reading that it has in another form that servers take for the same, and its
// reading has itself.
func FuzzReading(f *testing.F) {
	f.Add("/admin/x")
	f.Add("/Admin;x/%2561.b%20/")
	f.Add("/a%c0%af/%00")
	f.Add("/é%EF%BC%8Fx\u200b/...")
	f.Add("/a%3fb%2523c")
	f.Fuzz(func(t *testing.T, path string) {
		if len(path) > 1<<10 || strings.Contains(path, "25252525") {
			return // takes long, or is escaped more often than a server does
		}
		reading, ok := readingOf(path)
		if plain(path) != (plain(path) && ok && reading == path) {
			t.Fatalf("the reading of %q, which is plain, is %q", path, reading)
		}
		var escapes strings.Builder
		for i := range len(path) {
			if path[i] == '/' {
				escapes.WriteByte('/')
			} else {
				fmt.Fprintf(&escapes, "%%%02x", path[i])
			}
		}
		others := []string{escapes.String(), strings.ReplaceAll(path, "%", "%25")}
		if !strings.ContainsAny(unescaped(unescaped(unescaped(path))), "%?#;") && utf8.ValidString(path) {
			others = append(others, strings.ToUpper(path), strings.ReplaceAll(path, "/", ";a=b/")+";c", strings.ReplaceAll(path, "/", "\u200b/"))
		}
		for _, other := range others {
			if again, also := readingOf(other); again != reading || also != ok {
				t.Fatalf("the reading of %q is %q (%v), that of %q is %q (%v)", path, reading, ok, other, again, also)
			}
		}
		if again, also := readingOf(reading); ok && (again != reading || !also) {
			t.Fatalf("the reading of %q is %q, whose own is %q (%v)", path, reading, again, also)
		}
		for segment := range strings.SplitSeq(reading, "/") {
			if segment == "." || segment == ".." || strings.ContainsAny(segment, "\\;?#\x00") {
				t.Fatalf("the reading of %q is %q", path, reading)
			}
		}
	})
}
