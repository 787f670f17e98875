package actors

import (
	"errors"
	"fmt"
	"math"
)

// Behavior is what the actors of one [System] have in common: how a state begins and what a message does to it.
//
// S is the state that one actor owns. It is copied before every turn, so that a panic can be undone; keep it small. What it
// points to is not copied: replace that rather than change it in place, or let Fail put it right. P is the part that the actor
// shows to callers; it stays in the cell when the actor has left, is never copied, and its fields are to be atomic. M is the
// message.
//
// All instants are nanoseconds on the system's clock. A turn that needs the time calls now, which gives it as [System.Now]
// does. Init, Resume, Retire, Heat and Spill run under the lifecycle lock, the other methods in the actor's turn: none of them may
// block, or call code that could.
type Behavior[P, S, M any] interface {
	// Init makes a new key: its published part and the state that its first actor will find. After Next.Clean the state is
	// dropped.
	Init(now int64, key string, p *P, s *S) Next
	// Resume makes the state of an actor that starts on a key that left none behind, see Next.Clean. s is a zero state.
	Resume(key string, p *P, s *S)
	// Receive processes a message.
	Receive(now func() int64, p *P, s *S, m *M) Next
	// Wake runs at the instant that the last Next asked for, or later.
	Wake(now int64, p *P, s *S) Next
	// Retire is asked before a cell is forgotten that has no actor, and either no state or one whose Next.Forget has come. It
	// reports whether what callers may have moved in the published part still equals that of a new actor and has not been moved
	// since the instant unused; from true on, callers must find in it that the cell is gone. A panic is false.
	Retire(unused int64, p *P) bool
	// Heat ranks the keys without an actor, of which one has to go when there is no room for a new one: the least first, and never
	// one of heat Never. s is nil if no state was left behind.
	Heat(p *P, s *S) int64
	// Spill is told that a key without an actor goes, although it does not equal a new one. It may write down elsewhere what Init is
	// to know when the key comes back. After it callers must find in p that the cell is gone. s is nil if no state was left behind.
	Spill(key string, p *P, s *S)
	// Fail answers with err all that the state owes an answer to; such as at the end of the system and after a panic.
	Fail(now int64, p *P, s *S, err error) Next
	// Refuse answers with err a message that no turn will process, or whose turn panicked. It does not see the state.
	Refuse(m *M, err error)
}

// Next is what a turn says about the time after it.
type Next struct {
	// Same is for Receive: the turn changed nothing and was no use of the actor. All is as after the turn before, and the other
	// fields do not count.
	Same bool
	// Clean says that the published part says it all: Resume can make the state from it at any time. The actor then has nothing
	// to be there for. It leaves as soon as its mailbox is empty, unless it keeps being needed, and its state is dropped. Wake must
	// be Never.
	Clean bool
	// Wake is the instant at which to call Behavior.Wake, or Never. While it is not Never the actor does not leave.
	Wake int64
	// Forget is the instant from which, if nothing happens, the state equals that of a new actor; or Never.
	Forget int64
	// Used is the instant of the turn if it was a use of the actor, or 0: then its idle time runs on. A question is not a use.
	Used int64
}

// Never is the instant that does not come.
const Never = math.MaxInt64

var (
	// ErrClosed says that the system is closed or closing.
	ErrClosed = errors.New("actors: closed")
	// ErrKeyLimit says that there are as many keys as allowed and none was found that could be forgotten or spilled.
	ErrKeyLimit = errors.New("actors: too many keys")
	// ErrRetired says that the cell no longer stands for its key: look the key up again.
	ErrRetired = errors.New("actors: cell retired")
	// ErrFailed says that the actor panicked more often than its budget allows and refuses messages for a while.
	ErrFailed = errors.New("actors: too many panics")
)

// PanicError is the answer to what a panicked turn could not answer any more.
type PanicError struct {
	Key   string
	Value any    // what was passed to panic; nil if the turn called runtime.Goexit
	Stack []byte // of the turn
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("actors: a turn of the actor of %q panicked: %v", e.Key, e.Value)
}
