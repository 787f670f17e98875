package guard

import "testing"

// A18: an attacker that knows the keys cannot choose keys that collide, because every engine has
// its own seed of the hash. The map of the cells has a seed of its own, too.
func TestA18TheSeedOfTheHashIsTheEnginesOwn(t *testing.T) {
	one, other := newSketch(1), newSketch(1)
	if one.hash("k") == other.hash("k") {
		t.Error("two engines hash a key alike")
	}
}
