package actors_test

import (
	"errors"
	"slices"

	"github.com/limitpal/limitpal-go/actors"
)

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
	a.inOrder(b.w, x)
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
	case pins:
		s.n, s.fade = -1, now+max(1, x.arg)
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

// inOrder checks that the messages of a caller come in their order.
func (a *account) inOrder(w *world, x *parcel) {
	if x.number <= a.last[x.from] {
		w.fail("message %d of caller %d comes after %d", x.number, x.from, a.last[x.from])
	}
	a.last[x.from] = x.number
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
