package engine_test

import (
	"context"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// FuzzMessages plays a sequence of calls, failures, cancellations, waits, resets and time on two
// engines at once: with gates, and with a message for every decision. Both engines give each answer
// at the same instant, both show the same of a key, and no call remains without an answer. The
// first three bytes are the configuration, and every two further bytes are a step.
func FuzzMessages(f *testing.F) {
	const (
		allow   = 0
		acquire = 1
		run     = 3
		fails   = 4
		admit   = 5
		done    = 6
		cancel  = 8
		reset   = 10
		pause   = 11
	)
	f.Add([]byte{0, 0, 0, allow, 0, allow, 0, acquire, 0, run, 0, pause, 9, fails, 0})
	f.Add([]byte{1, 1, 1, fails, 0, fails, 0, run, 0, pause, 250, run, 0, run, 0})            // a trip, a recovery
	f.Add([]byte{2, 1, 2, acquire, 1, acquire, 1, acquire, 0, cancel, 1, pause, 40, run, 0})  // a leaky bucket, a queue, a caller that leaves
	f.Add([]byte{3, 2, 0, admit, 0, admit, 0, done, 1, done, 0, done, 0, reset, 0, admit, 0}) // two limits, probes
	f.Add([]byte{0, 1, 0, run, 40, fails, 40, acquire, 41, pause, 200, pause, 200, run, 1})   // deadlines
	f.Add([]byte{4, 1, 0, fails, 0, fails, 0, admit, 0, pause, 255, done, 1, reset, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			in := input(data)
			p := newPair(t, &in)
			for range 12 {
				if len(in) < 2 {
					break
				}
				p.step(in.byte(), in.byte())
			}
			p.end()
		})
	})
}

// pair is two engines that are given the same calls.
type pair struct {
	t       *testing.T
	engines [2]*engine.Engine
	begun   time.Time
	calls   []*twin
	settled int // calls before this one have been answered and compared
	cancels []context.CancelFunc
}

// twin is a call that both engines have been given.
type twin struct {
	answered [2]atomic.Bool
	answers  [2]reply
	tickets  [2]*engine.Ticket
}

// reply is the answer to a call, and the instant of the answer.
type reply struct {
	reason       int
	after, since time.Duration
}

func newPair(t *testing.T, in *input) *pair {
	cfg := engine.Config{IdleAfter: time.Hour} // when a key is forgotten is not part of the contract
	shape, limit := in.byte(), in.byte()
	bucket := limiter.TokenBucket{Capacity: 1 + int(limit%4), RefillRate: limiter.Per(1+int64(limit/16), time.Second)}
	leaky := limiter.LeakyBucket{Capacity: 1 + int(limit/4%4), LeakRate: limiter.Per(1+int64(limit/16), time.Second)}
	cfg.Limiter = []limiter.Limiter{bucket, bucket, leaky, limiter.All(bucket, leaky), nil}[shape%5]
	wait := in.byte()
	if wait%4 > 0 {
		cfg.Breaker = &breaker.Policy{
			FailureThreshold: int(wait % 4), RecoveryTimeout: time.Second, HalfOpenProbes: 1 + int(wait/4%2), HalfOpenSuccesses: 1 + int(wait/8%2),
			ProbeTimeout: 2 * time.Second, ForgetAfter: 5 * time.Second, HalfOpenFailures: int(limit / 64 % 2),
			RecoveryJitter: 0.25 * float64(limit/128), Seed: 7,
		}
		if limit/32%2 > 0 {
			cfg.Breaker.MaxRecovery = 4 * time.Second
		}
	}
	cfg.MaxWait = []time.Duration{0, 0, time.Second, engine.NoWait}[wait/16%4]
	cfg.MaxQueue = int(wait / 64)
	p := &pair{t: t, begun: time.Now()}
	for i := range p.engines {
		cfg.Dispatch = engine.Dispatch(i)
		eng, err := engine.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p.engines[i] = eng
	}
	return p
}

