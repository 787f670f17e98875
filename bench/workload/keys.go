package workload

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// Population is a set of keys and the order in which they are called.
type Population struct {
	Name string
	Size int // keys
	// order draws the order of calls, once: the random source is not what is measured. nil: every goroutine has a key of its own.
	order func() order
}

// Walks returns the walk of the i-th goroutine through keys, of which there are Size.
func (p Population) Walks(keys contender.Keys) func(i int) Walk {
	if p.order == nil {
		return func(i int) Walk { return own(keys.At(i * ownStride % p.Size)) }
	}
	order := p.order()
	return func(i int) Walk { return order.walk(keys, i) }
}

// ownStride keeps what belongs to the keys of two goroutines out of one cache line.
const ownStride = 16

type own contender.Key

func (k own) Next() contender.Key { return contender.Key(k) }

// sizes holds the keys of every size that was asked for.
var sizes sync.Map

// KeysOf returns n keys, made once.
func KeysOf(n int) contender.Keys {
	if keys, ok := sizes.Load(n); ok {
		return keys.(contender.Keys)
	}
	keys, _ := sizes.LoadOrStore(n, contender.NewKeys(n))
	return keys.(contender.Keys)
}

// order is an order of calls, as slots of keys; its length is a power of two. Every goroutine walks through it from a place
// of its own, over and over.
type order []uint32

// Populations returns the populations of keys.
func Populations() []Population { return populations }

var populations = []Population{
	{"1", 1, drawn(1, func(*rand.Rand) func() uint32 { return func() uint32 { return 0 } })},
	{"own", 1 << 12, nil},
	{"1k", 1_000, uniform(1_000)},
	{"zipf10k", 10_000, zipf(1.1, 10_000)},
	{"100k", 100_000, uniform(100_000)},
	{"1M", 1_000_000, uniform(1_000_000)},
	{"zipf1M", 1_000_000, zipf(1.1, 1_000_000)},
}

// PopulationNamed is the population of that name.
func PopulationNamed(name string) (Population, bool) {
	for _, p := range populations {
		if p.Name == name {
			return p, true
		}
	}
	return Population{}, false
}

func uniform(n uint32) func() order {
	return drawn(n, func(r *rand.Rand) func() uint32 { return func() uint32 { return r.Uint32N(n) } })
}

// zipf draws from the distribution in which the k-th most popular of n keys is called in proportion to k^-s.
func zipf(s float64, n uint32) func() order {
	return drawn(n, func(r *rand.Rand) func() uint32 {
		z := rand.NewZipf(r, s, 1, uint64(n-1))
		rank := r.Perm(int(n)) // so that neighbours in popularity are not neighbours in memory
		return func() uint32 { return uint32(rank[z.Uint64()]) }
	})
}

// leastDrawn is long enough for a walk from anywhere to see the distribution of few keys, and short enough for a shared cache.
const leastDrawn = 1 << 18

func drawn(n uint32, start func(*rand.Rand) func() uint32) func() order {
	return sync.OnceValue(func() order {
		next := start(rand.New(rand.NewPCG(uint64(n), 0)))
		length := leastDrawn
		for length < int(n) {
			length *= 2
		}
		o := make(order, length)
		for i := range o {
			o[i] = next()
		}
		return o
	})
}

// Walk is one goroutine's way through the keys.
type Walk interface {
	// Next is the key of the next call.
	Next() contender.Key
}

// walk is the walk of the i-th goroutine.
func (o order) walk(keys contender.Keys, i int) Walk {
	return &orderly{keys: keys, order: o, at: int(uint64(i) * 0x9E3779B97F4A7C15 & uint64(len(o)-1))}
}

type orderly struct {
	keys  contender.Keys
	order order
	at    int
}

func (w *orderly) Next() contender.Key {
	w.at = (w.at + 1) & (len(w.order) - 1)
	return w.keys.At(int(w.order[w.at]))
}

// Fresh hands out every key once, to all goroutines together: churn. After the last key it begins again.
type Fresh struct {
	keys contender.Keys
	next atomic.Int64
}

// NewFresh returns the keys to be handed out.
func NewFresh(keys contender.Keys) *Fresh { return &Fresh{keys: keys} }

// HandedOut is how many keys have been handed out, give or take one block for every goroutine.
func (f *Fresh) HandedOut() int { return int(f.next.Load()) }

// freshBlock is how many keys a goroutine takes at a time.
const freshBlock = 64

// Walk is the walk of a goroutine.
func (f *Fresh) Walk() Walk { return &freshWalk{from: f} }

type freshWalk struct {
	from     *Fresh
	at, left int
}

func (w *freshWalk) Next() contender.Key {
	if w.left == 0 {
		w.at, w.left = int(w.from.next.Add(freshBlock))-freshBlock, freshBlock
	}
	key := w.from.keys.At(w.at % w.from.keys.Len())
	w.at, w.left = w.at+1, w.left-1
	return key
}
