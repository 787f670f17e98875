package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// badListen, badHost and badPath return the reason for which a value is a mistake, or "".
func badListen(s, example string) string {
	wanted := fmt.Sprintf(`must be an address and a port, such as ":%[1]s" or "127.0.0.1:%[1]s"`, example)
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return wanted
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "the port must be 0 to 65535"
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && badHost(strings.ToLower(host)) != "" {
		return wanted
	}
	return ""
}

// sameListener reports whether only one of two addresses can be listened on.
func sameListener(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	every := func(host string) bool {
		addr, err := netip.ParseAddr(host)
		return host == "" || err == nil && addr.IsUnspecified()
	}
	return hostA == hostB || every(hostA) || every(hostB)
}

func badHost(s string) string {
	if s == "" {
		return ""
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		if as := addr.WithZone("").String(); as != s {
			return fmt.Sprintf("is an address, and must be written as %q", as)
		}
		return ""
	}
	for label := range strings.SplitSeq(s, ".") {
		for _, c := range label {
			switch {
			case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_':
			case c >= 'A' && c <= 'Z':
				return "must be in lower case"
			case c == ':':
				return "must be without a scheme and a port"
			default:
				return fmt.Sprintf("must be a name such as \"api.example.com\"; %q cannot be in it", c)
			}
		}
		if label == "" {
			return "must be a name such as \"api.example.com\", with no dot at either end"
		}
	}
	return ""
}

func badPath(s string) string {
	switch {
	case !strings.HasPrefix(s, "/"):
		return `must begin with "/"`
	case strings.ContainsAny(s, "%?#"):
		return "must be a path without %, ? and #, its characters as they are"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "must have no control characters"
	case strings.ContainsAny(s, `\;`):
		return `must have no \ and no ;`
	case strings.ContainsFunc(s, func(c rune) bool { return unicode.IsSpace(c) && c != ' ' || unicode.Is(unicode.Cf, c) }):
		return "must have no spaces but ordinary ones, and no characters that cannot be seen"
	case s != "/" && slices.ContainsFunc(strings.Split(s[1:], "/"), empty):
		return "must have no empty segment, and none that begins or ends with a space or ends with a dot"
	}
	return ""
}

// empty reports whether some servers take a segment of a path for another segment, or for none.
func empty(segment string) bool {
	return segment == "" || strings.Trim(segment, " ") != segment || strings.HasSuffix(segment, ".")
}
