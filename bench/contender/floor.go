package contender

import (
	"context"
	"sync/atomic"

	"github.com/puzpuzpuz/xsync/v4"
)

// floor does what no design that keeps state per key can do without: look the key up, read the clock, write one word. The
// map is the fastest at hand, whose lookups take no lock.
func floor() Contender {
	return Contender{
		Name: "floor", Kind: Baseline,
		Cannot: "guards nothing: one lookup, one reading of the clock, one compare-and-swap that is not tried again",
		New: func(s Settings) (Guard, error) {
			return &floorGuard{rules: newRules(s), words: xsync.NewMap[string, *atomic.Int64]()}, nil
		},
	}
}

type floorGuard struct {
	partial
	rules rules
	words *xsync.Map[string, *atomic.Int64]
}

func (f *floorGuard) Allow(key Key) bool {
	word, ok := f.words.Load(key.Name)
	if !ok {
		word, _ = f.words.LoadOrStore(key.Name, new(atomic.Int64))
	}
	now := f.rules.now()
	word.CompareAndSwap(word.Load(), now)
	return true
}

func (f *floorGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	f.Allow(key)
	return fn(ctx)
}
