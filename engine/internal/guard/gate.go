package guard

import (
	"math"
	"runtime"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/actors"
)

// Gate is the published part of a key: the actor's decisions for callers to read, and the bucket
// while callers may take from the bucket.
//
// A shared gate holds full-at, and callers move full-at by compare-and-swap. The actor owns the gate
// by swapping a sentinel in, and then has the bucket for itself: during a decision, while callers
// queue, and while the breaker is not closed. At an owned gate the actor is to be asked.
//
// Full-at only grows, but for tokens that are given back, and every admission lifts full-at above the
// reading of the clock that the admission used. So an admission may use a reading taken just before full-at is loaded (a stale
// reading is only stricter), and a refusal must be confirmed by a reading taken after the load. Both
// then take effect within the call.
type Gate struct {
	fullAt     atomic.Int64
	generation atomic.Uint64 // of the breaker
	posted     atomic.Pointer[Notice]
}

// Cell is the cell of a key.
type Cell = actors.Cell[Gate, State, Message]

// System is the actors of all keys.
type System = actors.System[Gate, State, Message]

// What stands in fullAt while the gate is not shared. Instants are positive.
const (
	owned   = math.MinInt64 // the actor has the bucket
	retired = owned + 1     // the cell has been retired
)

// Adopt has the key follow p from its birth on, before anybody else knows the gate.
func (g *Gate) Adopt(p *Policy) { g.posted.Store(p.first()) }

// Policy returns the policy that the key follows.
func (g *Gate) Policy() *Policy { return g.posted.Load().policy }

// Posted returns the notice.
func (g *Gate) Posted() *Notice { return g.posted.Load() }

// Swap posts n and returns the notice before: for tests of callers that find an old notice.
func (g *Gate) Swap(n *Notice) *Notice { return g.posted.Swap(n) }

// Generation returns the generation of the breaker.
func (g *Gate) Generation() uint64 { return g.generation.Load() }

// Shared reports whether callers may move full-at. The breaker of a shared gate is closed.
func (g *Gate) Shared() bool { return g.fullAt.Load() >= 0 }

// Retired reports whether the cell has been retired.
func (g *Gate) Retired() bool { return g.fullAt.Load() == retired }

// Reports reports whether the success of a call may change something: the breaker is not closed, has
// a failure counted, or a turn is about to count one. By a rated policy every success counts.
func (g *Gate) Reports() bool { return g.posted.Load().reports || g.fullAt.Load() < 0 }

// Counted counts the success of a call, which the gate let through at the instant at in a generation of the
// breaker, in the key's tally. Counted returns false if that is for the actor: the key has no tally yet,
// failures in a row count, or the call was slow by the present reading of the clock. If clock is nil, the call
// is known not to have been slow.
//
//go:noinline
func (g *Gate) Counted(clock *System, generation uint64, at int64) bool {
	n := g.posted.Load()
	if p := n.policy; !n.counts(g) || p.slow > 0 && clock != nil && clock.Now()-at >= p.slow {
		return false
	}
	n.tally.Succeed(n.policy.rules, generation, Spread())
	return true
}

// Counts reports whether a success that was not slow counts in the key's tally without the actor.
func (g *Gate) Counts() bool { return g.posted.Load().counts(g) }

// counts is Counts of the gate g, which has the notice n. A turn that may count a failure owns the gate.
func (n *Notice) counts(g *Gate) bool {
	return n.tally != nil && (!n.policy.inARow || !n.told && g.fullAt.Load() >= 0 || Planted("a success that ends no row"))
}

// Open begins the slice of now in the key's window: a call is let through that the breaker judges.
//
//go:noinline
func (g *Gate) Open(now int64) {
	if n := g.posted.Load(); n.tally != nil && !Planted("an admission that begins no slice") {
		n.tally.Open(n.policy.rules, now)
	}
}

// judged is Open for a call of the demand d. A call that is split is let through with its permit.
func (g *Gate) judged(p *Policy, d *Demand, now int64) {
	if p.rated && d.Breaker && !d.Split {
		g.Open(now)
	}
}

// Ruling is the answer that a caller reads off a gate.
type Ruling uint8

// The rulings.
const (
	Undecided Ruling = iota // ask the actor
	Admitted
	Limited // the tokens are not there
)

// spins is how long a caller that lost a compare-and-swap counts before the next try, without
// touching full-at, so that the winner, whose processor has full-at at hand, may go on: about a
// microsecond.
const spins = 2000

// Follows reports whether the key follows p. If the caller has loaded full-at before, full-at is by p, or
// a swap from it fails: a change of the policy moves full-at, but for a coincidence of nanoseconds.
func (g *Gate) Follows(p *Policy) bool { return g.posted.Load().policy == p }

