package guard

import (
	"runtime"
	"sync/atomic"
)

// Taking is the answer of [Gate.TakeOne].
type Taking uint8

// The answers.
const (
	NotTaken Taking = iota // nothing was taken
	Taken
	TakenInWindow // Taken, and the call begins a slice of the window of the key's breaker: call [Gate.Opened]
)

// barred is the barred of every policy that has no limit, or several, or a window, or that is not published.
var barred atomic.Pointer[Version]

func init() { barred.Store(new(Version)) }

// TakeOne is [Gate.Take] of one token for a call that may queue, if the key still has the notice n. The reading now
// must be from before TakeOne looks whether the policy of n is stale. From and generation are those of the receipt, see
// [Notice.Receipt]. Where the limit is a window, TakeOne takes nothing.
//
// Nearly every call of an engine passes here. So TakeOne calls nothing, and does each step of Take once.
func (g *Gate) TakeOne(n *Notice, now int64) (from int64, generation uint64, t Taking) {
	p := n.policy
	if p.barred.Load() != nil && !Planted("an old policy's debit after the conversion") {
		if p.limited || p.Stale() {
			return 0, 0, NotTaken
		}
		from, generation = g.fullAt.Load(), g.generation.Load()
		if from < 0 || g.posted.Load() != n {
			return 0, 0, NotTaken
		}
		if now-from > p.Coarse { // as in use
			g.fullAt.CompareAndSwap(from, now)
		}
		return from, generation, p.taken
	}
	for {
		from = g.fullAt.Load() // a sentinel, as a number without a sign, is above every instant
		generation = g.generation.Load()
		if uint64(from) > uint64(now+p.slack) || //nolint:gosec // meant
			g.posted.Load() != n && !Planted("an old policy's debit after the conversion") {
			return 0, 0, NotTaken
		}
		if Planted("a token with the permit of an earlier period") {
			runtime.Gosched()
		}
		after := max(from, now) + p.token
		if !g.fullAt.CompareAndSwap(from, after) {
			for range spins {
			}
			continue
		}
		if g.generation.Load() == generation || Planted("a token with the permit of an earlier period") {
			if g.posted.Load() == n || Planted("an old policy's debit after the conversion") {
				return from, generation, p.taken
			}
		}
		// A period may have begun, or another notice have been posted: as in Take.
		if !g.fullAt.CompareAndSwap(after, from) {
			return from, generation, p.taken
		}
	}
}

// Opened reports whether t says that a token was taken. If so, it begins the slice of now in the window of the key's
// breaker.
func (g *Gate) Opened(t Taking, now int64) bool {
	if t == NotTaken {
		return false
	}
	g.Open(now)
	return true
}

// Receipt returns the receipt of tokens that were taken at the reading now, by the notice n, from the full-at from.
func (n *Notice) Receipt(from, now, tokens int64, generation uint64) Receipt {
	if !n.policy.limited {
		return Receipt{Epoch: generation}
	}
	return Receipt{From: from, To: n.policy.limit.After(from, n.policy.limit.Seen(now), tokens), Epoch: generation, policy: n.policy}
}
