package guard

import "testing"

// A18: who knows the keys cannot choose those that collide, because the seed of the hash is the engine's own. The map of the cells
// has a seed of its own, too.
func TestA18TheSeedOfTheHashIsTheEnginesOwn(t *testing.T) {
	one, other := newSketch(1), newSketch(1)
	if one.hash("k") == other.hash("k") {
		t.Error("two engines hash a key alike")
	}
}