// Pass takes the tokens of d if the gate is shared, the key follows p, and the tokens are there. from is the
// reading of the clock that an earlier [Gate.Look] has taken, or 0. Pass returns Limited only by the reading
// now, taken after full-at was loaded; at is then the instant from which the tokens are there.
func (g *Gate) Pass(clock *System, p *Policy, d *Demand, from int64) (r Ruling, now, at int64, receipt Receipt) {
	fullAt := g.fullAt.Load()
	if fullAt < 0 || !g.Follows(p) {
		return Undecided, 0, 0, receipt
	}
	if now = from; now == 0 {
		now = clock.Now()
	}
	if p.Stale() { // as in Take
		return Undecided, 0, 0, receipt
	}
	if !p.limited {
		receipt.Epoch = g.use(fullAt, now, p)
		g.judged(p, d, now)
		return Admitted, now, 0, receipt
	}
	limit := &p.limit
	latest := p.Latest(d.Tokens, d.Mode, now)
	if fullAt <= latest && Planted("a debit that is lost") {
		g.fullAt.Store(limit.After(fullAt, limit.Seen(now), d.Tokens)) // over the debits since full-at was loaded
		return Admitted, now, 0, Receipt{From: fullAt, To: limit.After(fullAt, limit.Seen(now), d.Tokens), Epoch: g.generation.Load(), policy: p}
	}
	if fullAt > latest && from == 0 {
		return Limited, now, limit.Ready(fullAt, d.Tokens, d.Mode), receipt
	}
	for {
		var ok bool
		if receipt, ok = g.Take(p, d.Tokens, latest, now); ok {
			g.judged(p, d, now)
			return Admitted, now, 0, receipt
		}
		if fullAt = g.fullAt.Load(); fullAt < 0 || !g.Follows(p) {
			return Undecided, 0, 0, receipt
		}
		now = clock.Now()
		if p.Stale() {
			return Undecided, 0, 0, receipt
		}
		latest = p.Latest(d.Tokens, d.Mode, now)
		if fullAt > latest || Planted("a refusal on a stale reading") {
			return Limited, now, limit.Ready(fullAt, d.Tokens, d.Mode), receipt
		}
	}
}

// Take takes n tokens if the gate is shared, the key follows p, and full-at is at most latest, which is
// p.Latest at the reading now. The reading may be from before the call: that is only stricter. Where there is no
// limit, Take takes note of the use. The receipt's epoch is the generation for a call's permit.
//
// Take fails if a newer version than p's is in force. That is asked after the clock has been read, so that no
// debit by an old version is later than the change.
func (g *Gate) Take(p *Policy, n, latest, now int64) (_ Receipt, ok bool) {
	if p.Stale() && !Planted("an old policy's debit after the conversion") {
		return Receipt{}, false
	}
	if !p.limited {
		generation, ok := g.Permit(p, now)
		return Receipt{Epoch: generation}, ok
	}
	for {
		// The generation is loaded after full-at: if full-at is still there at the swap, the breaker has
		// hardly moved on since, because nearly every turn that begins a period and shares the gate moves
		// full-at; see docs/gates.md.
		fullAt := g.fullAt.Load()
		generation := g.generation.Load()
		if fullAt < 0 || fullAt > latest || !g.Follows(p) && !Planted("an old policy's debit after the conversion") {
			return Receipt{}, false
		}
		if Planted("a token with the permit of an earlier period") {
			runtime.Gosched() // so that a period may begin here in tests
		}
		after := p.limit.After(fullAt, p.limit.Seen(now), n)
		if g.fullAt.CompareAndSwap(fullAt, after) {
			// A period may have begun, or a policy have changed, that left full-at where it was. Then the
			// tokens go back, exactly or not at all, and Take begins anew.
			if g.generation.Load() == generation && (g.Follows(p) || Planted("an old policy's debit after the conversion")) || Planted("a token with the permit of an earlier period") ||
				!g.fullAt.CompareAndSwap(after, fullAt) {
				return Receipt{From: fullAt, To: after, Epoch: generation, policy: p}, true
			}
			continue
		}
		for range spins {
		}
	}
}

// Look is Pass for a caller that takes nothing yet. After Admitted, [Gate.Pass] may take the tokens with
// the reading now.
func (g *Gate) Look(clock *System, p *Policy, d *Demand) (r Ruling, now, at int64) {
	fullAt := g.fullAt.Load()
	if fullAt < 0 || !g.Follows(p) {
		return Undecided, 0, 0
	}
	if now = clock.Now(); p.Stale() {
		return Undecided, 0, 0
	}
	if p.Limited(d) && fullAt > p.Latest(d.Tokens, d.Mode, now) {
		return Limited, now, p.limit.Ready(fullAt, d.Tokens, d.Mode)
	}
	return Admitted, now, 0
}

// Permit returns the generation for the permit of a call that has its tokens, if the breaker is closed.
// now is the reading of the look.
func (g *Gate) Permit(p *Policy, now int64) (generation uint64, ok bool) {
	fullAt := g.fullAt.Load()
	switch {
	case fullAt < 0 || !g.Follows(p):
		return 0, false
	case !p.limited:
		return g.use(fullAt, now, p), true
	default:
		return g.generation.Load(), true
	}
}

// use takes note of a use of a key without a limit: full-at is only the time of the last use. If the
// swap fails, another caller was here, or the actor owns the gate. The result is the generation.
func (g *Gate) use(fullAt, now int64, p *Policy) (generation uint64) {
	generation = g.generation.Load()
	if now-fullAt > p.Coarse {
		g.fullAt.CompareAndSwap(fullAt, now)
	}
	return generation
}

// own takes full-at out of the gate into s.fullAts, so that the actor has the bucket for itself. The
// actor may own the gate already.
func (g *Gate) own(s *State) {
	if fullAt := g.fullAt.Swap(owned); fullAt >= 0 {
		s.fullAts[0] = fullAt
	}
}
