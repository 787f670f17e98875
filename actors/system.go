package actors

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/mailbox"
)

// System is a set of actors, one for each key. Make a System with [New] and end the System with
// [System.Close]. Any goroutine may call the methods.
type System[P, S, M any] struct {
	behavior  Behavior[P, S, M]
	updater   Updater[P, S] // behavior, or nil
	forgetter Forgetter[P]  // behavior, or nil
	holder    Holder[P]     // likewise
	clock     clock.Clock
	nanos     func() int64
	base      time.Time    // from which nanos counts, on the system's clock; else zero
	maxKeys   int          // guarded by the lifecycle lock
	idleAfter atomic.Int64 // ns
	linger    atomic.Int64 // ns
	mailbox   int
	budget    int
	window    int64
	bounds    *bounds
	driver    Driver

	cells     table[P, S, M]
	restarts  atomic.Uint64
	lingering atomic.Int64                   // actors
	departed  atomic.Pointer[actor[P, S, M]] // the notes: actors that have left and whose cells do not know, last first

	// lifecycle orders the rare events in the life of a cell: birth, the start and the departure of
	// the actor, retirement, and the end of the system. A hold looks at a bounded number of cells,
	// and calls no code that can block. Take the lock by lock and give the lock back by unlock.
	lifecycle   sync.Mutex
	slabs       [slabsOfCells]slab[*Cell[P, S, M]] // every cell is in a slab
	restingHand int                                // in the slab resting: where the search for a cell to forget goes on
	runningHand int                                // likewise in the slab running
	newborn     S                                  // for insert alone
	lastRetired int64                              // the latest instant of a retirement
	actors      int
	evicted     uint64
	spilled     uint64
	ended       bool

	group    errgroup.Group // the supervisor and the actors
	steppers int            // likewise, under a Driver
	closing  chan struct{}  // closed when Close is first called, for the supervisor
	closed   chan struct{}  // closed when the last of group or steppers has ended

	hook func(point) // nil but in tests and simulations
}

// New starts a system whose actors behave like b. The error joins an error for each bad field of
// cfg.
func New[P, S, M any](b Behavior[P, S, M], cfg Config) (*System[P, S, M], error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := cfg.Clock
	if c == nil {
		c = clock.System()
	}
	nanos, base := clock.NanosFrom(c)
	s := &System[P, S, M]{
		behavior: b,
		clock:    c,
		nanos:    nanos,
		base:     base,
		mailbox:  orElse(cfg.Mailbox, 8),
		budget:   orElse(cfg.RestartBudget, 5),
		window:   int64(orElse(cfg.RestartWindow, time.Minute)),
		bounds:   &shippedBounds,
		driver:   cfg.Driver,
		closing:  make(chan struct{}),
		closed:   make(chan struct{}),
	}
	if s.driver != nil {
		s.bounds = &drivenBounds
		s.hook = func(point) { s.driver.Between() }
	}
	s.updater, _ = b.(Updater[P, S])
	s.forgetter, _ = b.(Forgetter[P])
	s.holder, _ = b.(Holder[P])
	s.cells.init()
	s.Resize(cfg.MaxKeys, cfg.IdleAfter, cfg.Linger)
	if s.driver == nil {
		s.join(s.supervise) // ended by Close
	} else {
		s.drive(&steppedSupervisor[P, S, M]{sys: s})
	}
	return s, nil
}

// join runs f on a goroutine that Close waits for.
func (s *System[P, S, M]) join(f func()) {
	s.group.Go(func() error {
		f()
		return nil
	})
}

// Now returns the present instant: nanoseconds on the system's clock since just before New was
// called. Now is at least 1 and below 2^62, and never runs back; see [clock.Nanos].
func (s *System[P, S, M]) Now() int64 { return s.nanos() + 1 } // 0 is no instant

// Base returns the instant at which Now was 1, if the system reads the system's clock. Else it is zero.
func (s *System[P, S, M]) Base() time.Time { return s.base }

// Offset returns the difference to add to an instant of s to have the same instant of other, if the
// difference never changes: if both read the system's clock.
func (s *System[P, S, M]) Offset(other *System[P, S, M]) (d int64, constant bool) {
	if s.base.IsZero() || other.base.IsZero() {
		return 0, false
	}
	return int64(s.base.Sub(other.base)), true
}

// Find returns the cell of key if the key has a cell. Find never makes a cell.
func (s *System[P, S, M]) Find(key string) (*Cell[P, S, M], bool) {
	c, _ := s.cells.load(key)
	return c, c != nil
}

