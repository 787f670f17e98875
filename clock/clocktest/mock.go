package clocktest

import (
	"container/heap"
	"sync"
	"testing/synctest"
	"time"

	benbjohnson "github.com/benbjohnson/clock"

	"github.com/limitpal/limitpal-go/clock"
)

// addSleep is how long every Mock.Add of benbjohnson sleeps, on the clock of
// the bubble, after setting the time and after firing each timer.
const addSleep = time.Millisecond

// A Mock is a clock.Clock that moves only when the test says so, by Advance. A
// Mock starts at the Unix epoch. [Run] makes Mocks; the zero value is of no use.
// Any goroutine of the bubble may call all methods except Advance at any time.
//
// A Mock keeps the time in a benbjohnson Mock, but has a heap of timers of its
// own. Only so can several timers fire in order at the same instant without the
// bubble's clock running on.
type Mock struct {
	raw   *benbjohnson.Mock
	adds  sync.WaitGroup // the goroutines of carry; joined by Run
	armed chan struct{}  // capacity 1: a timer became the earliest

	mu      sync.Mutex // never held over anything that blocks
	shared  bool       // raw was handed out and may have timers of its own
	pending timerHeap
	armings uint64

	// While Advance runs, the time is from plus what the bubble has moved since
	// origin, but at most limit, the instant that Advance is moving to.
	advancing           bool
	from, origin, limit time.Time

	// ahead is by how much the bubble has moved more than the Mock: the debt
	// that raw leaves when shared. Later steps sleep that much less.
	ahead time.Duration
}

var _ clock.Clock = (*Mock)(nil)

func newMock() *Mock {
	return &Mock{raw: benbjohnson.NewMock(), armed: make(chan struct{}, 1)}
}

// Now returns the time of the Mock. While Advance runs, that time moves with the
// clock of the bubble, so that code woken by a context reads the instant at
// which the context ended.
func (m *Mock) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now()
}

// now is Now for a caller that holds mu.
func (m *Mock) now() time.Time {
	if !m.advancing {
		return m.raw.Now()
	}
	now := m.from.Add(time.Since(m.origin))
	if now.After(m.limit) {
		return m.limit
	}
	return now
}

// NewTimer returns a timer that fires d from now, in an Advance that reaches
// that instant. If d is zero or negative, the timer has fired when NewTimer
// returns. The timer keeps the contract of clock.Timer.
func (m *Mock) NewTimer(d time.Duration) clock.Timer {
	t := &timer{mock: m, ch: make(chan time.Time, 1), index: idle}
	t.Reset(d)
	return t
}

// Raw returns the benbjohnson Mock in which m keeps the time, for code that
// takes a benbjohnson clock. Move that Mock with Advance only: the methods Add
// and Set leave the clock of the bubble and the timers of m behind.
//
// Timers made by Raw fire in Advance too, and have had their consequences when
// Advance returns, but agree less closely with contexts than timers of m do.
// Advance cannot see when a timer of Raw is due. Such a timer fires at the end
// of the step in which the timer falls due: at the next timer of m, or at the
// end of Advance. Each timer of Raw that fires, and each step under 1 ms, moves
// the bubble up to 1 ms ahead of m; later steps make up for that.
func (m *Mock) Raw() *benbjohnson.Mock {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shared = true
	return m.raw
}

// Advance moves the Mock and the clock of the bubble forward by d. First Advance
// lets every goroutine of the bubble come to rest. Then Advance goes from each
// instant at which a timer is due to the next. At each such instant Advance
// fires the timers that are due, in the order of arming, and lets the
// goroutines come to rest after each timer. Advance also fires timers that are
// armed meanwhile and fall due by the end. When Advance returns, all that is
// due has happened.
//
// Advance(0) only lets the goroutines come to rest. A negative d panics. Only a
// single goroutine of the bubble may be in Advance at a time, commonly that of
// the test; a second call panics.
func (m *Mock) Advance(d time.Duration) {
	if d < 0 {
		panic("clocktest: Advance by a negative duration")
	}
	target := m.begin(d)
	for {
		at := m.next(target)
		if !m.move(at) {
			continue
		}
		for m.fire(at) {
			synctest.Wait()
		}
		if at.Equal(target) {
			break
		}
	}
	m.end(d)
}

// begin starts an Advance by d and returns the instant at which it ends.
func (m *Mock) begin(d time.Duration) time.Time {
	m.mu.Lock()
	if m.advancing {
		m.mu.Unlock()
		panic("clocktest: Advance called while another Advance runs")
	}
	m.advancing = true
	m.from = m.raw.Now()
	m.limit = m.from
	m.origin = time.Now().Add(-m.ahead)
	target := m.from.Add(d)
	m.mu.Unlock()

	synctest.Wait()
	return target
}

// end finishes an Advance by d.
func (m *Mock) end(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advancing = false
	m.ahead = time.Since(m.origin) - d
}

// next returns the instant to move to: that of the earliest timer, or target
// if no timer is due before it.
func (m *Mock) next(target time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.armed: // the timer is in pending, which is read below
	default:
	}
	at := target
	if len(m.pending) > 0 && m.pending[0].due.Before(target) {
		at = m.pending[0].due
	}
	if at.Before(m.from) {
		at = m.from // somebody moved raw past the timer
	}
	m.limit = at
	return at
}

// move brings both clocks to at and lets the goroutines come to rest. If a timer
// that may be due earlier was armed on the way, move returns false, and the
// clocks are somewhere before at.
func (m *Mock) move(at time.Time) bool {
	var lead time.Duration
	if m.isShared() {
		lead = addSleep // the last of the sleep is that of Add itself
	}
	if !m.sleepUntil(at.Add(-lead)) {
		return false
	}
	synctest.Wait()
	added := m.carry(at)
	synctest.Wait()
	if !m.isShared() {
		return true
	}
	// Add may be in the midst of raw's timers. Waiting for Add to return, instead
	// of asking raw for the time, lets testing/synctest report a timer of raw on
	// which Add is stuck with raw's lock held.
	<-added
	reached := m.sleepUntil(at)
	synctest.Wait()
	return reached
}

func (m *Mock) isShared() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shared
}

// sleepUntil lets the bubble's clock run to at. If a timer that was armed
// meanwhile became the earliest timer, sleepUntil returns false.
func (m *Mock) sleepUntil(at time.Time) bool {
	left := at.Sub(m.from) - time.Since(m.origin)
	if left <= 0 {
		return true
	}
	alarm := time.NewTimer(left)
	defer alarm.Stop()
	select {
	case <-alarm.C:
		return true
	case <-m.armed:
		return false
	}
}

// carry moves raw to at and returns a channel that is closed when the Add of raw
// has returned. The Add runs on a goroutine of its own because Add ends with a
// sleep: when raw has no timers, only that sleep remains at the next
// synctest.Wait, and nobody need wait until Run joins the goroutine.
func (m *Mock) carry(at time.Time) <-chan struct{} {
	done := make(chan struct{})
	gap := at.Sub(m.raw.Now())
	if gap <= 0 {
		close(done)
		return done
	}
	m.adds.Go(func() {
		defer close(done)
		m.raw.Add(gap)
	})
	return done
}

// fire fires the earliest timer if that timer is due at or before at, and
// reports whether a timer was due.
func (m *Mock) fire(at time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.pending) == 0 || m.pending[0].due.After(at) {
		return false
	}
	heap.Pop(&m.pending).(*timer).ch <- at // empty since it was armed: never blocks
	return true
}
