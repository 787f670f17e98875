package guard

import "github.com/limitpal/limitpal-go/limiter"

// Receipt says what a debit did to the first full-at of a key, so that the tokens can be given back
// exactly, or not at all. The zero Receipt is of no debit.
type Receipt struct {
	From, To int64  // full-at before and after the debit
	Epoch    uint64 // the breaker's generation at the debit; a Reset and a birth begin another

	policy *Policy // by which the debit was made; after a change of the policy, full-ats cannot be compared
}

// GiveBack undoes the debit of r if full-at is exactly what the debit made it, so that nobody has
// taken tokens since. Admitted says that the tokens are back, Limited that they stay spent. After
// Undecided the actor is to be asked.
//
// A full-at that others have moved since holds their debits on top of this one. To take the tokens off
// such a full-at could grant a token twice, see docs/gates.md.
func (g *Gate) GiveBack(r Receipt) Ruling {
	fullAt := g.fullAt.Load()
	if fullAt == retired {
		return Limited
	}
	if fullAt < 0 || g.Policy().Stale() || g.generation.Load() != r.Epoch && !Planted("a debit undone across a Reset") {
		return Undecided // the actor brings the key up to date first
	}
	if !g.Follows(r.policy) && !Planted("a debit undone across a change") {
		return Limited
	}
	if to, ok := r.undone(fullAt); ok && g.fullAt.CompareAndSwap(fullAt, to) {
		return Admitted
	}
	if g.fullAt.Load() < 0 {
		return Undecided
	}
	return Limited
}

// undone returns full-at without the debit of r, if nobody has taken tokens since the debit.
func (r Receipt) undone(fullAt int64) (to int64, ok bool) {
	switch {
	case Planted("a plain refund"):
		return max(1, fullAt-(r.To-r.From)), true
	case Planted("an undo while the own full-at lies in the future"):
		return r.From, fullAt >= r.To
	case Planted("a token given back twice"):
		return max(1, r.From-(r.To-r.From)), fullAt == r.To
	default:
		return r.From, fullAt == r.To && r.To != limiter.Never
	}
}

// undone returns the first full-at without the debit of r, if the debit can be undone.
func (s *State) undone(r Receipt) (to int64, ok bool) {
	if r.policy != s.policy && !Planted("a debit undone across a change") {
		return 0, false
	}
	if r.Epoch < s.epoch && !Planted("a debit undone across a Reset") {
		return 0, false
	}
	for _, fullAt := range s.fullAts[1:] {
		if fullAt == limiter.Never { // what it was is lost
			return 0, false
		}
	}
	return r.undone(s.fullAts[0])
}

// giveBack is GiveBack for the actor, which owns the gate: it undoes a debit of tokens. The other limits
// follow the first, since every debit moves them all.
func (b *Behavior) giveBack(now int64, s *State, r Receipt, tokens int64) bool {
	to, ok := s.undone(r)
	if !ok {
		return false
	}
	if s.queue != nil {
		s.queue.moved = now // held tokens were not there for those who wait
	}
	s.fullAts[0] = to
	others := s.policy.Limits[min(1, len(s.policy.Limits)):]
	for i := range others {
		// Where the bucket was full before the debit, this leaves the bucket full as of the debit: for all
		// later readings of the actor's clock that is the same.
		s.fullAts[1+i] = others[i].Undo(s.fullAts[1+i], tokens)
	}
	return true
}

// Remains returns what remained in each bucket behind the debit of r, which was made at the instant at. left is the
// full-ats then, if there are several buckets.
func (r Receipt) Remains(at int64, left []int64) (all []limiter.Status) {
	if r.policy == nil {
		return nil
	}
	if left == nil {
		left = []int64{r.To}
	}
	limits := r.policy.Limits
	for i := range min(len(limits), len(left)) {
		all = append(all, limits.Status(i, left, left, at, 0))
	}
	return all
}
