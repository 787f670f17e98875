package actors_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/mailbox"
)

type (
	keySystem = actors.System[sign, memo, *parcel]
	keyCell   = actors.Cell[sign, memo, *parcel]
)

// scene is a system, its accounts and its callers in a world.
type scene struct {
	*world
	b       *keys
	s       *keySystem
	cfg     actors.Config
	names   int
	callers int
	parcels []*parcel
	leaving int // callers that have come to the end
	closing bool
	limits  int // how often a key was refused
	pinning bool
}

// newScene draws a scene.
func newScene(seed uint64) (*scene, error) {
	w := newWorld(seed)
	x := &scene{world: w, b: &keys{w: w, accounts: map[string]*account{}, cellOf: map[*sign]*account{}}}
	x.callers = 2 + w.random.IntN(5)
	x.cfg = actors.Config{
		MaxKeys:       1 + w.random.IntN(6),
		IdleAfter:     time.Duration(1 + w.random.Int64N(int64(20*time.Second))),
		Linger:        time.Duration(w.random.Int64N(int64(20 * time.Second))),
		Mailbox:       1 + w.random.IntN(3),
		RestartBudget: 1 + w.random.IntN(3),
		RestartWindow: time.Duration(1 + w.random.Int64N(int64(10*time.Second))),
		Clock:         worldClock{w},
		Driver:        w,
	}
	x.names = 1 + w.random.IntN(x.cfg.MaxKeys+3)
	if w.oneIn(8) { // more keys than a bucket has
		x.names, x.cfg.MaxKeys = 60+w.random.IntN(60), 20+w.random.IntN(60)
	}
	if w.oneIn(2) {
		w.panics, x.b.faulty = 20+w.random.IntN(300), 5+w.random.IntN(50)
	}
	x.pinning = w.oneIn(8)
	x.b.budget = x.cfg.RestartBudget
	s, err := actors.New(x.b, x.cfg)
	x.s = s
	return x, err
}

// caller has a life of some acts.
func (x *scene) caller(id, acts int) {
	held := map[string]*keyCell{} // perhaps retired since
	numbers := map[string]int{}
	for range acts {
		key := fmt.Sprint(x.random.IntN(x.names))
		switch x.random.IntN(20) {
		case 0:
			x.guard(func() { x.look() })
		case 1, 2, 3:
			x.guard(func() { x.use(key) })
		case 4:
			x.pause(x.random.Int64N(int64(x.cfg.IdleAfter)))
		default:
			numbers[key]++
			m := &parcel{
				key: key, from: id, number: numbers[key], clean: x.oneIn(2),
				kind: kind(x.random.IntN(int(kinds))), arg: x.random.Int64N(5e9) - 1e9,
			}
			if x.pinning && !x.oneIn(8) {
				m.kind = pins
			}
			x.send(m, held)
		}
	}
	x.leaving++
}

// guard runs f, and takes a panic of the clock, which is the caller's.
func (x *scene) guard(f func()) (whole bool) {
	defer func() {
		if r := recover(); r != nil && r != "the clock" {
			x.fail("a caller panics: %v", r)
		}
	}()
	f()
	return true
}

// pause has the caller wait for d.
func (x *scene) pause(d int64) {
	t := &worldTimer{w: x.world, c: make(chan time.Time, 1)}
	x.timers = append(x.timers, t)
	t.arm(time.Duration(d))
	x.Wait(func() bool { return len(t.c) > 0 })
}

// cell is System.Cell, and checks a refusal.
func (x *scene) cell(key string) (c *keyCell, err error) {
	began := x.moves
	c, err = x.s.Cell(key)
	switch {
	case err == nil:
		if c.Key() != key {
			x.fail("the cell of %q is that of %q", key, c.Key())
		}
	case errors.Is(err, actors.ErrKeyLimit):
		x.limits++
		x.checkLimit(began)
	case !errors.Is(err, actors.ErrClosed) || !x.closing:
		x.fail("Cell: %v", err)
	}
	return c, err
}

