package guard

import "sync/atomic"

// places are those of a key, of which each call in flight takes one: the number of places taken, and three bits. They
// are made with the first notice by a policy that is bounded, and every later notice of the cell has them.
// A call takes a place by a compare-and-swap, at a gate that is shared, or has the
// key's actor take it. A call that ends gives its place back by one addition. If that finds a bit that says so, the
// actor is told, by a message:
//
//   - awaited: callers wait in the line for a place. A gate with the bit has no place for anybody but the actor, so
//     that nobody passes those who wait. The actor sets the bit before it looks for a place the last time, so
//     that a call that ends behind that look finds the bit.
//   - aside: the key has been put where no search for a key to spill comes by, because calls of it were in flight.
//     When the last of them ends, a turn of the actor brings the key back.
//
// The third bit says that the key has gone: no place can be taken at its cell any more, so that a key has one
// number of places all the time. A key goes only while none is taken.
type places struct {
	atomic.Int64
	_ [56]byte // keys that are used at the same time share no cache line
}

const (
	awaited = 1 << 62
	aside   = 1 << 61
	gone    = 1 << 60

	placeBits = awaited | aside | gone
)

// TakesPlace reports whether a call for d takes a place by p.
func (p *Policy) TakesPlace(d *Demand) bool { return p.Places > 0 && d.Breaker && !d.Split }

// first returns the notice of a key that is born.
func (p *Policy) first() *Notice {
	if p.Places == 0 {
		return &p.clean
	}
	n := p.clean
	n.places = new(places)
	return &n
}

// placed returns n, the notice to post after was, with the places of the key.
func (n *Notice) placed(was *Notice) *Notice {
	of := was.places
	if of == nil && n.policy.Places > 0 {
		of = new(places)
	}
	if of == n.places {
		return n
	}
	with := *n
	if with.places = of; with == *was {
		return was
	}
	next := with
	return &next
}

// Enter takes a place by the policy of n, the notice of a key, and reports whether there was one.
func (n *Notice) Enter() bool {
	if n.places == nil {
		return false
	}
	for {
		taken := n.places.Load()
		if taken&^aside >= n.policy.Places {
			return false
		}
		if n.places.CompareAndSwap(taken, taken+1) {
			return true
		}
		for range spins {
		}
	}
}

// Leave gives a place back, and reports whether the actor is to be told. n may be any notice that was posted since the
// place was taken, or the one before.
func (n *Notice) Leave() (tell bool) {
	taken := n.places.Add(-1)
	return (taken&awaited != 0 || taken == aside) && !Planted("a queue that is not served after the last leaver")
}

// Full reports whether no place is free for a call that does not wait. A key that is about to go, or has gone, is not full:
// its actor, or that of its next cell, is to be asked.
func (n *Notice) Full() bool {
	if n.places == nil {
		return false
	}
	taken := n.places.Load() &^ aside
	return taken&gone == 0 && taken >= n.policy.Places
}

// InFlight returns the number of places taken.
func (g *Gate) InFlight() int {
	if of := g.posted.Load().places; of != nil {
		return int(of.Load() &^ placeBits)
	}
	return 0
}

// free reports whether a place is free for the actor, which passes those who wait.
func (g *Gate) free(p *Policy) bool {
	of := g.posted.Load().places
	return of == nil || p.Places == 0 || of.Load()&^placeBits < p.Places
}

// enter is Enter for the actor. The places are made here if the key has begun to follow a bounded policy in this turn.
func (g *Gate) enter(p *Policy) bool {
	n := g.posted.Load()
	if n.places == nil {
		with := *n
		with.places = new(places)
		n = &with
		g.posted.Store(n)
	}
	for {
		word := n.places.Load()
		if is := word &^ placeBits; is >= p.Places && !(is == p.Places && Planted("a place beyond the bound")) {
			return false
		}
		if n.places.CompareAndSwap(word, word+1) {
			return true
		}
	}
}

// await is enter for a caller that otherwise waits in the line.
func (g *Gate) await(p *Policy) bool {
	if of := g.posted.Load().places; of != nil {
		of.Or(awaited)
	}
	return g.enter(p)
}

// leave gives back a place that the actor has taken in this turn.
func (g *Gate) leave() { g.posted.Load().places.Add(-1) }

// settle ends a turn: lined says whether callers wait in the line.
func (g *Gate) settle(lined bool) {
	of := g.posted.Load().places
	if of == nil {
		return
	}
	n := of.Load()
	if n&aside != 0 {
		of.And(^aside)
	}
	if n&awaited != 0 && !lined {
		of.And(^awaited)
	}
}

// vacate marks the places of a key that is about to go, unless one is taken.
func (g *Gate) vacate() bool {
	of := g.posted.Load().places
	return of == nil || of.CompareAndSwap(0, gone) || of.CompareAndSwap(aside, gone|aside) ||
		Planted("a key that is forgotten with calls in flight")
}

// stay undoes vacate: the key does not go.
func (g *Gate) stay() {
	if of := g.posted.Load().places; of != nil {
		of.And(^gone)
	}
}

// putAside takes note that the key is put where no search comes by, if a place is taken.
func (g *Gate) putAside() bool {
	of := g.posted.Load().places
	if of == nil {
		return false
	}
	for n := of.Load(); n&^placeBits > 0; n = of.Load() {
		if of.CompareAndSwap(n, n|aside) {
			return true
		}
	}
	return false
}
