package proxy

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
)

// outside is the place at the upstream that a Location names, as the client of req would have to ask for it. A place elsewhere, one that
// no request of the route leads to, and one relative to what was asked for stay as they are.
func (r *route) outside(place string, req *http.Request) string {
	to, err := url.Parse(place)
	if err != nil || to.Opaque != "" || to.User != nil || to.Host == "" && to.Scheme != "" {
		return place
	}
	path := to.EscapedPath()
	if to.Host != "" {
		if to.Scheme != "" && to.Scheme != r.config.Upstream.Scheme || authority(to.Host, to.Scheme) != authority(r.config.Upstream.Host, to.Scheme) {
			return place
		}
		path = cmp.Or(path, "/")
	}
	prefix := req.Header.Get("X-Forwarded-Prefix")
	if !r.config.StripPrefix {
		prefix = ""
	}
	base := strings.TrimRight(r.config.Upstream.EscapedPath(), "/")
	switch {
	case !strings.HasPrefix(path, "/"):
		return place
	case prefix != "" && within(path, prefix): // the upstream has heeded X-Forwarded-Prefix
	case !within(path, base):
		return place
	default:
		path = prefix + cmp.Or(path[len(base):], "/")
	}
	if strings.HasPrefix(path, "//") { // would name a host
		path = "/." + path
	}
	rest := url.URL{RawQuery: to.RawQuery, ForceQuery: to.ForceQuery, Fragment: to.Fragment, RawFragment: to.RawFragment}
	return path + rest.String()
}

// within reports whether an escaped path is prefix, or below it.
func within(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// authority is a host with its port, in lower case, the port of the scheme being left out.
func authority(host, scheme string) string {
	port := map[string]string{"http": ":80", "https": ":443"}[scheme]
	return strings.ToLower(strings.TrimSuffix(host, port))
}
