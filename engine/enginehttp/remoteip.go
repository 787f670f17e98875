package enginehttp

import (
	"net/http"
	"net/netip"
	"strings"
)

// RemoteIP returns a Handler.Key that is the client's IP address: an IPv4 address as it is, such as "192.0.2.7", and the /64 of an
// IPv6 address, such as "2001:db8:1:2::/64", because that is the least that a subscriber gets, and has 2^64 addresses to choose from. An
// IPv4 address that is written as IPv6 (::ffff:192.0.2.7) is IPv4; a zone is dropped.
//
// trustedProxies is how many reverse proxies of yours a request has passed: each of them must append the address of its peer to
// X-Forwarded-For, and the server must not be reachable but through them. With 0 the key is the connection's address, and
// X-Forwarded-For means nothing. With 1 it is the last entry of X-Forwarded-For, with n the n-th from the right, over all the field's
// lines; what stands to the left of that is whatever the client has sent, and is never looked at. A number that is too large lets a
// client choose its key, one that is too small gives all clients the key of a proxy. RemoteIP panics if it is negative.
//
// Where there are fewer entries, it is the leftmost. Where the entry is no address ("unknown", or empty), it is the next to its right,
// and the connection's address after the last: all of those were written by your proxies. An entry may have a port, brackets and quotes.
// If the connection has no IP address either, as over a Unix socket, the key is http.Request.RemoteAddr as it is.
func RemoteIP(trustedProxies int) func(*http.Request) string {
	if trustedProxies < 0 {
		panic("enginehttp: RemoteIP: trustedProxies is negative")
	}
	return func(r *http.Request) string {
		var addr netip.Addr
		if trustedProxies > 0 {
			addr = forwardedFor(r.Header["X-Forwarded-For"], trustedProxies)
		}
		if !addr.IsValid() {
			if ip := dotted(r.RemoteAddr); ip != "" {
				return ip
			}
			addr = parseIP(r.RemoteAddr)
		}
		if !addr.IsValid() {
			return r.RemoteAddr
		}
		return networkOf(addr)
	}
}

// forwardedFor is the leftmost address among the last n entries of the field with these lines; the zero Addr if there is none.
func forwardedFor(lines []string, n int) netip.Addr {
	var leftmost netip.Addr
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; n-- {
			if n == 0 {
				return leftmost
			}
			comma := strings.LastIndexByte(rest, ',')
			if addr := parseIP(rest[comma+1:]); addr.IsValid() {
				leftmost = addr
			}
			if more = comma >= 0; more {
				rest = rest[:comma]
			}
		}
	}
	return leftmost
}

// parseIP reads an address that may have a port, brackets, quotes and a zone. It returns the zero Addr if it is none.
func parseIP(s string) netip.Addr {
	s = strings.Trim(s, " \t")
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	host, port := s, ""
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if host, port, ok = strings.Cut(inner, "]"); !ok {
			return netip.Addr{}
		}
	} else if colon := strings.IndexByte(s, ':'); colon >= 0 && colon == strings.LastIndexByte(s, ':') {
		host, port = s[:colon], s[colon:]
	}
	if port != "" && !isPort(port) {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// isPort reports whether s is a colon and a number of at most five digits.
func isPort(s string) bool {
	digits, ok := strings.CutPrefix(s, ":")
	if !ok || digits == "" || len(digits) > 5 {
		return false
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// dotted is the IPv4 address in s if s is that and a port, as net/http writes it, and else "". It is what parseIP finds, for less.
func dotted(s string) string {
	octet, digits, dots := 0, 0, 0
	for i, c := range []byte(s) {
		switch {
		case '0' <= c && c <= '9' && (digits == 0 || octet > 0): // no zeros in front
			octet, digits = 10*octet+int(c-'0'), digits+1
			if octet > 255 {
				return ""
			}
		case c == '.' && digits > 0 && dots < 3:
			octet, digits, dots = 0, 0, dots+1
		case c == ':' && digits > 0 && dots == 3 && isPort(s[i:]):
			return s[:i]
		default:
			return ""
		}
	}
	return ""
}

// networkOf is the key of an address.
func networkOf(addr netip.Addr) string {
	if addr.Is4() {
		return addr.String()
	}
	var buf [64]byte
	prefix, _ := addr.Prefix(64) // without the zone; an error is for more bits than there are
	return string(prefix.AppendTo(buf[:0]))
}
