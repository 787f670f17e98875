package enginehttp_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzXForwardedFor: whatever stands there, the key is an address or the connection's; it is that of the rightmost n entries alone, and a
// client that sends more has no other.
func FuzzXForwardedFor(f *testing.F) {
	for _, c := range []struct{ value, sent string }{
		{"192.0.2.7", ""},
		{"203.0.113.9, 192.0.2.7\n10.0.0.2", "198.51.100.1"},
		{`unknown, "[2001:db8::1%eth0]:443",`, `"`},
		{"[::ffff:192.0.2.7]:80, 1.2.3.4:5", ","},
		{"[,],:,%,\"\"", "[::1"},
		{"64:ff9b::192.0.2.7,2002:c000:207::1", "fe80::1%eth0"},
		{"2001::fdd2,64:ff9b:1:c000:2:700::", "::192.0.2.7"},
	} {
		for n := range uint8(4) {
			f.Add(c.value, c.sent, n)
		}
	}
	f.Fuzz(func(t *testing.T, value, sent string, n uint8) {
		const peer = "10.0.0.1:1234"
		lines := strings.Split(value, "\n")
		key := keyOf(int(n), peer, lines...)
		if prefix, err := netip.ParsePrefix(key); err == nil {
			require.Equal(t, 64, prefix.Bits())
			require.Equal(t, prefix.Masked(), prefix)
			require.True(t, prefix.Addr().Is6() && !prefix.Addr().Is4In6(), key)
		} else {
			addr, err := netip.ParseAddr(key)
			require.NoError(t, err)
			require.True(t, addr.Is4() || addr.IsLinkLocalUnicast() || strings.HasPrefix(key, "64:ff9b:1:"), key)
			require.Equal(t, addr.String(), key)
		}

		entries := strings.Split(strings.Join(lines, ","), ",")
		trusted := entries[max(0, len(entries)-int(n)):]
		want := "10.0.0.1"
		for i := len(trusted) - 1; i >= 0; i-- {
			alone, peer := keyOf(1, "@", trusted[i]), keyOf(0, trusted[i])
			if alone == "@" {
				require.Equal(t, trusted[i], peer, "no address")
				continue
			}
			require.Equal(t, alone, peer, "an address is the same as that of a connection")
			want = alone
		}
		require.Equal(t, want, key, "%q", trusted)

		if len(entries) >= int(n) {
			require.Equal(t, key, keyOf(int(n), peer, append([]string{sent}, lines...)...))
			lines[0] = sent + "," + lines[0]
			require.Equal(t, key, keyOf(int(n), peer, lines...))
		}
	})
}
