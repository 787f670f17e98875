package enginehttp

import (
	"net/http"
	"net/netip"
	"strings"
)

// RemoteIP returns a Handler.Key that gives the client's IP address. An IPv4 address is the key
// itself, such as "192.0.2.7". The key of an IPv6 address is the /64 that the address is in, such
// as "2001:db8:1:2::/64": a /64 is the least that a subscriber gets, and has 2^64 addresses to
// choose from.
//
// An IPv6 address in which an IPv4 address is embedded has that IPv4 address as the key: mapped
// (::ffff:192.0.2.7), compatible and translated addresses, NAT64 (64:ff9b::/96 and 64:ff9b:1::/48),
// 6to4 (2002::/16) and Teredo (2001::/32). A link-local address (fe80::/10) is the key itself, with
// the zone; from every other address RemoteIP drops the zone.
//
// trustedProxies is the number of your own reverse proxies that a request passes. Each of them must
// append the address of its peer to X-Forwarded-For, and the server must not be reachable other
// than through them. With 0 the key is the address of the connection, and X-Forwarded-For means
// nothing. With 1 the key is the last entry of X-Forwarded-For, with n the n-th from the right,
// over all lines of the field. Entries further to the left come from the client, and RemoteIP never
// looks at them. If the number is too large, a client can choose its key; if it is too small, all
// clients have the key of a proxy. RemoteIP panics if the number is negative.
//
// If there are fewer entries, the leftmost counts. If an entry is no address ("unknown", or empty),
// the next entry to its right counts, and after the last entry the address of the connection: your
// proxies wrote all of these. An entry may have a port, brackets and quotes. If the connection has
// no IP address either, as over a Unix socket, the key is http.Request.RemoteAddr.
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

// forwardedFor returns the leftmost address among the last n entries of the field with these lines,
// or the zero Addr if no entry is an address.
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

// parseIP reads an address that may have a port, brackets, quotes and a zone. If s is no address,
// parseIP returns the zero Addr.
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

// dotted returns the IPv4 address in s if s is an address and a port as net/http writes both, and
// else "". The address is the same as that of parseIP, at less cost.
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

// networkOf returns the key of an address.
func networkOf(addr netip.Addr) string {
	embedded, whole := clientWithin(addr)
	switch {
	case embedded.IsValid():
		return embedded.String()
	case whole:
		return addr.String()
	}
	var buf [64]byte
	prefix, _ := addr.Prefix(64) // without the zone; an error is for more bits than there are
	return string(prefix.AppendTo(buf[:0]))
}

// clientWithin returns the IPv4 address that addr is, or that a translator, a relay or a dual stack
// has put into addr. Otherwise whole reports whether addr stands for one client, and not for a
// network.
func clientWithin(addr netip.Addr) (v4 netip.Addr, whole bool) {
	if addr.Is4() {
		return addr, true
	}
	const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00"
	a := addr.As16()
	last := netip.AddrFrom4([4]byte(a[12:]))
	switch {
	case addr.IsLinkLocalUnicast(): // one of all the hosts of a link
		return v4, true
	case has(a, zeros+"\xff\xff\x00\x00"), // translated, RFC 2765
		has(a, zeros+"\x00\x00\x00\x00") && a[12] != 0, // compatible, RFC 4291; not ::1
		has(a, "\x00\x64\xff\x9b"+zeros):               // NAT64, RFC 6052
		return last, true
	case has(a, "\x00\x64\xff\x9b\x00\x01"): // NAT64 of an operator, RFC 8215
		if a[13]|a[14]|a[15] == 0 { // in another of the places that RFC 6052 knows
			return v4, true
		}
		return last, true
	case has(a, "\x20\x02"): // 6to4, RFC 3056
		return netip.AddrFrom4([4]byte(a[2:6])), true
	case has(a, "\x20\x01\x00\x00"): // Teredo, RFC 4380: each bit is inverted
		return netip.AddrFrom4([4]byte{^a[12], ^a[13], ^a[14], ^a[15]}), true
	}
	return v4, false
}

// has reports whether a begins with prefix.
func has(a [16]byte, prefix string) bool { return string(a[:len(prefix)]) == prefix }