// Hash is the hash of a key, which [System.Lookup] returns for [System.Create].
type Hash uint64

// Lookup is Find for a caller that calls Create if there is no cell: c is nil then.
func (s *System[P, S, M]) Lookup(key string) (c *Cell[P, S, M], h Hash) {
	c, hash := s.cells.load(key)
	return c, Hash(hash)
}

// Cell returns the cell of key. If there is no cell, Cell makes the cell, or returns ErrKeyLimit or
// ErrClosed.
func (s *System[P, S, M]) Cell(key string) (*Cell[P, S, M], error) {
	c, h := s.Lookup(key)
	if c != nil {
		return c, nil
	}
	return s.Create(key, h, nil)
}

// Send puts m into the mailbox of c's actor, and waits for room until ctx ends. If no actor runs,
// Send starts an actor. An error means that m was not and will not be processed: ErrRetired,
// ErrClosed, or mailbox.ErrExpired with ctx's error.
func (s *System[P, S, M]) Send(ctx context.Context, c *Cell[P, S, M], m M) error {
	a := c.actor.Load()
	s.at(afterLookup)
	for {
		if a != nil {
			err := a.box.Put(ctx, envelope[M]{m: m})
			if err == nil || !errors.Is(err, mailbox.ErrClosed) {
				return err
			}
		}
		var err error
		if a, err = s.start(c); err != nil {
			return err
		}
		s.at(afterStart)
	}
}

// Keys iterates over the keys that have a cell. A key that has a cell all the time comes exactly
// once. A key that comes or goes during the iteration may be missing.
func (s *System[P, S, M]) Keys() iter.Seq[string] {
	return func(yield func(string) bool) {
		s.cells.all(func(c *Cell[P, S, M]) bool { return yield(c.key) })
	}
}

// Running returns the cells that have an actor. A cell whose actor starts or leaves meanwhile may be missing.
func (s *System[P, S, M]) Running() (cells []*Cell[P, S, M]) {
	for w := s.newStop(); len(w.slabs) > 0; {
		w.next(func(c *Cell[P, S, M]) {
			if c.actor.Load() != nil {
				cells = append(cells, c)
			}
		})
	}
	return cells
}

// Resize changes MaxKeys, IdleAfter and Linger of [Config]; 0 is the default. If there are more keys than
// MaxKeys then, every birth makes room for two. The next sweep comes when it was due.
func (s *System[P, S, M]) Resize(maxKeys int, idleAfter, linger time.Duration) {
	s.lock()
	defer s.unlock()
	s.maxKeys = orElse(maxKeys, 1<<20)
	idleAfter = orElse(idleAfter, 5*time.Minute)
	s.idleAfter.Store(int64(idleAfter))
	s.linger.Store(int64(orElse(linger, idleAfter)))
}

// Still runs f while no cell is born, spilled or forgotten. f must not block, and should take no
// longer if there are more keys.
func (s *System[P, S, M]) Still(f func()) {
	s.lock()
	defer s.unlock()
	f()
}

// Stats are counters of a [System]; see [System.Stats].
type Stats struct {
	Keys     int    // cells
	Actors   int    // actors that run
	Evicted  uint64 // cells that were forgotten because they equalled a new cell
	Spilled  uint64 // cells that were forgotten before that, for want of room
	Restarts uint64 // turns that panicked, by a fault of their own or of the clock
}

// Stats returns the counters.
func (s *System[P, S, M]) Stats() Stats {
	s.tidy()
	s.lock()
	defer s.unlock()
	return Stats{
		Keys:     s.keys(),
		Actors:   s.actors,
		Evicted:  s.evicted,
		Spilled:  s.spilled,
		Restarts: s.restarts.Load(),
	}
}

// Close refuses new messages, has every actor refuse the messages in its mailbox, and waits until
// every goroutine has ended. If ctx ends before, the error is ctx's. Close may be called again.
func (s *System[P, S, M]) Close(ctx context.Context) error {
	s.lock()
	first := !s.ended
	s.ended = true
	s.unlock()
	if first {
		close(s.closing)
		if s.driver == nil {
			go func() { // ends with the last goroutine of group
				_ = s.group.Wait() // none of them returns an error
				close(s.closed)
			}()
		}
	}
	if s.driver != nil {
		s.driver.Wait(func() bool { return isClosed(s.closed) || isClosed(ctx.Done()) })
	}
	if isClosed(s.closed) {
		return nil
	}
	select {
	case <-s.closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
