package actors

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHashesSpread: keys that differ little, as keys do, fill the buckets of a table and use the tags evenly.
func TestHashesSpread(t *testing.T) {
	const n, boxes = 1 << 16, 1 << 7
	for name, key := range map[string]func(i int) string{
		"8 bytes":  func(i int) string { return fmt.Sprintf("k-%06d", i) },
		"10 bytes": func(i int) string { return fmt.Sprintf("%010d", i) },
		"16 bytes": func(i int) string { return fmt.Sprintf("tenant-%09d", i) },
		"17 bytes": func(i int) string { return fmt.Sprintf("tenant-%010d", i) },
		"at first": func(i int) string { return fmt.Sprintf("%05d-tenant-%03d", i%1e5, 1) },
		"zeros":    func(i int) string { return string([]byte{byte(i), byte(i >> 8), 0, 0, 0, 0, 0, 0, byte(i), 0}) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHasher()
			var low, tags [boxes]int
			for i := range n {
				hash := h.hash(key(i))
				low[hash%boxes]++
				tags[hash>>57]++
			}
			for i := range boxes { // the mean is 512, the standard deviation 23
				require.InDelta(t, n/boxes, low[i], 200)
				require.InDelta(t, n/boxes, tags[i], 200)
			}
		})
	}
}

// TestTheLengthCounts: keys of two lengths may have the same first and last eight bytes.
func TestTheLengthCounts(t *testing.T) {
	h := newHasher()
	for n := 8; n < 16; n++ {
		a, b := h.hash(strings.Repeat("a", n)), h.hash(strings.Repeat("a", n+1))
		require.InDelta(t, 32, bits.OnesCount64(a^b), 28)
	}
}

// TestHashersDiffer, so that nobody can know which keys meet in a bucket.
func TestHashersDiffer(t *testing.T) {
	for _, key := range []string{"", "a", "tenant-7", "tenant-0000000", strings.Repeat("x", 99)} {
		a, b := newHasher(), newHasher()
		require.NotEqual(t, a.hash(key), b.hash(key))
		require.Equal(t, a.hash(key), a.hash(strings.Clone(key)))
	}
}
