package engine

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"time"
)

// world is a simulation in one thread: callers, the cells of keys and their actors, time, and what goes wrong. It plays the part of
// actors.System, the goroutines and the clock around the engine's own keeper, gates, requests and sketch. All that happens follows
// from the seed.
//
// Every caller and every running actor has a bit. One whose bit is in ready can go on, one in timed goes on at its instant, and one in
// neither waits for another. A step takes one of the ready at random. When there is none, time jumps to the next instant.
type world struct {
	scene
	rng    rand.PCG
	sum    uint64 // FNV-1a over every event: the trace
	events int64
	passed int64 // ns, in earlier scenes

	eng *Engine
	k   *keeper

	now    int64 // ns since the beginning of the scene, as timers see it
	offset int64 // of the source of the engine's clock
	high   int64 // the latest reading of a source that may run back
	given  int64 // the last reading that the engine got

	ready, timed, busy uint64
	due                [mostCallers + mostCells]int64
	soonest            int64 // no instant of due is before it

	porous bool // the step is one in the midst of which others may come
	depth  int

	people    [mostCallers]caller
	keys      [mostNames]account
	cells     []*site // those that exist, in no order
	hand      int     // where the search for one to forget goes on
	slots     uint64  // taken by them
	sites     arena
	idlers    []*player
	spare     []*request
	sweepAt   int64
	closed    bool
	draining  bool
	recovered bool    // every breaker has had the time to
	tables    []table // of earlier sketches, as new
	trips     trips   // likewise
	periods   uint64

	turning turn
	clock   func() int64 // clockOfTurn
	watched []*watch
	watches [mostWatches]watch
	calls   uint64 // that were tried again
}

// violation is what a check panics with.
type violation string

func (w *world) fail(format string, args ...any) {
	panic(violation(fmt.Sprintf("after %d events, at %v: ", w.events, time.Duration(w.now)) + fmt.Sprintf(format, args...)))
}

// note puts an event into the trace.
func (w *world) note(what, who int, value int64) {
	const prime = 1099511628211
	w.sum = (w.sum ^ (uint64(what)<<8 | uint64(who))) * prime
	w.sum = (w.sum ^ uint64(value)) * prime
}

// open begins a scene.
func (w *world) open() {
	w.scene = w.draw()
	w.now, w.offset, w.high, w.given = 0, 0, 0, 0
	w.ready, w.timed, w.busy, w.soonest = 0, 0, 0, math.MaxInt64
	w.porous, w.depth = false, 0
	w.keys = [mostNames]account{}
	for _, s := range w.cells {
		if s.player != nil {
			w.idlers = append(w.idlers, s.player)
		}
	}
	w.cells, w.hand, w.slots = w.cells[:0], 0, 0
	w.sites.clear()
	w.recovered = false
	w.closed, w.draining, w.sweepAt, w.calls = false, false, 0, 0
	w.watched = w.watched[:0]
	w.cfg.Clock = steadyClock{roughClock{w}}
	if !w.steady {
		w.cfg.Clock = newHeldClock(w)
	}
	var err error
	if w.eng, err = New(w.cfg); err != nil {
		w.fail("a valid configuration is refused: %v", err)
	}
	w.k = w.eng.keeper
	w.lend()
	if w.k.hasBreaker {
		w.k.rules = w.cfg.Breaker.Rules(w.generation)
	}
	for i := range w.keys {
		w.renew(&w.keys[i].circuit)
	}
	for i := range w.callers {
		c := &w.people[i]
		*c = caller{id: i, snapshot: Snapshot{Limits: c.snapshot.Limits[:0]}}
		w.wakeAt(i, int64(w.below(int(w.tick))))
	}
}

// step lets one of those that are ready go on. It reports false when all wait for each other.
func (w *world) step() bool {
	w.events++
	if w.pace > 0 {
		w.now += int64(w.below(int(w.pace)))
	}
	if w.now >= w.soonest {
		w.ring()
	}
	who := w.ready &^ w.busy
	if who == 0 {
		if w.soonest == math.MaxInt64 || w.depth > 0 {
			return false
		}
		w.now = max(w.now, w.soonest)
		w.ring()
		if who = w.ready; who == 0 {
			return true // it was an instant that nobody waits for any more
		}
	}
	for range w.below(bits.OnesCount64(who)) {
		who &= who - 1
	}
	id := bits.TrailingZeros64(who)
	w.busy |= 1 << id
	if id < mostCallers {
		c := &w.people[id]
		w.note(int(c.phase), id, w.now)
		w.advance(c)
	} else {
		w.note(int(phases), id, w.now)
		w.act(w.cellAt(id))
	}
	w.busy &^= 1 << id
	return true
}

// ring makes those ready whose instant has come.
func (w *world) ring() {
	w.soonest = math.MaxInt64
	for left := w.timed; left != 0; left &= left - 1 {
		id := bits.TrailingZeros64(left)
		if w.due[id] <= w.now {
			w.timed &^= 1 << id
			w.ready |= 1 << id
		} else {
			w.soonest = min(w.soonest, w.due[id])
		}
	}
}

// wakeAt has id go on at an instant.
func (w *world) wakeAt(id int, at int64) {
	if at <= w.now {
		w.ready |= 1 << id
		w.timed &^= 1 << id
		return
	}
	w.ready &^= 1 << id
	w.due[id] = at
	w.timed |= 1 << id
	w.soonest = min(w.soonest, at)
}

// block has id wait for another.
func (w *world) block(id int) {
	w.ready &^= 1 << id
	w.timed &^= 1 << id
}

// wash takes the tables of the sketch and makes them as new, which is quicker than to have others made.
func (w *world) wash() {
	s := w.k.sketch
	for _, name := range keyNames {
		s.trips.take(s.hash(name))
	}
	if s.trips != nil {
		w.trips = s.trips
	}
	for _, t := range s.full {
		if t == nil {
			continue
		}
		for _, name := range keyNames {
			for row := range sketchRows {
				t[s.hash(name).index(row)] = 0
			}
		}
		w.tables = append(w.tables, t)
	}
}

// lend gives the sketch, which is empty, tables from before.
func (w *world) lend() {
	w.k.sketch.trips = w.trips
	full := w.k.sketch.full
	for i := range full {
		if n := len(w.tables); n > 0 {
			full[i], w.tables = w.tables[n-1], w.tables[:n-1]
		}
	}
}

// shut ends the scene's engine for good.
func (w *world) shut() {
	w.wash()
	if err := w.eng.Close(context.Background()); err != nil {
		w.fail("close: %v", err)
	}
}
