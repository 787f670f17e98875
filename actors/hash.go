package actors

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
)

// hasher hashes keys, each hasher in a way of its own, which nobody outside of the process knows.
type hasher struct {
	seed   maphash.Seed
	secret [3]uint64
}

func newHasher() hasher {
	return hasher{maphash.MakeSeed(), [3]uint64{rand.Uint64(), rand.Uint64(), rand.Uint64()}}
}

// isShort reports whether a key is hashed by its first and its last eight bytes, which are all of it.
func isShort(key string) bool { return len(key) >= 8 && len(key) <= 16 }

// word returns the first eight bytes of s. The compiler makes one load of this.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// hash returns the hash of a key.
func (h *hasher) hash(key string) uint64 {
	if isShort(key) {
		return h.short(word(key), word(key[len(key)-8:]), len(key))
	}
	return maphash.String(h.seed, key)
}

// short hashes a short key of n bytes: two folded multiplications with secrets, as the runtime hashes where the
// processor has no instructions for AES (wyhash; Wang Yi, 2019). Maphash would cost a short key three times as much,
// most of it for calls.
func (h *hasher) short(first, last uint64, n int) uint64 {
	return fold(fold(first^h.secret[0], last^h.secret[1]), h.secret[2]^uint64(n)) //nolint:gosec // a length
}

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}
