package enginenet_test

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
)

// TestLongKeysAreHashed, so that no peer makes an engine keep its megabyte, and are told apart.
func TestLongKeysAreHashed(t *testing.T) {
	const limit = 256
	seen := map[string]bool{}
	for _, key := range []string{strings.Repeat("k", limit), strings.Repeat("k", limit) + "a", strings.Repeat("k", limit) + "b", strings.Repeat("k", 1<<20)} {
		perKey, perConn := start(t, kib, kib), start(t, kib, kib)
		l := &enginenet.Listener{PerKey: perKey, PerConn: perConn, Direction: enginenet.Writes, Key: func(net.Addr) string { return key }}
		wrapped := enginenet.Wrap(newWire(newJournal(), nil), enginenet.Limit{Engine: perKey, Key: key, Direction: enginenet.Writes})
		for _, c := range []net.Conn{accept(t, l, newWire(newJournal(), nil))[0], wrapped} {
			_, err := c.Write(pattern(64))
			require.NoError(t, err)
		}
		keys := slices.Collect(perKey.Keys())
		require.Len(t, keys, 1)
		if len(key) <= limit {
			require.Equal(t, key+" writes", keys[0])
		} else {
			require.Regexp(t, `^sha256:[0-9a-f]{64} writes$`, keys[0])
		}
		require.False(t, seen[keys[0]])
		seen[keys[0]] = true
	}
}

// TestAnAddressOfAMegabyteIsNoKeyOfAMegabyte, also where both addresses are the key.
func TestAnAddressOfAMegabyteIsNoKeyOfAMegabyte(t *testing.T) {
	perKey, perConn := start(t, kib, kib), start(t, kib, kib)
	long := lengthy{newWire(newJournal(), nil)}
	c := accept(t, &enginenet.Listener{PerKey: perKey, PerConn: perConn}, long)[0]
	_, err := c.Write(pattern(64))
	require.NoError(t, err)
	for _, eng := range []*engine.Engine{perKey, perConn} {
		for key := range eng.Keys() {
			require.LessOrEqual(t, len(key), 256)
		}
		require.Equal(t, 1, eng.Stats().Keys)
	}
}

// lengthy is a wire whose address is long.
type lengthy struct{ *wire }

func (lengthy) RemoteAddr() net.Addr { return text(strings.Repeat("a", 1<<20)) }
