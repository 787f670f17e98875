package actors_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/clock"
)

// world is an actors.Driver: every caller and every stepper is a coroutine, and one of them runs at a time. All that happens follows
// from the seed.
type world struct {
	random  *rand.Rand
	sum     uint64 // FNV-1a over every event: the trace
	events  int
	between int // one time in so many, another comes between

	now    int64 // of the clock
	timers []*worldTimer
	panics int // one time in so many, the clock panics; 0: never

	tasks   []*task
	running *task
	moves   int   // resumptions of tasks
	faults  error // the first
}

// task is a coroutine.
type task struct {
	name    string
	stepper bool
	ready   func() bool // nil: always
	next    func() (struct{}, bool)
	yield   func(struct{}) bool
}

func newWorld(seed uint64) *world {
	w := &world{random: rand.New(rand.NewPCG(seed, 2)), sum: 14695981039346656037}
	w.between = 1 + w.random.IntN(8)
	return w
}

func (w *world) oneIn(n int) bool { return w.random.IntN(n) == 0 }

// note puts an event into the trace.
func (w *world) note(what string, value int64) {
	const prime = 1099511628211
	for _, c := range []byte(what) {
		w.sum = (w.sum ^ uint64(c)) * prime
	}
	w.sum = (w.sum ^ uint64(value)) * prime
	w.events++
	if *steppedTrace {
		fmt.Println(w.moves, what, value)
	}
}

// fail keeps the first fault that a check found. A panic would be the turn's.
func (w *world) fail(format string, args ...any) {
	if w.faults == nil {
		w.faults = fmt.Errorf("after %d events, at %v: %w", w.events, time.Duration(w.now), fmt.Errorf(format, args...))
	}
}

// spawn adds a task that runs f.
func (w *world) spawn(name string, f func()) {
	t := &task{name: name}
	t.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		f()
	})
	w.tasks = append(w.tasks, t)
}

// Start implements actors.Driver.
func (w *world) Start(x actors.Stepper) {
	name := "actor of " + x.Key()
	w.spawn(name, func() {
		for {
			w.Wait(x.Ready)
			if x.Step(w.oneIn(2)) {
				w.note("gone "+name, w.now)
				return
			}
		}
	})
	w.tasks[len(w.tasks)-1].stepper = true
}

// Wait implements actors.Driver.
func (w *world) Wait(ready func() bool) {
	t := w.running
	t.ready = ready
	t.yield(struct{}{})
	t.ready = nil
}

// Between implements actors.Driver.
func (w *world) Between() {
	if w.running != nil && w.oneIn(w.between) {
		w.running.yield(struct{}{})
	}
}

// run lets tasks go on until all have ended, or nothing is to come, or a check has failed.
func (w *world) run(until func() bool) {
	var able []*task
	for most := w.moves + 1_000_000; !until() && w.faults == nil; {
		if w.moves > most {
			w.fail("no end is in sight")
		}
		able = able[:0]
		for _, t := range w.tasks {
			if t.ready == nil || t.ready() {
				able = append(able, t)
			}
		}
		if len(able) == 0 || w.oneIn(64) {
			if !w.jump() && len(able) == 0 {
				return
			}
			continue
		}
		w.resume(able[w.random.IntN(len(able))])
	}
}

// resume lets t go on to its next pause.
func (w *world) resume(t *task) {
	w.note(t.name, w.now)
	w.moves++
	w.running = t
	_, more := t.next()
	w.running = nil
	if !more {
		for i := range w.tasks {
			if w.tasks[i] == t {
				w.tasks = append(w.tasks[:i], w.tasks[i+1:]...)
				break
			}
		}
	}
}

// jump moves the time to the next instant of a timer, or a little further.
func (w *world) jump() bool {
	var next *worldTimer
	for _, t := range w.timers {
		if t.armed && (next == nil || t.at < next.at) {
			next = t
		}
	}
	if next == nil {
		return false
	}
	w.now = max(w.now, next.at)
	if w.oneIn(4) {
		w.now += w.random.Int64N(int64(time.Second))
	}
	for _, t := range w.timers {
		if t.armed && t.at <= w.now {
			t.armed = false
			t.c <- time.Time{}
		}
	}
	return true
}

// worldClock is the clock of a world. A reading may be interrupted, and may panic.
type worldClock struct{ w *world }

type worldTimer struct {
	w     *world
	c     chan time.Time
	at    int64
	armed bool
}

func (c worldClock) Now() time.Time { return time.Unix(0, c.Nanos()) }

func (c worldClock) Nanos() int64 {
	c.w.Between()
	c.w.mayPanic()
	return c.w.now
}

func (w *world) mayPanic() {
	if w.running != nil && w.panics > 0 && w.oneIn(w.panics) {
		panic("the clock")
	}
}

func (c worldClock) NewTimer(d time.Duration) clock.Timer {
	c.w.mayPanic()
	t := &worldTimer{w: c.w, c: make(chan time.Time, 1)}
	c.w.timers = append(c.w.timers, t)
	t.arm(d)
	return t
}

func (t *worldTimer) arm(d time.Duration) {
	t.at, t.armed = t.w.now+int64(max(0, d)), d > 0
	if !t.armed {
		t.c <- time.Time{}
	}
}

func (t *worldTimer) C() <-chan time.Time { return t.c }

func (t *worldTimer) stop() bool {
	was := t.armed || len(t.c) > 0
	t.armed = false
	select {
	case <-t.c:
	default:
	}
	return was
}

func (t *worldTimer) Stop() bool {
	t.w.mayPanic()
	return t.stop()
}

func (t *worldTimer) Reset(d time.Duration) bool {
	t.w.mayPanic()
	was := t.stop()
	t.arm(d)
	return was
}
