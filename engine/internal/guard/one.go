package guard

import (
	"runtime"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/limiter"
)

// Taking is the answer of [Gate.TakeOne].
type Taking uint8

// The answers.
const (
	NotTaken Taking = iota // nothing was taken
	Taken
	TakenInWindow // Taken, and the call begins a slice of the window of the key's breaker
)

// barred is the barred of every policy that has no limit, or several, or a window.
var barred atomic.Pointer[Version]

func init() { barred.Store(new(Version)) }

// TakeOne is [Gate.Take] of one token for a call that may queue, if the key still has the notice n, which was loaded
// before the reading now. From and generation are those of the receipt, see [Notice.Receipt].
//
// Unless the answer is Taken, [Gate.TakeOtherwise] has the last word. Nearly every call of an engine passes here. So TakeOne calls nothing, and does each step of Take once.
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
		after := max(from, now) + int64(p.limit.Interval())
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

// TakeOtherwise is for a call to which TakeOne, with the same n and now, has given another answer than Taken: it begins
// the slice of now in the window of the key's breaker, or takes a token of a limit that is a window. The results are
// those of TakeOne; they are Taken, or NotTaken.
//
//go:noinline
func (g *Gate) TakeOtherwise(n *Notice, now, from int64, generation uint64, t Taking) (int64, uint64, Taking) {
	if p := n.policy; t == NotTaken && p.windows {
		if receipt, ok := g.Take(p, 1, p.Latest(1, limiter.Queued, p.Seen(now)), p.Seen(now)); ok {
			from, generation, t = receipt.From, receipt.Epoch, p.taken
		}
	}
	if t == TakenInWindow {
		g.Open(now)
		t = Taken
	}
	return from, generation, t
}

// Receipt returns the receipt of tokens that were taken at the reading now, by the notice n, from the full-at from.
func (n *Notice) Receipt(from, now, tokens int64, generation uint64) Receipt {
	if !n.policy.limited {
		return Receipt{Epoch: generation}
	}
	return Receipt{From: from, To: n.policy.limit.After(from, n.policy.Seen(now), tokens), Epoch: generation, policy: n.policy}
}
