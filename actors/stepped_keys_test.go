package actors_test

import (
	"errors"
	"slices"

	"github.com/limitpal/limitpal-go/actors"
)

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

// begin checks the state at the beginning of a turn, and that no other turn of the key is under way.
func (b *keys) begin(p *sign, s *memo, what string) *account {
	a := b.of(p, what)
	if a.inTurn {
		b.w.fail("two actors of a key are in a turn")
	}
	a.inTurn = true
	if p.retired {
		b.w.fail("%s on a retired cell", what)
	}
	return a
}

// compare compares the state with that of the account, as of now.
func (b *keys) compare(a *account, s *memo, now int64) {
	answered := func(m *parcel) bool { return m.finished > 0 } // by a Fail that then panicked
	s.owed = slices.DeleteFunc(slices.Clone(s.owed), answered)
	a.owed = slices.DeleteFunc(slices.Clone(a.owed), answered)
	s.at(now)
	a.at(now)
	if s.n != a.n || s.fade != a.fade || !slices.Equal(s.owed, a.owed) {
		b.w.fail("the state is %+v and ought to be %+v", *s, a.memo)
	}
}

func (b *keys) Receive(clock func() int64, p *sign, s *memo, m **parcel) actors.Next {
	a := b.begin(p, s, "a turn")
	defer func() { a.inTurn = false }()
	now := clock()
	before := *s
	b.compare(a, s, now)
	x := *m
	if x.number <= a.last[x.from] {
		b.w.fail("message %d of caller %d comes after %d", x.number, x.from, a.last[x.from])
	}
	a.last[x.from] = x.number
	switch x.kind {
	case adds:
		s.n, s.fade = s.n+x.arg, actors.Never
	case clears:
		s.n, s.fade = 0, actors.Never
	case fades:
		s.fade = now + x.arg
		if s.n == 0 {
			s.fade = actors.Never
		}
	case owes:
		if len(s.owed) == 0 {
			s.due = now + x.arg
		}
		s.owed = append(slices.Clone(s.owed), x)
	case settles:
		b.answer(s.owed)
		s.owed = nil
	case asks_:
		*s = before
		b.finish(a, x)
		return actors.Next{Same: true}
	case booms:
		s.n, s.owed = s.n+1000, nil
		a.booms++
		panic("boom")
	}
	if clock() < now {
		b.w.fail("the time runs back")
	}
	next := b.next(now, p, s, x.clean)
	if x.kind != owes {
		b.finish(a, x)
	} else {
		a.pending--
	}
	a.memo, a.clean, a.held, a.broken = *s, next.Clean, next.Wake < actors.Never, false
	b.w.note("turn of "+x.key, s.n)
	return next
}

// finish answers x at the end of its turn.
func (b *keys) finish(a *account, x *parcel) {
	a.pending--
	b.answer([]*parcel{x})
}

func (b *keys) answer(owed []*parcel) {
	for _, m := range owed {
		if m.finished++; m.finished > 1 {
			b.w.fail("a message was answered twice")
		}
	}
}

func (b *keys) Wake(now int64, p *sign, s *memo) actors.Next {
	a := b.begin(p, s, "a wake")
	defer func() { a.inTurn = false }()
	b.compare(a, s, now)
	if now < s.due {
		b.w.fail("a wake %d ns too early", s.due-now)
	}
	if b.faulty > 0 && b.w.oneIn(b.faulty) {
		a.booms++
		panic("a wake")
	}
	some := len(s.owed)
	if some > 1 && b.w.oneIn(2) {
		some = 1
		s.due = now + 1 + b.w.random.Int64N(2e9)
	}
	b.answer(s.owed[:some])
	s.owed = slices.Clone(s.owed[some:])
	next := b.next(now, p, s, b.w.oneIn(2))
	a.memo, a.clean, a.held, a.broken = *s, next.Clean, next.Wake < actors.Never, false
	b.w.note("wake", s.n)
	return next
}

func (b *keys) Retire(unused int64, p *sign) bool {
	a := b.of(p, "Retire")
	switch equal := p.n == 0 || p.fade <= b.w.now+1; {
	case a.held || a.inTurn:
		b.w.fail("a cell is to retire, and is held")
	case !equal && !a.clean:
		b.w.fail("a cell is to retire, and differs from a new cell")
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

func (b *keys) Fail(now int64, p *sign, s *memo, err error) actors.Next {
	a := b.of(p, "Fail")
	if err == nil {
		b.w.fail("Fail without an error")
	}
	for _, m := range s.owed {
		if m.finished == 0 {
			b.answer([]*parcel{m})
		}
	}
	a.owed = nil
	if b.faulty > 0 && b.w.oneIn(b.faulty) {
		a.broken, a.clean, a.held = true, false, false
		panic("Fail")
	}
	s.owed = nil
	next := b.next(now, p, s, false)
	if b.faulty > 0 && b.w.oneIn(2) && !errors.Is(err, actors.ErrClosed) {
		next.Wake, s.due = now, now
	}
	a.memo, a.clean, a.held = *s, next.Clean, next.Wake < actors.Never
	return next
}

func (b *keys) Refuse(m **parcel, err error) {
	x := *m
	a := b.account(x.key)
	a.touched = b.w.moves
	b.finish(a, x)
	if errors.Is(err, actors.ErrFailed) && a.booms <= b.budget {
		b.w.fail("%q refuses messages after %d panics", x.key, a.booms)
	}
	b.w.note("refused", int64(x.number))
	b.mayPanic()
}
