// Package workload holds what the contention study has its contenders do: which calls, of which keys, in which order.
package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// Workload is one kind of call, made over and over.
type Workload struct {
	Name  string
	About string               // one sentence
	Needs contender.Capability // what a contender must be able to do to take part
	// Admits is whether the calls are let through, so that the baselines, which let everything through, take part too.
	Admits   bool
	Settings contender.Settings // without Keys
	// Prepare brings one key into the state that the calls are to find it in. The first touch of a key is part of it.
	Prepare func(contender.Guard, contender.Key) error
	// Call makes one call and reports whether it ended as the workload demands.
	Call func(contender.Guard, contender.Key) bool
}

// plenty is a limit that no run reaches and a breaker at its usual settings.
var plenty = contender.Settings{
	Capacity:         1 << 30,
	Interval:         time.Nanosecond,
	FailureThreshold: 5,
	RecoveryTimeout:  24 * time.Hour,
	Attempts:         3,
	BaseDelay:        100 * time.Millisecond,
}

var (
	background = context.Background()
	errFailed  = errors.New("workload: the call failed")
)

func nothing(context.Context) error { return nil }
func failing(context.Context) error { return errFailed }

// All returns every workload.
func All() []Workload {
	empty := plenty
	empty.Capacity, empty.Interval = 1, 1000*time.Hour
	once := plenty
	once.Attempts = 1 // so that no key has to sleep before its breaker is open; a refusal is not tried again anyway
	run := func(g contender.Guard, key contender.Key) bool { return g.Run(background, key, nothing) == nil }
	return []Workload{
		{
			Name: "pipeline", About: "retry, breaker and limiter around a function that does nothing; all calls are admitted",
			Needs: contender.Pipeline, Admits: true, Settings: plenty,
			Prepare: expect(run), Call: run,
		},
		{
			Name: "limiter", About: "the limiter alone; all calls are admitted",
			Needs: contender.Limits, Admits: true, Settings: plenty,
			Prepare: expect(contender.Guard.Allow), Call: contender.Guard.Allow,
		},
		{
			Name: "refused-empty", About: "the limiter alone; the bucket is empty and all calls are refused",
			Needs: contender.Limits | contender.Refuses, Settings: empty,
			Prepare: expect(contender.Guard.Allow), Call: func(g contender.Guard, key contender.Key) bool { return !g.Allow(key) },
		},
		{
			Name: "refused-open", About: "the pipeline, or as much as there is of it; the breaker is open and all calls are refused",
			Needs: contender.Breaks, Settings: once,
			Prepare: trip, Call: func(g contender.Guard, key contender.Key) bool { return !run(g, key) },
		},
	}
}

// expect is a Prepare that makes one call, which must end well.
func expect(call func(contender.Guard, contender.Key) bool) func(contender.Guard, contender.Key) error {
	return func(g contender.Guard, key contender.Key) error {
		if !call(g, key) {
			return fmt.Errorf("workload: the first call of %q went wrong", key.Name)
		}
		return nil
	}
}

// trip opens the breaker of a key.
func trip(g contender.Guard, key contender.Key) error {
	for range plenty.FailureThreshold {
		if err := g.Run(background, key, failing); !errors.Is(err, errFailed) {
			return fmt.Errorf("workload: a failing call of %q gave %w", key.Name, err)
		}
	}
	return nil
}

// Takes reports whether c takes part.
func (w Workload) Takes(c contender.Contender) bool {
	return c.Does.Has(w.Needs) || w.Admits && c.Kind == contender.Baseline
}

// Start makes a guard of c and prepares all keys.
func (w Workload) Start(c contender.Contender, k *Keys) (contender.Guard, error) {
	s := w.Settings
	s.Keys = k.Names
	g, err := c.New(s)
	if err != nil {
		return nil, err
	}
	for _, key := range k.Keys {
		if err := w.Prepare(g, key); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", c.Name, err), g.Close())
		}
	}
	return g, nil
}

// Keys is a population of keys and the order in which they are called. The order is drawn beforehand, so that the random
// source is not what is measured: a goroutine walks through Order from a place of its own.
type Keys struct {
	Name  string
	Names []string
	Keys  []contender.Key
	Order []uint32 // indexes into Keys; the length is a power of two
}

// orderLength is large enough that a walk from anywhere sees the distribution, and small enough for a shared cache.
const orderLength = 1 << 18

// Populations returns the populations of keys, each drawn when it is first asked for.
func Populations() []Population {
	return []Population{
		{"1", sync.OnceValue(func() *Keys { return draw("1", 1, func(*rand.Rand) uint32 { return 0 }) })},
		{"1k", sync.OnceValue(func() *Keys { return uniform("1k", 1_000) })},
		{"100k", sync.OnceValue(func() *Keys { return uniform("100k", 100_000) })},
		{"zipf10k", sync.OnceValue(func() *Keys { return zipf("zipf10k", 1.1, 10_000) })},
	}
}

// Population is a named population of keys.
type Population struct {
	Name string
	Keys func() *Keys
}

func uniform(name string, n uint32) *Keys {
	return draw(name, n, func(r *rand.Rand) uint32 { return r.Uint32N(n) })
}

func zipf(name string, s float64, n uint32) *Keys {
	var z *rand.Zipf
	return draw(name, n, func(r *rand.Rand) uint32 {
		if z == nil {
			z = rand.NewZipf(r, s, 1, uint64(n-1))
		}
		return uint32(z.Uint64())
	})
}

func draw(name string, n uint32, next func(*rand.Rand) uint32) *Keys {
	r := rand.New(rand.NewPCG(uint64(n), 0))
	k := &Keys{Name: name, Names: make([]string, n), Order: make([]uint32, orderLength)}
	for i := range k.Names {
		k.Names[i] = "tenant-" + strconv.Itoa(i)
	}
	// Neighbours in the order of creation are not neighbours in the order of popularity.
	r.Shuffle(len(k.Names), func(i, j int) { k.Names[i], k.Names[j] = k.Names[j], k.Names[i] })
	k.Keys = contender.Keys(k.Names)
	for i := range k.Order {
		k.Order[i] = next(r)
	}
	return k
}

// Walk is one goroutine's way through the order of calls.
type Walk struct {
	keys []contender.Key
	rest []uint32
	at   int
}

// Walk returns the walk of the i-th goroutine.
func (k *Keys) Walk(i int) *Walk {
	return &Walk{keys: k.Keys, rest: k.Order, at: int(uint64(i) * 0x9E3779B97F4A7C15 % orderLength)}
}

// Next is the key of the next call.
func (w *Walk) Next() contender.Key {
	w.at = (w.at + 1) & (orderLength - 1)
	return w.keys[w.rest[w.at]]
}
