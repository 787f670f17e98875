package guard

import (
	"maps"
	"slices"
	"sync"
)

// census is a time in which the keys that are to be reset are collected.
type census struct {
	sync.Mutex // for one census at a time

	// Guarded by the lock of births and spills.
	open    bool
	born    map[string]struct{} // keys born in the time: the collection may have them, and they began after the sketch was cleared
	spilled map[string]struct{} // other keys spilled in the time: the collection may have missed them
}

// Census has the sketch forget every key, and returns each key that was known then. Nothing under
// the lock of births and spills takes longer if there are more keys. A key that is known through all
// of the census is collected. A key that goes in that time has nothing to be reset, or is spilled. A
// key that was not known begins as a new key, and is not to be reset a second time.
func (b *Behavior) Census(system *System) []string {
	c := &b.census
	c.Lock()
	defer c.Unlock()
	system.Still(func() {
		b.sketch.clear()
		c.open, c.born, c.spilled = true, map[string]struct{}{}, map[string]struct{}{}
	})
	keys := slices.Collect(system.Keys())
	system.Still(func() { c.open = false })
	keys = slices.DeleteFunc(keys, func(key string) bool {
		_, born := c.born[key]
		_, spilled := c.spilled[key]
		return born || spilled
	})
	keys = slices.AppendSeq(keys, maps.Keys(c.spilled))
	c.born, c.spilled = nil, nil
	return keys
}

// Collecting reports whether a census is taken. The caller holds the lock of births.
func (b *Behavior) Collecting() bool { return b.census.open }

// birth takes note that key is born.
func (c *census) birth(key string) {
	if c.open {
		c.born[key] = struct{}{}
	}
}

// spill takes note that key is spilled.
func (c *census) spill(key string) {
	if !c.open {
		return
	}
	if _, born := c.born[key]; !born {
		c.spilled[key] = struct{}{}
	}
}
