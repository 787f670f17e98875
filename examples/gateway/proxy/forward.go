package proxy

import (
	"errors"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strings"
)

// claims are the fields, beside X-Forwarded-*, in which a proxy describes its client and the
// request of that client. Anybody can send the same fields.
var claims = namesOf(
	"Forwarded", "X-Original-Forwarded-For", "X-Original-Host", "X-Original-Url", "X-Original-Uri", "X-Original-Method",
	"X-Rewrite-Url", "X-Host", "X-Http-Host-Override", "X-Scheme", "X-Url-Scheme", "X-Https", "Front-End-Https",
	"X-Real-Ip", "X-Realip", "X-Real-Port", "True-Client-Ip", "Client-Ip", "X-Client-Ip", "X-Client-Port", "X-Cluster-Client-Ip",
	"X-Remote-Ip", "X-Remote-Addr", "X-Remote-Host", "Remote-Addr", "X-Originating-Ip", "X-Source-Ip", "X-Proxyuser-Ip", "X-Custom-Ip-Authorization",
	"Proxy-Client-Ip", "Wl-Proxy-Client-Ip", "Http-Client-Ip", "Http-X-Forwarded-For", "Cf-Connecting-Ip", "Cf-Connecting-Ipv6", "Cf-Pseudo-Ipv4",
	"Cf-Ipcountry", "Cf-Visitor", "Fastly-Client-Ip", "Fly-Client-Ip", "Fly-Forwarded-Port", "X-Azure-Clientip", "X-Azure-Socketip",
	"X-Appengine-User-Ip", "X-Appengine-Remote-Addr", "X-Nf-Client-Connection-Ip", "Do-Connecting-Ip", "Ali-Cdn-Real-Ip", "Cdn-Src-Ip",
	"Cdn-Real-Ip", "Incap-Client-Ip", "X-Sucuri-Clientip", "X-Vercel-Forwarded-For", "X-Vercel-Ip-Country", "X-Envoy-External-Address",
	"X-Envoy-Original-Path", "X-Envoy-Original-Host", "X-Envoy-Internal", "X-Client-Cert", "X-Ssl-Client-Cert", "X-Ssl-Client-Verify", "X-Arr-Ssl",
)

// never are the fields that no upstream gets from a client. Some programs take Proxy for HTTP_PROXY
// of their environment, and HTTP2-Settings belongs to a protocol that is not spoken here.
var never = namesOf("Proxy", "Http2-Settings")

// exact are the fields that pass in their own spelling alone, since a server acts on them.
var exact = namesOf("Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Te", "Trailer", "Expect",
	"Content-Type", "Content-Encoding", "Authorization", "Cookie", "Proxy-Authorization", "Proxy-Connection")

// notInTrailers are the fields, beside the claims, that a trailer must not have, because a server
// needs them before the body (RFC 9110, section 6.5.1).
var notInTrailers = namesOf("Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding", "Content-Range", "Authorization",
	"Proxy-Authorization", "Cookie", "Expect", "Range", "Te", "Trailer", "Connection", "Upgrade", "Cache-Control", "Max-Forwards")

func namesOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// forwarding says which fields of a client's header and trailer pass to an upstream.
type forwarding struct {
	trusted bool   // the client is a trusted proxy
	key     string // the field that tells clients apart; may be empty
}

// passes reports whether the field of this name, in the form of http.Header, passes to an upstream.
// In CGI and its successors, every byte of a name that is neither a letter nor a digit becomes "_".
// So a field in an odd spelling is dropped if its canonical spelling matters.
func (f forwarding) passes(name string) bool {
	if name == f.key {
		return true
	}
	spelt := canonical(name)
	switch {
	case never[spelt], f.key != "" && spelt == canonical(f.key):
		return false
	case claimed(spelt):
		return f.trusted && name == spelt
	default:
		return name == spelt || !exact[spelt]
	}
}

// hides reports whether r names, in Connection, a field that matters to the limit or to the
// upstream: the field that tells clients apart, or a claim of a trusted proxy. httputil drops the
// fields that Connection names, so that the upstream would not see what is counted.
func (f forwarding) hides(r *http.Request) bool {
	for _, list := range r.Header["Connection"] {
		for token := range strings.SplitSeq(list, ",") {
			name := http.CanonicalHeaderKey(textproto.TrimString(token))
			if name != "" && (name == f.key || f.trusted && claimed(name)) {
				return true
			}
		}
	}
	return false
}

// claimed reports whether a field in canonical spelling is a claim.
func claimed(spelt string) bool { return strings.HasPrefix(spelt, "X-Forwarded") || claims[spelt] }

// canonical returns name with "-" for every byte that is neither a letter nor a digit.
func canonical(name string) string {
	odd := func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}
	if !strings.ContainsFunc(name, odd) {
		return name
	}
	return textproto.CanonicalMIMEHeaderKey(strings.Map(func(c rune) rune {
		if odd(c) {
			return '-'
		}
		return c
	}, name))
}

