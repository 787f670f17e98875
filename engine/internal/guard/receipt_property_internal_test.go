package guard

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/limiter"
)

// hold is tokens that a call has taken and may give back.
type hold struct {
	n       int64
	at      int64 // the instant of the debit
	receipt Receipt
	epoch   int // Resets before the debit
}

// bank is a key whose callers take tokens, keep some, and give others back, at the gate or in a turn.
type bank struct {
	*Behavior
	gate   Gate
	state  State
	owned  bool
	now    int64
	held   []hold
	spent  []hold // kept, or not to be had back
	resets int
}

func newBank(t *testing.T, r *rand.Rand) *bank {
	all := []limiter.Limiter{limiter.TokenBucket{Capacity: 1 + r.IntN(5), RefillRate: limiter.Per(1+r.Int64N(3), time.Duration(10+r.IntN(100)))}}
	if r.IntN(3) == 0 {
		all = append(all, limiter.TokenBucket{Capacity: 1 + r.IntN(5), RefillRate: limiter.Per(1, time.Duration(10+r.IntN(300)))})
	}
	b := &bank{Behavior: behaviorOf(t, settings{Limiter: limiter.All(all...), Mailbox: r.IntN(4) == 0}), now: 1}
	b.Init(b.now, "k", &b.gate, &b.state)
	b.owned = !b.gate.Shared()
	if !b.owned {
		b.Resume("k", &b.gate, &b.state)
	}
	return b
}

// turn has the actor process m.
func (b *bank) turn(m Message) Answer {
	m.Request = &Request{Call: actors.NewCall[Answer](), Receipt: m.Request.receiptOrZero()}
	m.Stays = true
	m.Answers = m.Request.Answers()
	b.Receive(func() int64 { return b.now }, &b.gate, &b.state, &m)
	return <-m.Request.Answered()
}

func (r *Request) receiptOrZero() Receipt {
	if r == nil {
		return Receipt{}
	}
	return r.Receipt
}

// take takes n tokens if they are there.
func (b *bank) take(n int64, inTurn bool) {
	if !b.policy().Limits.Holds(n) {
		return
	}
	d := Demand{Tokens: n, Stay: NoStay, Mode: limiter.Immediate}
	var receipt Receipt
	if b.owned || inTurn {
		a := b.turn(Message{Kind: Ask, Demand: d})
		if a.Err != nil {
			return
		}
		receipt = a.Receipt
	} else {
		limit := &b.policy().Limits[0]
		fullAt := b.gate.fullAt.Load()
		if fullAt > limit.Latest(b.now, n, d.Mode) {
			return
		}
		receipt = Receipt{From: fullAt, To: limit.After(fullAt, b.now, n), Epoch: b.gate.Generation(), policy: b.policy()}
		b.gate.fullAt.Store(receipt.To)
	}
	b.held = append(b.held, hold{n, b.now, receipt, b.resets})
}

// giveBack gives hold i back, if that is possible.
func (b *bank) back(i int) error {
	h := b.held[i]
	b.held = slices.Delete(b.held, i, i+1)
	ruling := Undecided
	if !b.owned {
		ruling = b.gate.GiveBack(h.receipt)
	}
	if ruling == Undecided {
		ruling = Limited
		if a := b.turn(Message{Kind: GiveBack, Demand: Demand{Tokens: h.n}, Request: &Request{Receipt: h.receipt}}); a.Err == nil {
			ruling = Admitted
		}
	}
	if ruling == Limited {
		b.spent = append(b.spent, h)
		return nil
	}
	if h.epoch != b.resets {
		return errors.New("tokens from before a Reset came back after it")
	}
	return nil
}

// check compares the tokens that stayed taken with the bound of every window: those of a debit count at its instant.
func (b *bank) check() error {
	taken := append(slices.Clone(b.spent), b.held...)
	slices.SortFunc(taken, func(x, y hold) int { return int(x.at - y.at) })
	for from := range taken {
		var n int64
		for to := from; to < len(taken) && taken[to].epoch == taken[from].epoch; to++ {
			n += taken[to].n
			for i := range b.policy().Limits {
				l := b.policy().Limits[i]
				if length := taken[to].at - taken[from].at; (n-int64(l.Capacity()))*int64(l.Interval()) > length {
					return fmt.Errorf("%d tokens in %d ns, of %d and one every %v", n, length, l.Capacity(), l.Interval())
				}
			}
		}
	}
	return nil
}

// TestGivingBackBreaksNoBound: however calls take tokens, keep them and give them back, in no window do more tokens stay taken than
// capacity and rate allow, and nothing is lost if the last debit is undone first.
func TestGivingBackBreaksNoBound(t *testing.T) {
	came, stayed := 0, 0
	n := cases(t, func(_ uint64, r *rand.Rand) error {
		b := newBank(t, r)
		for range 30 {
			switch r.IntN(8) {
			case 0, 1, 2:
				b.take(1+r.Int64N(int64(b.policy().Limits[0].Capacity())), r.IntN(3) == 0)
			case 3, 4:
				if len(b.held) > 0 {
					spent := len(b.spent)
					if err := b.back([]int{len(b.held) - 1, r.IntN(len(b.held))}[r.IntN(2)]); err != nil {
						return err
					}
					if len(b.spent) > spent {
						stayed++
					} else {
						came++
					}
				}
			case 5:
				if len(b.held) > 0 { // its function has begun
					b.spent, b.held = append(b.spent, b.held[0]), b.held[1:]
				}
			case 6:
				b.now += r.Int64N(100)
			default:
				if r.IntN(6) == 0 {
					b.turn(Message{Kind: Reset})
					b.resets++
				}
			}
			if err := b.check(); err != nil {
				return err
			}
		}
		return nil
	})
	if n >= 3000 {
		require.Greater(t, came, 3000)
		require.Greater(t, stayed, 500)
	}
}

// TestLastInFirstOutLosesNothing: debits that are undone in the opposite order all come back, in every kind of bucket.
func TestLastInFirstOutLosesNothing(t *testing.T) {
	cases(t, func(_ uint64, r *rand.Rand) error {
		b := newBank(t, r)
		for range r.IntN(4) {
			b.take(1, r.IntN(2) == 0)
			b.now += r.Int64N(50)
		}
		kept := len(b.held)
		b.spent, b.held = append(b.spent, b.held...), nil
		before := b.turnless()
		for range 1 + r.IntN(5) {
			b.take(1+r.Int64N(2), r.IntN(2) == 0)
		}
		for i := len(b.held) - 1; i >= 0; i-- {
			if err := b.back(i); err != nil {
				return err
			}
		}
		if len(b.spent) != kept || !slices.Equal(b.turnless(), before) {
			return fmt.Errorf("%d tokens stayed spent; full-ats %v, were %v", len(b.spent)-kept, b.turnless(), before)
		}
		return nil
	})
}

// turnless is the full-ats, of which those before now are as good as now.
func (b *bank) turnless() []int64 {
	fullAts := slices.Clone(b.state.fullAts)
	if fullAt := b.gate.FullAt(); fullAt >= 0 {
		fullAts = []int64{fullAt}
	}
	for i := range fullAts {
		fullAts[i] = max(fullAts[i], b.now)
	}
	return fullAts
}
