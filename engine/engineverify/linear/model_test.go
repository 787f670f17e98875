package linear_test

// clients is how many goroutines call the engine in a history; one more steps the clock when nobody
// else does.
const clients = 6

// rules is the sequential specification of one key, as far as it depends on the configuration.
type rules struct {
	limits    []limit
	others    []limit // that Reconfigure puts in the place of limits; nil: never
	breaker   *policy
	places    int  // calls that may be in flight; 0: any number
	waits     bool // there is a queue
	maxWait   int  // ticks; 0: none
	maxQueue  int
	published bool
	evicts    bool         // a key that equals a new one may be forgotten at any time
	spills    bool         // and so may others, at MaxKeys
	holds     bool         // of this history: calls that were not made may have held tokens
	forces    bool         // and somebody has forced the breaker
	kept      int          // of this history: how many of such tokens stayed spent, as the engine counts
	seen      []*operation // of this history, by their calls; nil: more than marks can hold, or plain
	plain     bool         // the search is to try every order
	changed   *rules       // with others for limits; nil without others
}

// state is a key at one instant. States are compared with ==: what cannot matter any more is zero,
// and sets are sorted, so that states are equal if nothing can tell them apart.
type state struct {
	now, wall int // the time and what the wall clock shows; in ticks
	high      int // the latest that the wall clock has shown, and the time then
	highNow   int
	stepped   int // the ticks of all steps forward
	born      bool
	levels    [2]int // of each limit, in units of late
	changed   bool   // rules.others are in force
	newborn   [2]int // the levels of a new key, which are those of a key that has always been full
	circuit   circuit
	tickets   tickets
	line      [clients]waiter // those that wait, in order
	waiting   int
	inside    int   // places taken
	refuses   bool  // a turn has opened the breaker: those that wait and asked it leave, before anything else
	tried     uint8 // a bit for each client whose Run has tried the gates, and goes on
	holds     holds // of calls that are not made
	spent     int   // tokens of such calls that stayed spent
	forced    byHand
	turn      turn
	looked    uint8      // a bit for each client whose Inspect has begun
	must      second     // what comes next
	done      marks      // what has come, of rules.seen
	soon      *operation // what comes next unless must says so; nil: anything
}

// second is a further step of an operation that has several. When the first has decided all, the
// others change nothing, and one place for them is as good as another: then they have to come at
// once, which spares the search the others. The zero second is none.
type second struct {
	kind   kind
	of     int8 // the serial of the call
	queued bool // the call is in the queue, or was
}

// doubt is what the specification leaves open.
type doubt struct {
	stray bool // an outcome of an earlier period counts
	held  bool // a call that is not made takes tokens or, if the step is about that, a permit
	kept  bool // tokens stay spent that could be given back
	slow  bool // a call was slow that may not have been
	gated bool // a success is counted at the gate, although a message would do
	lost  bool // a success is lost with the cell that let its call through
	back  int  // how far from the end an outcome counts, see window; or how many ticks before a Force was
}

// next returns what comes after o, or nil if o could not have been seen in before.
func (r *rules) next(before *state, o *operation, d doubt) *state {
	if before.claimed(o) {
		return nil
	}
	s := *before
	s.soon = nil
	if !r.follows(&s, o, d) {
		return nil
	}
	if r.seen != nil {
		s.done.add(o.index)
		if s.must == (second{}) && r.settled(&s) == nil {
			s.soon = r.soon(&s)
		}
	}
	after := new(state) // only now: most operations could not have been seen
	*after = s
	return after
}

// claimed reports whether an operation other than o has to come next.
func (s *state) claimed(o *operation) bool {
	return s.must != (second{}) && (o.kind != s.must.kind || o.serial != s.must.of) || s.soon != nil && s.soon != o
}

// follows is next in place, without regard to what else is in the history.
func (r *rules) follows(s *state, o *operation, d doubt) bool {
	if must := s.must; must != (second{}) {
		s.must = second{}
		if must.kind != enter && must.kind != pass {
			s.follow(o, must.kind, must.queued)
			return !d.held && !d.kept
		}
	}
	if s.changed {
		r = r.changed
	}
	if t := r.settled(s); t != nil {
		if o.kind != count || o.serial != t.serial {
			return false
		}
		s.tickets.drop(t.serial)
		return true
	}
	if !s.inTurn(o) || s.refuses && (o.kind != leave || o.result == granted) {
		return false
	}
	if !r.amid(s, o, d) || s.overdue(o) {
		return false
	}
	caughtUp := r.caughtUp(s, o, d)
	if !d.held && (o.kind == try || o.kind == enter && (o.result == elsewhere || o.result == canceled && !caughtUp)) {
		s.follow(o, o.kind, false) // a caller may leave before the actor has come to its message
		return true
	}
	// A call whose context has ended before it asks touches nothing.
	s.born = s.born || o.kind < enter || o.kind == enter && (d.held || o.result != canceled)
	levels := s.levels
	ok := caughtUp && r.effect(s, o, d)
	if ok && d.back > 0 && (o.kind == pass || o.kind == enter) {
		ok = r.earlier(s, o, levels, d.back)
	}
	r.age(s)
	if s.refuses = s.refuses || o.kind == force || o.kind == count; s.refuses {
		s.refuses = s.askers() && r.isOpen(s)
	}
	return ok && r.hopeful(s)
}

// effect is what o does.
func (r *rules) effect(s *state, o *operation, d doubt) bool {
	switch o.kind {
	case allow:
		return r.allow(s, o)
	case pass:
		return r.pass(s, o)
	case enter:
		return r.enter(s, o, d)
	case try:
		return r.try(s, o, d)
	case permit:
		return r.permit(s, o, d)
	case release:
		return r.release(s, o, d)
	case leave:
		return r.leave(s, o)
	case report:
		return r.report(s, o, d)
	case count:
		return r.count(s, o, d)
	case vacate:
		return r.vacate(s, o)
	case gauge:
		return s.inside == o.d
	case inspect:
		return r.inspect(s, o)
	case look:
		return r.looks(s, o)
	case force:
		return r.force(s, o, d.back)
	case reset:
		r.reset(s)
	case step:
		r.step(s, o.d)
	case change:
		r.change(s, o.d == 1)
	case total:
		return s.spent == o.d
	}
	return true
}
