package engine_test

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// actInChain is act for a chain of key and a wide key.
func (s *schedule) actInChain(ctx context.Context, at int, key string) {
	k := engine.Chain(s.eng.Key(key), s.wide.Key("w"))
	act := s.rng.IntN(5)
	if act == 2 || act == 3 {
		// One at a time: of two calls that get their narrow tokens at one instant, the scheduler says which comes first to the
		// wide key.
		if s.chainWaits() {
			return
		}
		defer func() { s.chained = s.waiting[len(s.waiting)-1] }()
	}
	switch act {
	case 0:
		s.note("allow %d and wide: %v", at, k.AllowN(1+s.rng.IntN(2)))
	case 1:
		if fn := s.takes(); s.idle(key) {
			s.note("run %d and wide: %v", at, seen(k.NoWait().Run(ctx, fn)))
		}
	case 2:
		ctx, cancel := context.WithCancel(ctx)
		s.cancels = append(s.cancels, cancel)
		s.wait(func() error { return k.Run(ctx, succeed) })
	case 3:
		ctx, cancel := context.WithTimeout(ctx, time.Duration(1+s.rng.IntN(300))*time.Millisecond)
		s.cancels = append(s.cancels, cancel)
		s.wait(func() error { return k.Acquire(ctx) })
	default:
		if s.rng.IntN(4) == 0 {
			s.wide.Reset("w")
			return
		}
		ticket, err := k.NoWait().Admit(ctx)
		s.note("admit %d and wide: %v", at, seen(err))
		if err == nil {
			time.Sleep(time.Duration(s.rng.IntN(500))*time.Millisecond + 7)
			ticket.Done(s.outcome())
		}
	}
}

// chainWaits reports whether the last chain that may have had to wait has not returned.
func (s *schedule) chainWaits() bool { return s.chained != nil && len(s.chained) == 0 }
