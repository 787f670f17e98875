package enginehttp

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// hostKey returns the key of a host: a name or an address, and perhaps a port. All spellings that
// lead to the same server have the same key. A name is in lower case and in ASCII, without a dot at
// the end, an address is in its canonical form, and the default port of scheme is left out.
func hostKey(scheme, host string) string {
	host = host[strings.LastIndexByte(host, '@')+1:] // no password is a part of a key
	name, port, ok := splitHost(host)
	if !ok {
		return strings.ToLower(host)
	}
	if port != "" {
		if port = strings.TrimLeft(port, "0"); port == "" {
			port = "0"
		}
		if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
			port = ""
		}
	}
	name = hostName(name)
	switch {
	case port == "":
		return name
	case len(host) == len(name)+1+len(port) && strings.HasPrefix(host, name) && strings.HasSuffix(host, port):
		return host // without an allocation
	}
	return name + ":" + port
}

// splitHost splits a host into name, without brackets, and port, which consists of digits or is
// empty.
func splitHost(host string) (name, port string, ok bool) {
	name = host
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		name, port, ok = strings.Cut(inner, "]")
		if _, err := netip.ParseAddr(name); err != nil || !ok {
			return host, "", false
		}
	} else if colon := strings.IndexByte(host, ':'); colon >= 0 && colon == strings.LastIndexByte(host, ':') {
		name, port = host[:colon], host[colon:]
	}
	if port == "" {
		return name, "", true
	}
	return name, port[1:], port[0] == ':' && strings.Trim(port[1:], "0123456789") == ""
}

// hostName returns the one spelling of a host's name or address.
func hostName(name string) string {
	name = strings.TrimRight(unescaped(name), ".")
	if label := name[strings.LastIndexByte(name, '.')+1:]; strings.Contains(label, ":") || label != "" && label[0] <= '9' {
		addr, err := netip.ParseAddr(name)
		switch {
		case err != nil:
			addr = numbers(name)
		case addr.Is4():
			return name // ParseAddr knows one spelling of an IPv4 address
		}
		switch addr = addr.Unmap(); {
		case addr.Is4():
			return addr.String()
		case addr.IsValid():
			return "[" + addr.String() + "]"
		}
	}
	return ascii(strings.ToLower(name))
}

// unescaped returns name with its percent-encoding undone (RFC 3986, section 3.2.2). If the result
// is no name, as for an address with a zone, unescaped returns name itself.
func unescaped(name string) string {
	if strings.IndexByte(name, '%') < 0 {
		return name
	}
	plain, err := url.PathUnescape(name)
	if err != nil || strings.ContainsFunc(plain, func(r rune) bool { return r <= ' ' || strings.ContainsRune("%:/?#[]@", r) }) {
		return name
	}
	return plain
}

// numbers returns the IPv4 address that the C function inet_aton, and with it many a resolver,
// reads from a name such as 127.1 or 0x7f000001. If name is no such address, numbers returns the
// zero Addr.
func numbers(name string) netip.Addr {
	parts := strings.Split(name, ".")
	if len(parts) > 4 {
		return netip.Addr{}
	}
	var ip uint64
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (4 - i) // the last number fills the address
		}
		if strings.ContainsAny(part, "_+-bBoO") { // numbers of Go, and not of C
			return netip.Addr{}
		}
		n, err := strconv.ParseUint(part, 0, bits)
		if err != nil {
			return netip.Addr{}
		}
		ip = ip<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)})
}

// ascii returns an internationalised name in its ASCII form, as net/http sends the name. A name
// that net/http does not send is returned unchanged.
func ascii(name string) string {
	if strings.IndexFunc(name, func(r rune) bool { return r > '~' }) < 0 {
		return name
	}
	var sent strings.Builder
	if err := (&http.Request{Host: name, URL: &url.URL{}}).Write(&sent); err != nil {
		return name
	}
	_, host, _ := strings.Cut(sent.String(), "\r\nHost: ")
	if host, _, _ = strings.Cut(host, "\r\n"); host == "" {
		return name
	}
	return host
}
