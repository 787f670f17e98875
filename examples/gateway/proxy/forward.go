package proxy

import (
	"errors"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strings"
)

// claims are the fields in which a proxy says who has asked it, and for what, beside those that begin with X-Forwarded. A client could say
// the same.
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

// never are the fields that no upstream gets from a client: one that some programs take for their environment's HTTP_PROXY, and one that
// belongs to a protocol which is not spoken here.
var never = namesOf("Proxy", "Http2-Settings")

// exact are the fields that mean something to a server in their own spelling alone.
var exact = namesOf("Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Te", "Trailer", "Expect",
	"Content-Type", "Content-Encoding", "Authorization", "Cookie", "Proxy-Authorization", "Proxy-Connection")

// notInTrailers are the fields that a trailer must not have, beside the claims, since they are needed before the body (RFC 9110,
// section 6.5.1).
var notInTrailers = namesOf("Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding", "Content-Range", "Authorization",
	"Proxy-Authorization", "Cookie", "Expect", "Range", "Te", "Trailer", "Connection", "Upgrade", "Cache-Control", "Max-Forwards")

func namesOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// forwarding says which fields of a client's header and trailer go to an upstream.
type forwarding struct {
	trusted bool   // the client is a proxy of ours
	key     string // the field that tells clients apart; "" if none does
}

// passes reports whether the field of this name, which is in the form of http.Header, goes to an upstream. CGI, and what is made after its
// example, writes a name with _ for all that is neither a letter nor a digit; so a name in such another spelling passes only if it is none
// that matters.
func (f forwarding) passes(name string) bool {
	if name == f.key {
		return true
	}
	spelt := canonical(name)
	switch {
	case never[spelt], f.key != "" && spelt == canonical(f.key):
		return false
	case strings.HasPrefix(spelt, "X-Forwarded"), claims[spelt]:
		return f.trusted && name == spelt
	default:
		return name == spelt || !exact[spelt]
	}
}

// canonical is the spelling of a name with - for all that is neither a letter nor a digit.
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

// strip drops the fields of a header that do not pass.
func (f forwarding) strip(h http.Header) {
	for name := range h {
		if !f.passes(name) {
			delete(h, name)
		}
	}
}

// trailer is what goes to an upstream of the trailer that a client has announced; nil if nothing does. The values come with the end of the
// body.
func (f forwarding) trailer(announced http.Header) http.Header {
	var t http.Header
	for name := range announced {
		if f.passes(name) && name != f.key && !notInTrailers[canonical(name)] {
			if t == nil {
				t = http.Header{}
			}
			t[name] = nil
		}
	}
	return t
}

// rewrite makes the request to the upstream: its address, the path without the route's if that is wanted, and for whom it is. What clients
// say of that themselves is kept only if a proxy that is trusted has sent it.
func (r *route) rewrite(p *httputil.ProxyRequest) {
	if u := p.Out.URL; r.config.StripPrefix {
		n := below(u.Path, r.config.Path)
		if u.RawPath != "" {
			u.RawPath = u.RawPath[escaped(u.RawPath, n):]
		}
		u.Path = u.Path[n:]
	}
	p.Out.URL.RawQuery = p.In.URL.RawQuery // as it came: nothing here depends on what it says
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

// introduce tells the upstream for whom the request is.
func (r *route) introduce(p *httputil.ProxyRequest) {
	if r.forward.trusted {
		p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
	}
	p.SetXForwarded()
	if r.forward.trusted {
		for _, name := range []string{"Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"} { // which httputil has dropped
			if v := p.In.Header[name]; len(v) > 0 {
				p.Out.Header[name] = v
			}
		}
	}
	if prefix := r.prefix(p.In); prefix != "" {
		p.Out.Header["X-Forwarded-Prefix"] = []string{prefix}
	}
}

// prefix is what has been taken off the path of a request, here and by proxies that are trusted, in escaped form.
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

// asksForWebsocket reports whether a request asks to switch to websocket, and to nothing else. Any other protocol, HTTP/2 foremost, would be
// a tunnel to all of the upstream that neither routes nor limits apply to; so its Upgrade is dropped, as it may be (RFC 9110, section 7.8).
func asksForWebsocket(r *http.Request) bool {
	protocols := r.Header["Upgrade"]
	return r.Method == http.MethodGet && r.ContentLength == 0 && r.ProtoMajor == 1 && r.ProtoMinor >= 1 && hasToken(r.Header["Connection"], "upgrade") &&
		len(protocols) == 1 && strings.EqualFold(textproto.TrimString(protocols[0]), "websocket")
}

// hasToken reports whether one of these lists has the token, which is in lower case.
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

// errSwitched is the error of an upstream that switches to a protocol which it was not asked for.
var errSwitched = errors.New("proxy: the upstream has switched to another protocol than it was asked for")

// modify looks at what an upstream has answered. On an error the answer is closed, and its connection with it.
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
