package guard

import "sync/atomic"

// places is the word of a key's places, of which each call in flight takes one: the number of places taken, and three
// bits. The word is made with the first notice by a bounded policy, and every later notice of the cell has it.
//
// A call takes a place at a shared gate by a compare-and-swap, or has the key's actor take it. A call that ends gives its
// place back by one addition. If a bit says so, the caller then sends the actor a message.
//
//   - awaited: callers wait in the line. The actor alone can take a place, so that nobody passes the line. The actor
//     sets the bit, and then looks for a place once more: a call that ends after that look finds the bit.
//   - aside: calls were in flight when a search for a key to spill came by, and the key was put where no search looks.
//     A turn of the actor brings the key back when the last of these calls ends.
//   - gone: the key is about to go, or has gone. No place can be taken, so that the places of the key's next cell are
//     the only ones. The bit can be set only while no place is taken.
type places struct {
	atomic.Int64
	_ [56]byte // so that two keys share no cache line
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

// free reports whether a place is free for the actor, also if callers wait.
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
