// Package contender holds the ways of guarding calls per key that the contention study compares: hand-written models of
// each concurrency design, this module's engine, and the libraries that people use today, pinned by go.mod.
//
// There is one file per contender and one interface for all, [Guard]. A contender does as much of the work as it can; what
// it can do is in its Does, and what it cannot is in its Cannot, as a sentence that belongs beside its numbers.
//
// # Fairness
//
// All hand-written models keep the same state and decide alike; they differ in how callers get at that state. They read a
// monotonic clock (time.Since of one base), and their limit is the generic cell rate algorithm in whole nanoseconds. No
// contender translates the errors of what it wraps, and none does work that its users would not do.
package contender

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors of the hand-written models, and of contenders that have none of their own.
var (
	// ErrLimited says that the bucket is empty.
	ErrLimited = errors.New("contender: limited")
	// ErrOpen says that the breaker lets no call through.
	ErrOpen = errors.New("contender: breaker open")
	// ErrCannot says that the contender has no such operation; see Contender.Does.
	ErrCannot = errors.New("contender: cannot do this")
)

// Guard is a contender at work. Its methods may be called by any goroutine, except Close.
type Guard interface {
	// Allow asks the limiter alone whether one call of key may go now. Only a contender that does not Refuse blocks in it.
	Allow(key Key) bool
	// Run calls fn through all stages that the contender has. A refusal is an error that is one of Contender.Limited or
	// Contender.Open.
	Run(ctx context.Context, key Key, fn func(context.Context) error) error
	// Wait takes a token of key from the limiter and waits for it if need be. It needs Settings.Queue.
	Wait(ctx context.Context, key Key) error
	// Close ends the guard's goroutines. Nobody may be using the guard.
	Close() error
}

// Key is one key out of Keys. Contenders that hand out something per key, as the engine's handle, find it by Slot; all
// others look up Name.
type Key struct {
	Name string
	Slot int
}

// Keys is a population of keys. They are cut from one string, so that holding a million of them costs the garbage collector
// nothing, whose work would else be counted against the contenders.
type Keys struct {
	names string
	n     int
}

// keyWidth is the length of every name.
const keyWidth = len("tenant-0000000")

// NewKeys returns n keys, at most ten million.
func NewKeys(n int) Keys {
	b := make([]byte, 0, n*keyWidth)
	for i := range n {
		b = fmt.Appendf(b, "tenant-%07d", i)
	}
	return Keys{names: string(b), n: n}
}

// Clone returns keys with equal names that do not share memory with k's.
func (k Keys) Clone() Keys { return Keys{names: strings.Clone(k.names), n: k.n} }

// Len is the number of keys.
func (k Keys) Len() int { return k.n }

// At is the key of a slot.
func (k Keys) At(slot int) Key {
	return Key{Name: k.names[slot*keyWidth : (slot+1)*keyWidth], Slot: slot}
}

// Settings is what all contenders are asked to do. Every field must be set, except Queue, and where 0 is said to mean
// something.
type Settings struct {
	Keys             Keys          // all keys that will be used; only contenders with KnownKeys look at them
	Capacity         int           // tokens in a full bucket, in which every key begins; 0: no limiter
	Interval         time.Duration // in which one token comes back
	FailureThreshold int           // failures in a row that open the breaker
	RecoveryTimeout  time.Duration // from opening to the one probe that closes it or opens it again
	Attempts         int           // of one Run, at most; 0: no retries
	BaseDelay        time.Duration // before the second attempt; it doubles with each further one, without jitter
	Queue            bool          // whether Wait will be used
}

// Capability is a set of things that a contender can do.
type Capability uint8

// The capabilities.
const (
	Limits  Capability = 1 << iota // Allow, and Run takes a token
	Refuses                        // Allow answers false at once when the bucket is empty
	Breaks                         // Run has a circuit breaker
	Retries                        // Run tries again
	Waits                          // Wait
	Panics                         // a panic of fn counts as a failure, and a probe that panics gives its place back
	// Pipeline is all that Run can do.
	Pipeline = Limits | Refuses | Breaks | Retries
)

// Has reports whether all of want are in c.
func (c Capability) Has(want Capability) bool { return c&want == want }

// Algorithm is what a contender documents about when its limiter admits.
type Algorithm uint8

// The algorithms.
const (
	// TokenBucket starts full and gives a token back every Interval.
	TokenBucket Algorithm = iota
	// Window admits Capacity in each window of Capacity × Interval, counted from the first use of the key.
	Window
	// Pacer lets one go every Interval from the first on, and makes up for at most Capacity − 1 of those it missed.
	Pacer
)

// Kind is why a contender is in the study.
type Kind uint8

// The kinds.
const (
	Baseline Kind = iota // what no guard can be below; it guards nothing
	Model                // a concurrency design, written by hand
	Ours                 // this module's engine
	Peer                 // a library
)

// Contender is one way of guarding calls, with what is to be said about it.
type Contender struct {
	Name      string // as in benchmarks
	Kind      Kind
	Does      Capability
	Algorithm Algorithm // of a limiter
	KnownKeys bool      // every key must be in Settings.Keys
	Heavy     bool      // a million of its keys take a goroutine each, or longer to make than all others' together
	RealClock bool      // it reads the time past package time, so that a testing/synctest bubble cannot stand in for it
	Cannot    string    // what it cannot do of what the others do; "" if nothing
	Limited   error     // what a refusal by the limiter is, for errors.Is
	Open      []error   // what a refusal by the breaker is
	New       func(Settings) (Guard, error)
}

// All returns every contender: baselines, models, ours, peers.
func All() []Contender {
	return []Contender{
		noOp(), floor(),
		globalMutex(), shardedMutex(), perKeyMutex(), perKeyMutexLockFree(), perKeyMutexInHand(), perKeySemaphore(), casGCRA(), textbookActor(),
		engineMailbox(), enginePublished(), engineHandle(),
		xTimeRate(), uberRatelimit(), goLimiter(), throttledGCRA(), goBreaker(), failsafeGo(), tower(),
	}
}

// partial is embedded by contenders that cannot do everything.
type partial struct{}

func (partial) Allow(Key) bool                                              { return false }
func (partial) Run(context.Context, Key, func(context.Context) error) error { return ErrCannot }
func (partial) Wait(context.Context, Key) error                             { return ErrCannot }
func (partial) Close() error                                                { return nil }
