package engine

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// world is a simulation in one thread. It drives the shipped engine: callers are coroutines, actors
// and the supervisor are steppers, and time is a number. All that happens follows from the seed.
//
// A step lets one caller or stepper that is ready go on, at random. When none is ready, time jumps
// to the next instant at which a timer fires or a caller goes on.
type world struct {
	scene
	rng    rand.PCG
	sum    uint64 // FNV-1a over every event: the trace
	events int64
	passed int64 // ns, in earlier scenes

	eng *Engine
	b   *guard.Behavior

	now    int64 // ns since the beginning of the scene, as timers see it
	offset int64 // of the source of the engine's clock
	high   int64 // the latest reading of a source that may run back
	latest int64 // the latest reading that the engine got

	people   [mostCallers]*caller
	who      *runner // goes on now; nil while the scene is set up
	depth    int     // steps in the midst of steps
	ready    uint64  // callers that may go on
	busy     uint64  // callers in the midst of whose step another step is made
	waiting  uint64  // callers that wait for caller.until
	timed    uint64  // callers that go on at caller.due
	ending   uint64  // callers whose context ends at caller.ends
	soonest  int64   // no such instant is before it
	steppers []*runner
	timers   []*simTimer // that are armed

	keys      [mostNames]account
	gates     map[*guard.Gate]*site
	graves    []*site // those of retired cells
	askers    map[*guard.Request]*caller
	periodOf  map[uint64]uint64 // the period of the naive circuit, by generation
	finals    map[uint64]bool   // periods in which a cell was retired
	closed    bool
	draining  bool
	recovered bool // every breaker has had the time to
	periods   uint64

	clockPanics int // so far

	turning   turn
	clock     func() int64 // clockOfTurn
	turnClock func() int64 // of the actor whose turn it is

	violated  violation // the first one
	abandoned bool
}

// violation is what a check panics with.
type violation string

// runner is a caller, an actor or the supervisor.
type runner struct {
	caller *caller
	actor  interface {
		Key() string
		Ready() bool
		Step(bool) bool
	}
	given int64 // the last reading of the clock
	busy  bool  // in the midst of a step
}

func newWorld() *world {
	w := &world{
		gates: map[*guard.Gate]*site{}, askers: map[*guard.Request]*caller{}, periodOf: map[uint64]uint64{}, finals: map[uint64]bool{},
	}
	w.clock = w.clockOfTurn
	for i := range w.people {
		w.people[i] = newCaller(w, i)
	}
	return w
}

// end ends the coroutines. After a violation they are in the midst of shipped code, and stay there.
func (w *world) end() {
	if !w.abandoned {
		for _, c := range w.people {
			c.stop()
		}
	}
}

// fail ends the simulation. Shipped code may recover from the panic, so that the violation is
// noted.
func (w *world) fail(format string, args ...any) {
	if w.violated == "" {
		w.violated = violation(fmt.Sprintf("after %d events, at %v: ", w.events, time.Duration(w.now)) + fmt.Sprintf(format, args...))
	}
	panic(w.violated)
}

// note puts an event into the trace.
func (w *world) note(what, who int, value int64) {
	const prime = 1099511628211
	w.sum = (w.sum ^ (uint64(what)<<8 | uint64(who))) * prime
	w.sum = (w.sum ^ uint64(value)) * prime
}

// event is note for what counts as an event of the simulation.
func (w *world) event(what, who int, value int64) {
	w.events++
	w.note(what, who, value)
}

// open begins a scene.
func (w *world) open() {
	w.scene = w.draw()
	w.now, w.offset, w.high, w.latest = 0, 0, 0, 0
	w.ready, w.busy, w.waiting, w.timed, w.ending, w.soonest = 0, 0, 0, 0, 0, math.MaxInt64
	w.who, w.depth = nil, 0
	w.keys = [mostNames]account{}
	w.graves, w.steppers, w.timers = w.graves[:0], w.steppers[:0], w.timers[:0]
	clear(w.gates)
	clear(w.askers)
	clear(w.periodOf)
	clear(w.finals)
	w.closed, w.draining, w.recovered, w.violated = false, false, false, ""
	w.cfg.Clock = steadyClock{roughClock{w}}
	if !w.steady {
		w.cfg.Clock = newHeldClock(w)
	}
	old := w.b
	eng, err := newEngine(w.cfg, w)
	if err != nil {
		w.fail("a valid configuration is refused: %v", err)
	}
	w.eng = eng
	if old != nil && len(w.limits) == w.inherited {
		w.b.Inherit(old, keyNames[:])
	}
	w.inherited = len(w.limits)
	for i := range w.keys {
		w.renew(&w.keys[i].circuit)
	}
	for i := range w.callers {
		w.people[i].begin()
		w.wakeAt(i, int64(w.below(int(w.tick))))
	}
}

// step lets a caller or a stepper that is ready go on, and returns false if there is none, and no
// instant to come.
func (w *world) step() bool {
	if w.pace > 0 {
		w.now += int64(w.below(int(w.pace)))
	}
	if w.now >= w.soonest {
		w.ring()
	}
	who := w.choose()
	for ; who == nil; who = w.choose() {
		if w.soonest == math.MaxInt64 || w.depth > 0 {
			return false
		}
		w.checkAwake()
		w.now = max(w.now, w.soonest)
		w.ring()
	}
	w.settleGate()
	was := w.who
	w.who = who
	w.depth++
	who.busy = true
	if who.caller != nil {
		w.busy |= 1 << who.caller.id
		w.event(int(who.caller.phase), who.caller.id, w.now)
		who.caller.goOn()
		w.busy &^= 1 << who.caller.id
	} else {
		w.event(mostPhases, len(who.actor.Key()), w.now)
		w.act(who)
	}
	who.busy = false
	w.settleGate()
	w.depth--
	w.who = was
	if w.violated != "" {
		panic(w.violated)
	}
	return true
}

// choose returns one of the ready, at random, or nil.
func (w *world) choose() *runner {
	callers := w.ready &^ w.busy
	n := bits.OnesCount64(callers)
	var actors uint64
	for i, x := range w.steppers {
		if !x.busy && x.actor.Ready() {
			actors |= 1 << i
			n++
		}
	}
	if n == 0 {
		return nil
	}
	i := w.below(n)
	for ; callers != 0; callers &= callers - 1 {
		if i == 0 {
			return &w.people[bits.TrailingZeros64(callers)].runner
		}
		i--
	}
	for ; i > 0; i-- {
		actors &= actors - 1
	}
	return w.steppers[bits.TrailingZeros64(actors)]
}

// act is a step of an actor or of the supervisor.
func (w *world) act(x *runner) {
	if x.actor.Step(w.oneIn(2)) {
		for i := range w.steppers {
			if w.steppers[i] == x {
				w.steppers[i] = w.steppers[len(w.steppers)-1]
				w.steppers = w.steppers[:len(w.steppers)-1]
				break
			}
		}
	}
	w.rouse()
}

// shut ends the scene's engine for good.
func (w *world) shut() {
	w.operate()
	if len(w.steppers) > 0 {
		w.fail("the engine is closed, and %d of its actors are there", len(w.steppers))
	}
}
