package actors_test

import "github.com/limitpal/limitpal-go/actors"

// parcel is a message, and all that became of it.
type parcel struct {
	key      string
	from     int   // the caller
	number   int   // of the caller's messages to the key
	kind     kind  // what the turn does
	arg      int64 // of kind
	clean    bool  // the turn says Clean if it can
	accepted bool  // by Send
	finished int   // how often it was answered; a parcel is to be answered once
}

// kind is what the turn of a parcel does.
type kind int

const (
	adds    kind = iota // arg to the number
	clears              // the number
	fades               // the number is 0 after arg
	owes                // an answer, for as long as arg
	settles             // all that is owed
	asks_               // nothing; no use
	pins                // the key, never to be spilled until the number is 0 after arg
	booms               // panics in the midst
	kinds
)

// memo is the state of a key. It is copied, so owed is replaced and never changed.
type memo struct {
	n    int64
	fade int64 // n is 0 from then on
	due  int64 // when the first of owed is to be answered
	owed []*parcel
}

// sign is the published part of a key: its number, and the instant of its last use, as callers may move it.
type sign struct {
	n, fade, used int64 // one coroutine runs at a time
	retired       bool
}

// account is what a key ought to be.
type account struct {
	memo
	p        *sign // of the cell, or nil
	clean    bool  // the last turn said Clean
	inTurn   bool
	last     map[int]int // the number of the last message of each caller
	pending  int         // sends that have begun, and messages that are queued
	touched  int         // world.moves, when something last happened to the key
	booms    int
	held     bool  // a wake is to come
	broken   bool  // Fail has panicked: the cell is never forgotten
	lastUsed int64 // of the cell before
	spilled  *memo // written down when the key was spilled
}

// keys is a Behavior that compares everything with the accounts.
type keys struct {
	w        *world
	accounts map[string]*account
	cellOf   map[*sign]*account
	budget   int
	faulty   int // one time in so many, a method panics; 0: never
	cells    int
	evicted  uint64
	spilled  uint64
}

func (b *keys) account(key string) *account {
	a := b.accounts[key]
	if a == nil {
		a = &account{memo: memo{fade: actors.Never}, last: map[int]int{}}
		b.accounts[key] = a
	}
	return a
}

// of finds the account of a published part.
func (b *keys) of(p *sign, what string) *account {
	if a := b.cellOf[p]; a != nil {
		a.touched = b.w.moves
		return a
	}
	b.w.fail("%s on a cell that stands for no key", what)
	return &account{last: map[int]int{}}
}

func (b *keys) mayPanic() {
	if b.faulty > 0 && b.w.oneIn(b.faulty) {
		panic("the behavior")
	}
}

// at is m at an instant.
func (m *memo) at(now int64) {
	if m.fade <= now {
		m.n, m.fade = 0, actors.Never
	}
}

// next is the result of a turn that leaves s, which is published.
func (b *keys) next(now int64, p *sign, s *memo, clean bool) actors.Next {
	s.at(now)
	p.n, p.fade = s.n, s.fade
	next := actors.Next{Wake: actors.Never, Forget: actors.Never, Used: now}
	switch {
	case len(s.owed) > 0:
		next.Wake = s.due
	case s.fade < actors.Never:
		next.Forget = s.fade
	case s.n == 0:
		next.Forget = now
	}
	next.Clean = clean && len(s.owed) == 0 && s.fade == actors.Never
	if next.Used > p.used {
		p.used = next.Used
	}
	return next
}

func (b *keys) Init(now int64, key string, p *sign, s *memo) actors.Next {
	a := b.account(key)
	if a.p != nil {
		b.w.fail("%q has two cells", key)
	}
	if now < a.lastUsed {
		b.w.fail("%q is born at %d, and was used at %d", key, now, a.lastUsed)
	}
	a.p, a.touched, b.cellOf[p] = p, b.w.moves, a
	a.memo = memo{fade: actors.Never}
	if a.spilled != nil {
		a.memo, a.spilled = *a.spilled, nil
		a.at(now)
	}
	*s = a.memo
	b.cells++
	b.w.note("born "+key, now)
	next := b.next(now, p, s, b.w.oneIn(2))
	a.clean, a.held, a.memo, p.used = next.Clean, false, *s, 0
	return next
}

func (b *keys) Resume(key string, p *sign, s *memo) {
	a := b.account(key)
	if !a.clean {
		b.w.fail("%q resumes, and was not clean", key)
	}
	*s = memo{n: p.n, fade: p.fade}
}

func (b *keys) Retire(unused int64, p *sign) bool {
	a := b.of(p, "Retire")
	switch equal := p.n == 0 || p.fade <= b.w.now+1; {
	case a.held || a.inTurn:
		b.w.fail("a cell is to retire, and is held")
	case !equal && !a.clean:
		b.w.fail("a cell is to retire, and differs from a new cell")
	case unused > b.w.now+1:
		b.w.fail("a cell is to retire, whatever use comes until %d", unused)
	case !equal || p.used > unused:
		return false
	}
	b.mayPanic()
	a.at(b.w.now + 1)
	b.end(a, p)
	b.evicted++
	return true
}

// end is the end of a cell.
func (b *keys) end(a *account, p *sign) {
	a.p, a.lastUsed, a.touched = nil, p.used, b.w.moves
	p.retired = true
	delete(b.cellOf, p)
	b.cells--
	b.w.note("end", p.n)
}

func (b *keys) SpillRank(p *sign, s *memo) int64 {
	b.of(p, "SpillRank")
	n := p.n
	if s != nil {
		n = s.n
		if len(s.owed) > 0 {
			return actors.Never
		}
	}
	if n < 0 {
		return actors.Never
	}
	return n
}

func (b *keys) Spill(key string, p *sign, s *memo) {
	a := b.of(p, "Spill")
	if a.held || a.inTurn || p.n < 0 {
		b.w.fail("%q is spilled, and is held", key)
	}
	if (s == nil) != a.clean {
		b.w.fail("%q is spilled with the state %v, and clean is %v", key, s, a.clean)
	}
	a.spilled = &memo{n: p.n, fade: p.fade}
	b.end(a, p)
	a.lastUsed = 0 // what was written down says all
	b.spilled++
}
