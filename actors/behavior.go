package actors

import (
	"errors"
	"fmt"
	"math"
)

// Behavior is the common part of all actors of a [System]: how a state begins, and the effect of a
// message on the state.
//
// S is the state that one actor owns. The actor copies S after every turn, so that a panic can be
// undone; keep S small. Data behind pointers is not copied: replace such data rather than change
// them in place, or let Fail put them right. P is the part that the actor publishes to callers. P
// stays in the cell when the actor has left and is never copied, and all fields of P must be
// atomic. M is the message.
//
// All instants are nanoseconds on the system's clock, as [System.Now] gives them. Init, Resume,
// Retire, SpillRank and Spill run under the lifecycle lock, the other methods in the actor's turn.
// No method may block, or call code that could.
type Behavior[P, S, M any] interface {
	// Init makes the published part of a new key, and the state that the first actor will find. If
	// Next.Clean is set, the state is dropped.
	Init(now int64, key string, p *P, s *S) Next
	// Resume makes the state of an actor that starts on a key without a parked state; see
	// Next.Clean. s is a zero state.
	Resume(key string, p *P, s *S)
	// Receive processes a message. A turn that needs the time calls now.
	Receive(now func() int64, p *P, s *S, m *M) Next
	// Wake runs at the instant Next.Wake of the last turn, or later.
	Wake(now int64, p *P, s *S) Next
	// Retire reports whether p is clean and unused since the instant unused. If Retire returns
	// true, Retire has marked p so that callers find the cell retired. The system calls Retire for
	// a cell without an actor, and with no parked state or a state whose Next.Forget has come. A
	// panic counts as false.
	Retire(unused int64, p *P) bool
	// SpillRank ranks the keys without an actor for being spilled, when there is no room for a new
	// key. The least rank goes first. A key of rank Never does not go before the key's next turn. s
	// is nil if no state is parked.
	SpillRank(p *P, s *S) int64
	// Spill is called when a key without an actor goes although the key does not equal a new key.
	// Spill may write down elsewhere all that Init must know when the key comes back. Spill marks
	// p, and callers then find the cell retired. s is nil if no state is parked.
	Spill(key string, p *P, s *S)
	// Fail answers with err everything that the state owes an answer to: at the end of the system,
	// and after a panic. If the clock has panicked, now is the last reading before.
	Fail(now int64, p *P, s *S, err error) Next
	// Refuse answers with err a message that no turn will process, or whose turn panicked.
	Refuse(m *M, err error)
}

// Updater is a [Behavior] that may change for all keys at once, or that has something to tidy up. Both methods run under the lifecycle
// lock, before the system judges whether a key that has no actor may go.
type Updater[P, S any] interface {
	// Stale reports whether Update has something to do for p at now.
	Stale(now int64, p *P) bool
	// Update brings p and the key's state up to date. Next.Wake must be Never.
	Update(now int64, p *P, s *S) Next
}

// Holder is a [Behavior] of whose keys callers may take hold by the published part alone.
type Holder[P any] interface {
	// LetGo reports whether no caller holds p, and if so has marked p, so that none can take hold of p any more. It is
	// called under the lifecycle lock, right before a key is spilled. If LetGo returns false, the key stays, and
	// SpillRank must be Never for as long as a caller holds p.
	LetGo(p *P) bool
}

// Forgetter is a [Behavior] that wants to know of every key that goes.
type Forgetter[P any] interface {
	// Forget is called for a key that goes at now, under the lifecycle lock: after Retire has returned true,
	// or before Spill.
	Forget(now int64, key string, p *P)
}

// Next is the result of a turn: the needs of the state after the turn.
type Next struct {
	// Same is for Receive: the turn changed nothing and was no use of the actor. The result of the
	// turn before stays in force, and the other fields do not count.
	Same bool
	// Clean says that Resume can make the state from the published part at any time. When the actor
	// leaves, the state is dropped. Wake must be Never.
	Clean bool
	// Wake is the instant at which to call Behavior.Wake, or Never. While Wake is not Never, the
	// actor does not leave.
	Wake int64
	// Forget is the instant from which, if nothing happens, the state equals that of a new actor;
	// or Never.
	Forget int64
	// Used is the instant of the turn if the turn was a use of the key. Used is 0 for a question,
	// which is no use: the idle time runs on.
	Used int64
}

// Never is the instant that does not come.
const Never = math.MaxInt64

var (
	// ErrClosed says that the system is closed or closing.
	ErrClosed = errors.New("actors: closed")
	// ErrKeyLimit says that there are as many keys as allowed, and that every key is held: a wake
	// is to come, or its rank is Never.
	ErrKeyLimit = errors.New("actors: too many keys")
	// ErrRetired says that the cell no longer stands for its key. Look the key up again.
	ErrRetired = errors.New("actors: cell retired")
	// ErrFailed says that the actor panicked more often than the budget allows, and refuses
	// messages for a while.
	ErrFailed = errors.New("actors: too many panics")
)

// PanicError is the answer in place of the answers that a panicked turn could not give.
type PanicError struct {
	Key   string
	Value any    // the argument of panic; nil if the turn called runtime.Goexit
	Stack []byte // of the turn
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("actors: a turn of the actor of %q panicked: %v", e.Key[:min(len(e.Key), 64)], e.Value)
}