// step makes the step that two bytes encode. When step returns, every consequence at this instant
// has happened.
func (p *pair) step(op, arg byte) {
	n := 1 + int(arg%2)
	switch op % 12 {
	case 0:
		if mailbox, published := p.engines[1].AllowN("k", n), p.engines[0].AllowN("k", n); published != mailbox {
			p.t.Fatalf("AllowN: published %t, mailbox %t", published, mailbox)
		}
	case 1, 2:
		p.call(func(ctx context.Context, i int, _ *twin) error { return p.engines[i].AcquireN(ctx, "k", n) }, arg/2)
	case 3:
		p.call(func(ctx context.Context, i int, _ *twin) error { return p.engines[i].Run(ctx, "k", succeed) }, arg/2)
	case 4: // at once or not at all: of two that are granted together, either may report first, and a failure and a success do not commute
		p.call(func(ctx context.Context, i int, _ *twin) error { return p.engines[i].Run(ctx, "k", fail) }, 1)
	case 5:
		p.call(func(ctx context.Context, i int, c *twin) (err error) {
			c.tickets[i], err = p.engines[i].Admit(ctx, "k")
			return err
		}, arg/2)
	case 6, 7: // the end of a ticket, which may be back already
		if c := p.pick(arg / 2); c != nil && c.tickets[0] != nil && c.tickets[1] != nil {
			for _, ticket := range c.tickets {
				ticket.Done([]error{nil, errDown}[arg%2])
			}
		}
	case 8, 9:
		if len(p.cancels) > 0 {
			p.cancels[int(arg)%len(p.cancels)]()
		}
	case 10:
		for _, eng := range p.engines {
			eng.Reset("k")
		}
	default:
		time.Sleep(time.Duration(arg) * time.Duration(arg) * 100 * time.Microsecond) // to 6.5 s
	}
	synctest.Wait()
	p.compareAnswers()
	if op%12 >= 10 {
		p.compareStates()
	}
}

// pick returns a call, or nil if there is none.
func (p *pair) pick(arg byte) *twin {
	if len(p.calls) == 0 {
		return nil
	}
	return p.calls[len(p.calls)-1-int(arg)%len(p.calls)]
}

// call makes a call of both engines. If patience is not 0, the call has a deadline: 1 ns from now,
// and 16 ms for each further unit of patience.
func (p *pair) call(f func(ctx context.Context, i int, c *twin) error, patience byte) {
	ctx, cancel := context.WithCancel(p.t.Context())
	if patience > 0 {
		ctx, cancel = context.WithTimeout(p.t.Context(), time.Nanosecond+time.Duration(patience-1)*16*time.Millisecond)
	}
	p.cancels = append(p.cancels, cancel)
	c := &twin{}
	p.calls = append(p.calls, c)
	for i := range p.engines {
		go func() { // ends with the call, for which p.end waits
			answer := seen(f(ctx, i, c))
			c.answers[i] = reply{answer.reason, answer.after, time.Since(p.begun)}
			c.answered[i].Store(true)
		}()
	}
}

// compareAnswers requires that the two have answered the same calls, alike and at the same instant.
func (p *pair) compareAnswers() {
	for i, c := range p.calls[p.settled:] {
		published, mailbox := c.answered[0].Load(), c.answered[1].Load()
		if published != mailbox || published && c.answers[0] != c.answers[1] {
			p.t.Fatalf("call %d: published %t %+v, mailbox %t %+v", p.settled+i, published, c.answers[0], mailbox, c.answers[1])
		}
	}
	for p.settled < len(p.calls) && p.calls[p.settled].answered[0].Load() {
		p.settled++
	}
}

// compareStates requires that the two show the same of the key.
func (p *pair) compareStates() {
	published, _ := p.engines[0].Inspect("k")
	mailbox, _ := p.engines[1].Inspect("k")
	if !reflect.DeepEqual(published, mailbox) {
		p.t.Fatalf("published %+v, mailbox %+v", published, mailbox)
	}
}

// end lets time pass until all that wait have been served, and closes the engines.
func (p *pair) end() {
	p.compareStates()
	time.Sleep(time.Minute)
	synctest.Wait()
	p.compareAnswers()
	p.compareStates()
	if p.settled != len(p.calls) {
		p.t.Fatalf("%d of %d calls have an answer", p.settled, len(p.calls))
	}
	for _, cancel := range p.cancels {
		cancel()
	}
	for _, eng := range p.engines {
		if err := eng.Close(context.Background()); err != nil {
			p.t.Fatal(err)
		}
	}
}