// checkLimit finds a key that was not held and that nobody touched since.
func (x *scene) checkLimit(since int) {
	cells := 0
	for name, a := range x.b.accounts {
		if a.p == nil {
			continue
		}
		cells++
		if a.touched < since && a.pending == 0 && !a.held && a.n >= 0 && !a.broken && a.booms == 0 && x.panics == 0 {
			x.fail("a key was refused, and %q could have gone: %+v since %d, now %d, cells %d", name, *a, since, x.moves, x.b.cells)
		}
	}
	if cells == 0 {
		x.fail("a key was refused, and there is none")
	}
}

// send is a caller that sends m, and looks the key up again if its cell retires.
func (x *scene) send(m *parcel, held map[string]*keyCell) {
	x.parcels = append(x.parcels, m)
	c := held[m.key]
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if x.oneIn(4) {
		if x.oneIn(2) {
			cancel()
		} else {
			x.spawn("cancel", func() {
				x.Between()
				cancel()
			})
		}
	}
	for {
		var err error
		if whole := x.guard(func() {
			if c == nil || x.oneIn(2) {
				if c, err = x.cell(m.key); err != nil {
					return
				}
				held[m.key] = c
			}
			a := x.b.account(m.key)
			a.pending++
			a.touched = x.moves
			if err = x.s.Send(ctx, c, m); err != nil {
				a.pending--
				a.touched = x.moves
			}
		}); !whole {
			return
		}
		x.note(fmt.Sprint("sent ", err), int64(m.number))
		if !errors.Is(err, actors.ErrRetired) {
			m.accepted = err == nil
			x.checkSent(ctx, err)
			return
		}
		if !c.Published.retired {
			x.fail("ErrRetired, and the cell is not retired")
		}
		delete(held, m.key)
		c = nil
	}
}

// checkSent checks the last result of a send.
func (x *scene) checkSent(ctx context.Context, err error) {
	switch {
	case err == nil, errors.Is(err, actors.ErrKeyLimit):
	case errors.Is(err, mailbox.ErrExpired):
		if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
			x.fail("expired: %v", err)
		}
	case errors.Is(err, actors.ErrClosed):
		if !x.closing {
			x.fail("closed before Close")
		}
	default:
		x.fail("Send: %v", err)
	}
}

// use moves the published part of a key, as callers may without a message.
func (x *scene) use(key string) {
	now := x.s.Now()
	if c, there := x.s.Find(key); there && !c.Published.retired {
		c.Published.used = max(c.Published.used, now)
		x.b.of(&c.Published, "a use")
	}
}

// look asks the system, and compares.
func (x *scene) look() {
	x.s.Still(func() {
		for name, a := range x.b.accounts {
			if c, there := x.s.Find(name); there != (a.p != nil) || there && &c.Published != a.p {
				x.fail("%q has a cell: %v", name, there)
			}
		}
	})
	if got := x.s.Stats(); got.Keys != x.b.cells || got.Keys > x.cfg.MaxKeys || got.Evicted != x.b.evicted || got.Spilled != x.b.spilled {
		x.fail("%+v, and there are %d cells, %d evicted, %d spilled", got, x.b.cells, x.b.evicted, x.b.spilled)
	}
	if n, seats := x.s.Lingering(); n > seats {
		x.fail("%d actors linger in %d seats", n, seats)
	}
	before := map[string]*sign{}
	for name, a := range x.b.accounts {
		if a.p != nil {
			before[name] = a.p
		}
	}
	seen := map[string]int{}
	for key := range x.s.Keys() {
		if seen[key]++; len(seen) == 1 { // the order of the keys, and so their number, is not the seed's
			x.Between()
		}
	}
	for name, p := range before {
		if x.b.accounts[name].p == p && seen[name] != 1 {
			x.fail("%q, which was there all the time, came %d times", name, seen[name])
		}
	}
}
