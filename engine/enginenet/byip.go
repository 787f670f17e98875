package enginenet

import (
	"net"
	"net/netip"
	"strings"
)

// ByIP names the host of an address. Port and zone do not count.
//
//   - An IPv4 address is its own name, as "192.0.2.1".
//   - An IPv6 address that a translator or a tunnel has made of an IPv4 address counts as that IPv4
//     address: ::ffff:0:0/96 and ::/96 (RFC 4291), ::ffff:0:0:0/96 (RFC 2765), 64:ff9b::/96 (RFC
//     6052) and the /96 prefixes of 64:ff9b:1::/48 (RFC 8215), 2002::/16 (6to4, RFC 3056) and
//     2001::/32 (Teredo, RFC 4380). Any other address of 64:ff9b:1::/48 is its own name.
//   - A link-local IPv6 address, fe80::/10, is its own name, as "fe80::1".
//   - Any other IPv6 address is named by its /64, as "2001:db8::/64", since one customer has at
//     least that many addresses (RFC 6177).
//   - "host:port" without an IP address is named by host.
//   - Any other address, as the address of a Unix socket, is named by its String, and a nil address
//     is named "". So such connections share a limit, and no connection is without a limit.
//
// Any goroutine may call ByIP.
func ByIP(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	switch a := addr.(type) {
	case *net.TCPAddr:
		return hostOf(a.AddrPort().Addr())
	case *net.UDPAddr:
		return hostOf(a.AddrPort().Addr())
	}
	text := addr.String()
	if with, err := netip.ParseAddrPort(text); err == nil {
		return hostOf(with.Addr())
	}
	if ip, err := netip.ParseAddr(text); err == nil {
		return hostOf(ip)
	}
	if host, port, err := net.SplitHostPort(text); err == nil && isNumber(port) && !strings.HasPrefix(addr.Network(), "unix") {
		return host
	}
	return text
}

// isNumber reports whether s is a decimal number.
func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// hostOf names the host of an IP address, see [ByIP].
func hostOf(ip netip.Addr) string {
	ip = ip.Unmap().WithZone("")
	if !ip.Is6() {
		return ip.String()
	}
	if four, ok := embedded(ip.As16()); ok {
		return four.String()
	}
	if ip.IsLinkLocalUnicast() || localNAT64.Contains(ip) {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}

var (
	compatible = netip.MustParsePrefix("::/96")
	translated = netip.MustParsePrefix("::ffff:0:0:0/96")
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	teredo     = netip.MustParsePrefix("2001::/32")
)

// embedded returns the IPv4 address that an IPv6 address was made of. An address that a host may
// choose at will, as an ISATAP identifier in its own /64, says nothing of an IPv4 host.
func embedded(b [16]byte) (netip.Addr, bool) {
	ip, last := netip.AddrFrom16(b), [4]byte(b[12:])
	switch {
	case nat64.Contains(ip), translated.Contains(ip):
		return netip.AddrFrom4(last), true
	case compatible.Contains(ip) && last[0] != 0: // :: and ::1 are no IPv4 addresses
		return netip.AddrFrom4(last), true
	case localNAT64.Contains(ip) && [4]byte(b[8:12]) == [4]byte{} && last != [4]byte{}:
		return netip.AddrFrom4(last), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case teredo.Contains(ip): // the address of the client is written inverted
		for i := range last {
			last[i] = ^last[i]
		}
		return netip.AddrFrom4(last), true
	}
	return netip.Addr{}, false
}
