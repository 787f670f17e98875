package enginenet_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine/enginenet"
)

// text is an address of a kind of its own.
type text string

func (text) Network() string  { return "own" }
func (a text) String() string { return string(a) }

func TestByIP(t *testing.T) {
	for _, row := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, "192.0.2.1"},
		{&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 443}, "192.0.2.1"},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8:1:2:3:4:5:6"), Port: 443}, "2001:db8:1:2::/64"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 443}, "fe80::1"},
		{&net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53}, "192.0.2.1"},
		{&net.IPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}, "fe80::1"},
		{text("[::ffff:192.0.2.1]:80"), "192.0.2.1"},
		{text("[fe80::1%eth0]:80"), "fe80::1"},
		{text("192.0.2.1"), "192.0.2.1"},
		{text("somewhere"), "somewhere"},
		{text("somewhere:50312"), "somewhere"},
		{text("somewhere:else"), "somewhere:else"},
		{text(":50312"), ""},
		{&net.UnixAddr{Name: "/run/x.sock", Net: "unix"}, "/run/x.sock"},
		{&net.UnixAddr{Name: "@x:1", Net: "unix"}, "@x:1"},
		{&net.TCPAddr{}, "invalid IP"},
		{(*net.TCPAddr)(nil), "invalid IP"},
		{nil, ""},
	} {
		require.Equal(t, row.want, enginenet.ByIP(row.addr), "%v", row.addr)
	}
}

// TestByIPKnowsTheAddressesThatEmbedAnIPv4Address: each is the IPv4 host, and all such hosts are
// told apart.
func TestByIPKnowsTheAddressesThatEmbedAnIPv4Address(t *testing.T) {
	for addr, want := range map[string]string{
		"::ffff:192.0.2.33":                      "192.0.2.33",
		"::192.0.2.33":                           "192.0.2.33",
		"::ffff:0:192.0.2.33":                    "192.0.2.33",
		"64:ff9b::192.0.2.33":                    "192.0.2.33",
		"64:ff9b:1::192.0.2.33":                  "192.0.2.33",
		"64:ff9b:1:abcd::192.0.2.33":             "192.0.2.33",
		"64:ff9b:1:c000:2:2100::":                "64:ff9b:1:c000:2:2100::", // RFC 6052 with a prefix of 48 bits
		"64:ff9b:1:aac0:0:221::":                 "64:ff9b:1:aac0:0:221::",  // and with one of 56
		"64:ff9b:2::192.0.2.33":                  "64:ff9b:2::/64",
		"2002:c000:221::1":                       "192.0.2.33",
		"2002:c000:221:ffff:1:2:3:4":             "192.0.2.33",
		"2001:0:4136:e378:8000:63bf:3fff:fdde":   "192.0.2.33", // 4136:e378 is the server
		"2001:1::1":                              "2001:1::/64",
		"::":                                     "::/64",
		"::1":                                    "::/64",
		"fe80::5efe:192.0.2.33":                  "fe80::5efe:c000:221", // an identifier that anybody may choose
		"2001:db8::5efe:192.0.2.33":              "2001:db8::/64",
		"fe80::1":                                "fe80::1",
		"febf:ffff:ffff:ffff:ffff:ffff:ffff:fff": "febf:ffff:ffff:ffff:ffff:ffff:ffff:fff",
		"fec0::1":                                "fec0::/64",
	} {
		for _, a := range []net.Addr{
			&net.TCPAddr{IP: net.ParseIP(addr), Port: 443}, &net.UDPAddr{IP: net.ParseIP(addr), Port: 1}, text(addr), text("[" + addr + "]:80"),
		} {
			require.Equal(t, want, enginenet.ByIP(a), "%T %v", a, a)
		}
	}
}

// FuzzByIP: the key is the same for every port and zone, parsing never fails, and the host of the
// key is the host of the address.
func FuzzByIP(f *testing.F) {
	for _, seed := range []string{
		"192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "fe80::1%eth0", "x", "", "1.2.3", "::1%", "[::1]:80", "64:ff9b::1.2.3.4", "2002:102:304::",
		"2001:0:1::1", "64:ff9b:1::1.2.3.4", "::1.2.3.4",
	} {
		f.Add(seed, uint16(80))
	}
	f.Fuzz(func(t *testing.T, host string, port uint16) {
		key := enginenet.ByIP(text(host))
		ip := net.ParseIP(host)
		if ip == nil {
			return
		}
		if with := net.JoinHostPort(host, "80"); enginenet.ByIP(text(with)) != key {
			t.Errorf("%q: %q, but %q for %q", host, key, enginenet.ByIP(text(with)), with)
		}
		if tcp := enginenet.ByIP(&net.TCPAddr{IP: ip, Port: int(port), Zone: "z"}); tcp != key {
			t.Errorf("%q: %q, but %q as a TCPAddr", host, key, tcp)
		}
		if strings.Contains(key, "%") {
			t.Errorf("%q: %q", host, key)
		}
		if _, block, err := net.ParseCIDR(key); err == nil {
			if !block.Contains(ip) {
				t.Errorf("%q: %q", host, key)
			}
			return
		}
		addr, err := netip.ParseAddr(key)
		if err != nil || addr.Is6() && !net.IP(addr.AsSlice()).Equal(ip) || ip.To4() != nil && key != ip.String() {
			t.Errorf("%q: %q", host, key)
		}
	})
}