// strip drops the fields of h that do not pass.
func (f forwarding) strip(h http.Header) {
	for name := range h {
		if !f.passes(name) {
			delete(h, name)
		}
	}
}

// trailer returns the part of an announced trailer that passes to an upstream, or nil. The values
// come at the end of the body. No claim passes: a trusted proxy makes claims in the header, and
// perhaps hands the trailer of its own client on.
func (f forwarding) trailer(announced http.Header) http.Header {
	client := forwarding{key: f.key}
	var t http.Header
	for name := range announced {
		if client.passes(name) && name != f.key && !notInTrailers[canonical(name)] {
			if t == nil {
				t = http.Header{}
			}
			t[name] = nil
		}
	}
	return t
}

// rewrite makes the request to the upstream: the address, the path, and the fields about the
// client. A claim of the client itself is dropped, unless a trusted proxy is the client.
func (r *route) rewrite(p *httputil.ProxyRequest) {
	if u := p.Out.URL; r.config.StripPrefix {
		n := below(u.Path, r.config.Path)
		if u.RawPath != "" {
			u.RawPath = u.RawPath[escaped(u.RawPath, n):]
		}
		u.Path = u.Path[n:]
	}
	p.Out.URL.Opaque = ""                  // would be sent in place of the path
	p.Out.URL.RawQuery = p.In.URL.RawQuery // as it came: nothing here depends on the query
	p.SetURL(&r.config.Upstream.URL)
	if !asksForWebsocket(p.In) {
		p.Out.Header.Del("Connection")
		p.Out.Header.Del("Upgrade")
	}
	connection := p.Out.Header["Connection"]
	r.forward.strip(p.Out.Header)
	if connection != nil {
		p.Out.Header["Connection"] = connection
	}
	p.Out.Trailer = r.forward.trailer(p.In.Trailer)
	if x := exchangeIn(p.In.Context()); x != nil && x.upload != nil {
		x.upload.trailer = p.Out.Trailer
	}
	r.introduce(p)
}

// introduce tells the upstream about the client.
func (r *route) introduce(p *httputil.ProxyRequest) {
	if r.forward.trusted {
		p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
	}
	p.SetXForwarded()
	if r.forward.trusted {
		for _, name := range []string{"Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"} { // dropped by httputil
			if v := p.In.Header[name]; len(v) > 0 {
				p.Out.Header[name] = v
			}
		}
	}
	if prefix := r.prefix(p.In); prefix != "" {
		p.Out.Header["X-Forwarded-Prefix"] = []string{prefix}
	}
}

// prefix returns the part of the path that was taken off, here and by trusted proxies, in escaped
// form.
func (r *route) prefix(in *http.Request) string {
	prefix := ""
	if r.forward.trusted {
		prefix = strings.TrimRight(in.Header.Get("X-Forwarded-Prefix"), "/")
	}
	if r.config.StripPrefix && r.config.Path != "/" {
		prefix += (&url.URL{Path: r.config.Path}).EscapedPath()
	}
	return prefix
}

// asksForWebsocket reports whether r asks to switch to websocket, and to nothing else. With another
// protocol, such as HTTP/2, a client would have a tunnel to the whole upstream, past routes and
// limits. A server may ignore an Upgrade (RFC 9110, section 7.8).
func asksForWebsocket(r *http.Request) bool {
	protocols := r.Header["Upgrade"]
	return r.Method == http.MethodGet && r.ContentLength == 0 && r.ProtoMajor == 1 && r.ProtoMinor >= 1 && hasToken(r.Header["Connection"], "upgrade") &&
		len(protocols) == 1 && strings.EqualFold(textproto.TrimString(protocols[0]), "websocket")
}

// hasToken reports whether one of the lists has token, which is in lower case.
func hasToken(lists []string, token string) bool {
	for _, list := range lists {
		for element := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(textproto.TrimString(element), token) {
				return true
			}
		}
	}
	return false
}

// errSwitched is the error of an upstream that switches to another protocol than websocket, or
// unasked.
var errSwitched = errors.New("proxy: the upstream has switched to another protocol than it was asked for")

// modify checks and changes the answer of an upstream. On an error, httputil closes the answer and
// the connection.
func (r *route) modify(resp *http.Response) error {
	if resp.StatusCode == http.StatusSwitchingProtocols && (!asksForWebsocket(resp.Request) ||
		!hasToken(resp.Header["Connection"], "upgrade") || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket")) {
		return errSwitched
	}
	if x := exchangeIn(resp.Request.Context()); x.upload != nil && !x.upload.whole.Load() {
		go x.standstill(x.upload.stall) // ends with the exchange
	}
	for _, name := range []string{"Location", "Content-Location"} {
		for i, place := range resp.Header[name] {
			resp.Header[name][i] = r.outside(place, resp.Request)
		}
	}
	return nil
}
