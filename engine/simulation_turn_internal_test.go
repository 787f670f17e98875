package engine

import (
	"errors"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// site is the cell of a key, as the simulation sees it.
type site struct {
	gate    *guard.Gate
	account *account
	name    string
	retired bool
	turned  int64                      // when the last turn was
	last    int64                      // full-at when the present runner began to go on
	state   *guard.State               // of the actor that had the last turn
	former  [formerStates]*guard.State // of actors before
	naiveQueue
	line    naiveQueue // of those that wait for a place
	inside  int        // places that are taken
	freed   bool       // with callers in the line, and no turn has been since
	moved   int64      // when one that was the first of the queue last left without tokens
	inTurn  bool
	rests   bool  // the actor panicked too often, or the clock did, and the timer may be late
	wake    int64 // actors.Next.Wake of the last turn
	wakeDue int64 // on the world's clock: when the actor has to wake, if its timer is in time; 0: never

	generation               uint64 // when it was retired
	posted                   *guard.Notice
	birthPeriod, finalPeriod uint64 // of the naive circuit
}

const formerStates = 4

// turn is what the naive models expect of a turn.
type turn struct {
	site        *site
	message     *guard.Message // nil when the actor wakes
	who         *caller        // that sent message; nil if nobody waits for an answer
	now         int64
	fuse        fuse
	begun       bool // the clock has been read
	clockPanics int  // before the turn
	expected    [mostCallers]expectation
	answers     uint64 // the callers for whom an answer is expected
	before      account
	queue, line []waiter
	debits      int // before the turn
	moved       int64
}

// fuse is where a turn is to panic.
type fuse uint8

const (
	whole         fuse = iota
	atTheClock         // when it asks the time
	atTransitions      // when the breaker begins a new period
)

var errFuse = errors.New("simulated panic of a turn")

// clockOfTurn is what a turn asks for the time. From here on nobody comes between, so that this is
// the moment to say what the turn ought to do.
func (w *world) clockOfTurn() int64 {
	st := w.turning.site
	now := w.turnClock()
	if w.turning.site != st {
		w.fail("a turn goes on in the midst of another")
	}
	if w.turning.fuse == atTheClock {
		panic(errFuse)
	}
	w.watchFree(st.account)
	w.expectAt(now)
	return now
}

// undo follows a turn that panicked: the naive models have gone too far. What the turn had granted
// before stays so; it was nothing that the breaker was asked for.
func (o *observer) undo(st *site) {
	w := o.w
	t := w.turning
	if t.fuse == whole && (t.begun || w.clockPanics == t.clockPanics) {
		w.fail("a turn of %q panicked", st.name)
	}
	w.note(int(t.fuse), int(st.account.number), 1)
	if t.fuse == atTransitions && t.begun {
		st.queue, st.moved = append(st.queue[:0], t.queue...), t.moved
		st.line.queue = append(st.line.queue[:0], t.line...)
		w.outAgain(st)
		for id := range w.people {
			if w.people[id].debit.number > t.debits && t.answers>>id&1 != 0 {
				w.people[id].debit = debit{}
			}
		}
		version := st.account.version
		*st.account = t.before
		st.account.version = version + 1
		w.torn(st)
		w.collectGranted(st)
	}
	w.checkPlaces(st)
	st.account.lost = true
	t.fuse, t.answers = whole, 0
	st.last = st.gate.FullAt()
}
