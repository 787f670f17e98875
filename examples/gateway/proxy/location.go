package proxy

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
)

// outside returns the place at the upstream that a Location names, as the client of req must ask
// for that place. Three kinds of places stay as they are: places at other hosts, places to which
// the route does not lead, and relative places.
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
	if strings.HasPrefix(path, "//") { // would be a host
		path = "/." + path
	}
	rest := url.URL{RawQuery: to.RawQuery, ForceQuery: to.ForceQuery, Fragment: to.Fragment, RawFragment: to.RawFragment}
	return path + rest.String()
}

// within reports whether an escaped path is prefix, or is below prefix.
func within(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// authority returns a host with its port, in lower case, without the default port of the scheme.
func authority(host, scheme string) string {
	port := map[string]string{"http": ":80", "https": ":443"}[scheme]
	return strings.ToLower(strings.TrimSuffix(host, port))
}
