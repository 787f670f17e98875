package engine

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/clock"
)

// universe is a simulation in one thread: time, and the callers of one engine or of several, each engine
// in a world of its own. It drives the shipped engines: callers are coroutines, actors and supervisors are
// steppers, and time is a number. All that happens follows from the seed.
//
// A step lets one caller or stepper that is ready go on, at random. When none is ready, time jumps
// to the next instant at which a timer fires or a caller goes on.
type universe struct {
	scene
	worlds []*world // of the scene, from narrow to wide
	rooms  [mostEngines]*world

	rng    rand.PCG
	sum    uint64 // FNV-1a over every event: the trace
	events int64
	passed int64          // ns, in earlier scenes
	wishes map[int64]bool // the times in ns for which upstreams asked to be left alone

	source clock.Clock // of all engines
	now    int64       // ns since the beginning of the scene, as timers see it
	offset int64       // of the source of the clock
	high   int64       // the latest reading of a source that may run back
	latest int64       // the latest reading that an engine got

	persons  [mostCallers]*person
	who      *runner // goes on now; nil while the scene is set up
	depth    int     // steps in the midst of steps
	ready    uint64  // people that may go on
	busy     uint64  // people in the midst of whose step another step is made
	waiting  uint64  // people that wait for person.until
	timed    uint64  // people that go on at person.due
	ending   uint64  // people whose context ends at person.ends
	soonest  int64   // no such instant is before it
	steppers []*runner
	timers   []*simTimer // that are armed

	over      bool // every engine is closed or closing
	draining  bool
	recovered bool // every breaker has had the time to
	periods   uint64
	changed   int64 // configurations, of the seed
	forced    int64 // keys, of the seed
	debits    int

	clockPanics int // so far

	turning   *turn // of turns, that of the step
	turns     [4]turn
	turnClock func() int64 // of the actor whose turn it is

	violated  violation // the first one
	abandoned bool
}

// violation is what a check panics with.
type violation string

// runner is a person, an actor or a supervisor.
type runner struct {
	person *person
	world  *world // of the actor
	actor  interface {
		Key() string
		Ready() bool
		Step(bool) bool
	}
	given int64 // the last reading of the clock
	busy  bool  // in the midst of a step
}

func newUniverse() *universe {
	u := &universe{wishes: map[int64]bool{}}
	for i := range u.persons {
		u.persons[i] = newPerson(u, i)
	}
	for i := range u.rooms {
		u.rooms[i] = newWorld(u, i)
	}
	return u
}

// end ends the coroutines. After a violation they are in the midst of shipped code, and stay there.
func (u *universe) end() {
	if !u.abandoned {
		for _, p := range u.persons {
			p.stop()
		}
	}
}

// fail ends the simulation. Shipped code may recover from the panic, so that the violation is
// noted.
func (u *universe) fail(format string, args ...any) {
	if u.violated == "" {
		u.violated = violation(fmt.Sprintf("after %d events, at %v: ", u.events, time.Duration(u.now)) + fmt.Sprintf(format, args...))
	}
	panic(u.violated)
}

// note puts an event into the trace.
func (u *universe) note(what, who int, value int64) {
	const prime = 1099511628211
	u.sum = (u.sum ^ (uint64(what)<<8 | uint64(who))) * prime
	u.sum = (u.sum ^ uint64(value)) * prime
}

// event is note for what counts as an event of the simulation.
func (u *universe) event(what, who int, value int64) {
	u.events++
	u.note(what, who, value)
}

// open begins a scene.
func (u *universe) open() {
	u.now, u.offset, u.high, u.latest = 0, 0, 0, 0
	u.ready, u.busy, u.waiting, u.timed, u.ending, u.soonest = 0, 0, 0, 0, 0, math.MaxInt64
	u.who, u.depth, u.turning = nil, 0, &u.turns[0]
	u.steppers, u.timers = u.steppers[:0], u.timers[:0]
	u.over, u.draining, u.recovered, u.violated = false, false, false, ""
	u.drawScene()
	u.worlds = u.rooms[:1]
	if u.oneIn(4) { // chains
		u.worlds = u.rooms[:2+u.below(mostEngines-1)]
	}
	u.source = steadyClock{roughClock{u}}
	if !u.steady {
		u.source = newHeldClock(u)
	}
	for _, w := range u.worlds {
		w.open()
	}
	for i := range u.callers {
		u.persons[i].begin()
		u.wakeAt(i, int64(u.below(int(u.tick))))
	}
}

// step lets a person or a stepper that is ready go on, and returns false if there is none, and no
// instant to come.
func (u *universe) step() bool {
	if u.pace > 0 {
		u.now += int64(u.below(int(u.pace)))
	}
	if u.now >= u.soonest {
		u.ring()
	}
	who := u.choose()
	for ; who == nil; who = u.choose() {
		if u.soonest == math.MaxInt64 || u.depth > 0 {
			return false
		}
		u.checkAwake()
		u.checkWoken()
		u.now = max(u.now, u.soonest)
		u.ring()
	}
	u.settle()
	was, turning := u.who, u.turning
	u.who = who
	u.depth++
	u.turning = &u.turns[u.depth]
	who.busy = true
	if p := who.person; p != nil {
		u.busy |= 1 << p.id
		u.event(int(p.phase), p.id, u.now)
		p.goOn()
		u.busy &^= 1 << p.id
	} else {
		u.event(mostPhases, len(who.actor.Key()), u.now)
		u.act(who)
	}
	who.busy = false
	u.settle()
	u.depth--
	u.who, u.turning = was, turning
	if u.violated != "" {
		panic(u.violated)
	}
	return true
}

// choose returns one of the ready, at random, or nil.
func (u *universe) choose() *runner {
	people := u.ready &^ u.busy
	n := bits.OnesCount64(people)
	var actors uint64
	for i, x := range u.steppers {
		if !x.busy && x.actor.Ready() {
			actors |= 1 << i
			n++
		}
	}
	if n == 0 {
		return nil
	}
	i := u.below(n)
	for ; people != 0; people &= people - 1 {
		if i == 0 {
			return &u.persons[bits.TrailingZeros64(people)].runner
		}
		i--
	}
	for ; i > 0; i-- {
		actors &= actors - 1
	}
	return u.steppers[bits.TrailingZeros64(actors)]
}

// act is a step of an actor or of a supervisor.
func (u *universe) act(x *runner) {
	if x.actor.Step(u.oneIn(2)) {
		for i := range u.steppers {
			if u.steppers[i] == x {
				u.steppers[i] = u.steppers[len(u.steppers)-1]
				u.steppers = u.steppers[:len(u.steppers)-1]
				break
			}
		}
	}
	u.rouse()
}

// shut ends the scene's engines for good.
func (u *universe) shut() {
	u.operate()
	if len(u.steppers) > 0 {
		u.fail("the engines are closed, and %d of their actors are there", len(u.steppers))
	}
}

// reading is what the clock says now, to the simulation. Nobody comes between.
func (u *universe) reading() int64 {
	if u.steady {
		return u.now + u.offset + 1
	}
	who := u.who
	u.who = nil
	now := u.worlds[0].eng.system.Now()
	u.who = who
	return now
}
