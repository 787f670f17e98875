package actors

import (
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/clock"
)

// Point is a place in the protocol at which a test steps in.
type Point = point

// The points, for tests.
const (
	AfterLookup  = afterLookup
	BeforeStart  = beforeStart
	BeforeLeave  = beforeLeave
	BeforeRetire = beforeSweep
)

// Slab is the slab of cells, and Segment its step.
type Slab[E any] struct{ slab[E] }

// Segment is how many elements a slab takes memory for at a time.
const Segment = segment

// Eager is the number of starts after which an actor lingers.
const Eager = eager

// Len, At, Push and Remove are those of the slab.
func (s *Slab[E]) Len() int       { return s.len() }
func (s *Slab[E]) At(i int) E     { return s.at(i) }
func (s *Slab[E]) Push(e E)       { s.push(e) }
func (s *Slab[E]) Remove(i int) E { return s.remove(i) }

// Segments is how many segments it holds.
func (s *Slab[E]) Segments() int { return len(s.segments) }

// NewHooked is New with a hook, which is in place before the supervisor takes its first step.
func NewHooked[P, S, M any](b Behavior[P, S, M], cfg Config, hook func(Point)) (*System[P, S, M], error) {
	c := cfg.Clock
	if c == nil {
		c = clock.System()
	}
	g := &gated{Clock: c, nanos: clock.Nanos(c), ready: make(chan struct{})}
	cfg.Clock = g
	s, err := New(b, cfg)
	if err == nil {
		s.hook = hook
	}
	close(g.ready)
	return s, err
}

// gated is a clock that makes no timer before ready; the supervisor begins with one.
type gated struct {
	clock.Clock
	nanos func() int64
	ready chan struct{}
}

func (g *gated) Nanos() int64 { return g.nanos() }

func (g *gated) NewTimer(d time.Duration) clock.Timer {
	<-g.ready
	return g.Clock.NewTimer(d)
}

// Slabs are the numbers of cells at rest, with a running actor, and kept out of searches.
func (s *System[P, S, M]) Slabs() (atRest, run, aside int) {
	s.lock()
	defer s.unlock()
	return s.slabs[resting].len(), s.slabs[running].len(), s.slabs[setAside].len()
}

// Seats is how many actors may linger.
var Seats = int(shippedBounds.seats)

// Patience is for how long an actor that lingers may go unused when others want its seat.
const Patience = time.Duration(patience)

// Face is what the cells of a Table publish.
type Face struct{ atomic.Int64 }

// Table is the table of cells.
type Table struct {
	table[Face, struct{}, struct{}]
}

// TablePair is how many cells two buckets have, on average.
const TablePair = tablePair

// NewTable returns an empty table.
func NewTable() *Table {
	t := &Table{}
	t.init()
	return t
}

// Load, Store and Delete are those of the table.
func (t *Table) Load(key string) *Cell[Face, struct{}, struct{}] {
	c, _ := t.load(key)
	return c
}

func (t *Table) Store(key string) {
	t.store(&Cell[Face, struct{}, struct{}]{key: key}, t.hash(key))
}

func (t *Table) Delete(c *Cell[Face, struct{}, struct{}]) { t.delete(c) }

// All yields the keys.
func (t *Table) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		t.all(func(c *Cell[Face, struct{}, struct{}]) bool { return yield(c.key) })
	}
}

// Size is how many buckets there are, and how many segments of them.
func (t *Table) Size() (buckets, segments int) {
	return int(t.state.Load() % oneMore), len(*t.segments.Load())
}

// Inconsistent returns a fault of the registry, or nil: a cell that is not where its slab says, an actor on a cell at rest, or a seat that
// is counted and not taken. No call and no step may be under way.
func (s *System[P, S, M]) Inconsistent() error {
	s.lock()
	defer s.unlock()
	lingering := int64(0)
	for i := range s.slabs {
		for at := range s.slabs[i].len() {
			c := s.slabs[i].at(at)
			a := c.actor.Load()
			if int(c.slab) != i || int(c.index) != at || c.retired {
				return fmt.Errorf("the cell of %q in slab %d at %d: %d, %d, retired %v", c.key, i, at, c.slab, c.index, c.retired)
			}
			if i == resting && a != nil || i == running && a == nil {
				return fmt.Errorf("the cell of %q is in slab %d, with an actor: %v", c.key, i, a != nil)
			}
			if a != nil && a.lingers.Load() {
				lingering++
			}
			if found, _ := s.cells.load(c.key); found != c {
				return fmt.Errorf("the table has another cell for %q", c.key)
			}
		}
	}
	if got := s.lingering.Load(); got != lingering || got > s.bounds.seats {
		return fmt.Errorf("%d seats taken, and %d actors linger", got, lingering)
	}
	if s.cells.cells != uint64(s.keys()) {
		return fmt.Errorf("%d cells in the table, and %d in slabs", s.cells.cells, s.keys())
	}
	return nil
}

// Lingering is how many actors linger, and how many seats there are.
func (s *System[P, S, M]) Lingering() (actors, seats int) {
	s.lock()
	defer s.unlock()
	for i := range s.slabs {
		for at := range s.slabs[i].len() {
			if a := s.slabs[i].at(at).actor.Load(); a != nil && a.lingers.Load() {
				actors++
			}
		}
	}
	return actors, int(s.bounds.seats)
}
