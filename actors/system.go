package actors

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/mailbox"
)

// Config is how a [System] is run. The zero value of a field is its default; no field may be negative.
type Config struct {
	MaxKeys       int           // the most keys at a time; default 1,048,576, at most 2^31 - 1
	IdleAfter     time.Duration // how long a key goes unused before it is forgotten if it equals a new one; default 5 min
	Linger        time.Duration // how long an actor goes unused before it leaves; default IdleAfter. Looked at every IdleAfter / 8
	Mailbox       int           // how many messages a mailbox holds; default 8
	RestartBudget int           // the panics within RestartWindow after which an actor refuses messages; default 5
	RestartWindow time.Duration // and for how long it does; default 1 min
	Clock         clock.Clock   // default clock.System()
}

// Stats are counters of a [System]; see [System.Stats].
type Stats struct {
	Keys     int    // cells
	Actors   int    // goroutines that run for them
	Evicted  uint64 // cells that were forgotten, being as new
	Spilled  uint64 // cells that were forgotten before that, for want of room
	Restarts uint64 // turns that panicked
}

// System is a set of actors, one for each key. Make one with [New], end it with [System.Close]. Its methods may be called
// by any goroutine.
type System[P, S, M any] struct {
	behavior  Behavior[P, S, M]
	clock     clock.Clock
	nanos     func() int64
	maxKeys   int
	idleAfter time.Duration
	linger    time.Duration
	mailbox   int
	budget    int
	window    int64

	cells     table[P, S, M]
	restarts  atomic.Uint64
	lingering atomic.Int64                   // actors
	left      atomic.Pointer[actor[P, S, M]] // actors that have left and of which their cells have not heard, last first

	// lifecycle orders the rare events in the life of a cell: its birth, the start and the leaving of its actor, its retirement, and
	// the end of the system. Every hold is short and looks at 512 cells at most, and nothing that can block is called under the lock.
	// Take it by lock and give it back by unlock.
	lifecycle sync.Mutex
	rings     [ringsOfCells]ring[*Cell[P, S, M]] // every cell is in one of them
	hand      int                                // in the ring resting: where the search for a cell to forget goes on
	turn      int                                // likewise in the ring running
	newborn   S                                  // for insert alone
	actors    int
	evicted   uint64
	spilled   uint64
	ended     bool

	group   errgroup.Group // the supervisor and the actors
	closing chan struct{}  // closed when Close is first called; the supervisor watches it
	closed  chan struct{}  // closed when the last goroutine of group has ended

	hook func(point) // nil but in tests
}

// New starts a system whose actors behave like b. The error joins one for each bad field of cfg.
func New[P, S, M any](b Behavior[P, S, M], cfg Config) (*System[P, S, M], error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := cfg.Clock
	if c == nil {
		c = clock.System()
	}
	s := &System[P, S, M]{
		behavior:  b,
		clock:     c,
		nanos:     clock.Nanos(c),
		maxKeys:   orElse(cfg.MaxKeys, 1<<20),
		idleAfter: orElse(cfg.IdleAfter, 5*time.Minute),
		mailbox:   orElse(cfg.Mailbox, 8),
		budget:    orElse(cfg.RestartBudget, 5),
		window:    int64(orElse(cfg.RestartWindow, time.Minute)),
		closing:   make(chan struct{}),
		closed:    make(chan struct{}),
	}
	s.cells.init()
	s.linger = orElse(cfg.Linger, s.idleAfter)
	s.join(s.supervise) // ended by Close
	return s, nil
}

func (c Config) validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MaxKeys", int64(c.MaxKeys)},
		{"IdleAfter", int64(c.IdleAfter)},
		{"Linger", int64(c.Linger)},
		{"Mailbox", int64(c.Mailbox)},
		{"RestartBudget", int64(c.RestartBudget)},
		{"RestartWindow", int64(c.RestartWindow)},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("actors: Config.%s = %d: must not be negative", f.name, f.value))
		}
	}
	if int64(c.MaxKeys) > math.MaxInt32 {
		errs = append(errs, fmt.Errorf("actors: Config.MaxKeys = %d: must be at most %d", c.MaxKeys, math.MaxInt32))
	}
	return errors.Join(errs...)
}

func orElse[T int | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}

// join runs f on a goroutine that Close waits for.
func (s *System[P, S, M]) join(f func()) {
	s.group.Go(func() error {
		f()
		return nil
	})
}

// Now is the instant on the system's clock, in nanoseconds from just before its making: at least 1. It never runs back.
func (s *System[P, S, M]) Now() int64 { return s.nanos() + 1 } // 0 is no instant

// Find returns the cell of key if there is one. It never makes one.
func (s *System[P, S, M]) Find(key string) (*Cell[P, S, M], bool) {
	c := s.cells.load(key)
	return c, c != nil
}

// Cell returns the cell of key, and makes one if there is none; the error is then ErrKeyLimit or ErrClosed.
func (s *System[P, S, M]) Cell(key string) (*Cell[P, S, M], error) {
	if c := s.cells.load(key); c != nil {
		return c, nil
	}
	return s.create(key)
}

// Send puts m into the mailbox of c's actor, which it starts if none runs, and waits for room until ctx ends. An error
// means that m was not and will not be processed: ErrRetired, ErrClosed, or mailbox.ErrExpired with ctx's error.
func (s *System[P, S, M]) Send(ctx context.Context, c *Cell[P, S, M], m M) error {
	a := c.actor.Load()
	if s.hook != nil {
		s.hook(afterLookup)
	}
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
	}
}

// Keys are the keys that have a cell. Keys that come or go during the iteration may or may not be among them.
func (s *System[P, S, M]) Keys() iter.Seq[string] {
	return func(yield func(string) bool) {
		s.cells.all(func(c *Cell[P, S, M]) bool { return yield(c.key) })
	}
}

// Still runs f while no cell is born, spilled or forgotten. f must not block.
func (s *System[P, S, M]) Still(f func()) {
	s.lock()
	defer s.unlock()
	f()
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

// Close refuses new messages, has every actor refuse what it holds, and waits until every goroutine has ended or ctx
// ends; the error is then ctx's. It may be called again.
func (s *System[P, S, M]) Close(ctx context.Context) error {
	s.lock()
	first := !s.ended
	s.ended = true
	s.unlock()
	if first {
		close(s.closing)
		go func() { // ends with the last goroutine of group
			_ = s.group.Wait() // none of them returns an error
			close(s.closed)
		}()
	}
	select {
	case <-s.closed:
		return nil
	default:
	}
	select {
	case <-s.closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
