package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestBothDispatchesGiveTheSameAnswers runs the same random schedules through an engine with published gates and through one
// where every decision is a message, and compares every decision, every RetryAfter and every snapshot.
func TestBothDispatchesGiveTheSameAnswers(t *testing.T) {
	rng := random(t)
	for range 1500 {
		seed := rng.Uint64()
		published := transcript(t, seed, engine.Published)
		mailbox := transcript(t, seed, engine.Mailbox)
		for i := range min(len(published), len(mailbox)) {
			require.Equal(t, mailbox[i], published[i], "schedule %d, step %d; before it: %v", seed, i, published[max(0, i-8):i])
		}
		require.Len(t, published, len(mailbox))
	}
}

// transcript runs one schedule and returns what happened.
func transcript(t *testing.T, seed uint64, d engine.Dispatch) (lines []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := &schedule{rng: rng, eng: start(t, randomConfig(rng, d)), note: func(format string, args ...any) {
			lines = append(lines, fmt.Sprintf(format, args...))
		}}
		for range 40 {
			s.step(t)
		}
		for _, ticket := range s.tickets {
			ticket.Done(nil)
		}
		s.eng.ResetAll()
		time.Sleep(time.Hour) // whoever still waits is served
		synctest.Wait()
		for i := range s.waiting {
			s.note("waiter %d: %s", i, outcome(<-s.waiting[i]))
		}
	})
	return lines
}

func randomConfig(rng *rand.Rand, d engine.Dispatch) engine.Config {
	cfg := engine.Config{Dispatch: d, IdleAfter: 24 * time.Hour}
	bucket := limiter.TokenBucket{Capacity: 1 + rng.IntN(5), RefillRate: limiter.Per(int64(1+rng.IntN(20)), time.Second)}
	switch rng.IntN(6) {
	case 0:
		cfg.Limiter = limiter.LeakyBucket{Capacity: 1 + rng.IntN(5), LeakRate: limiter.Per(int64(1+rng.IntN(20)), time.Second)}
	case 1:
		cfg.Limiter = limiter.All(bucket, limiter.LeakyBucket{Capacity: 3, LeakRate: limiter.PerSecond(7)})
	case 2: // none
	default:
		cfg.Limiter = bucket
	}
	if rng.IntN(4) > 0 {
		cfg.Breaker = &breaker.Policy{
			FailureThreshold: 1 + rng.IntN(3), RecoveryTimeout: time.Second, HalfOpenProbes: 1 + rng.IntN(2),
			HalfOpenSuccesses: 1 + rng.IntN(2), ProbeTimeout: 2 * time.Second, ForgetAfter: 5 * time.Second,
		}
	}
	switch rng.IntN(3) {
	case 0:
		cfg.MaxWait = engine.NoWait
	case 1:
		cfg.MaxWait, cfg.MaxQueue = time.Second, 2
	}
	return cfg
}

// schedule is a run of random steps; one goroutine makes them, and each has had all its consequences before the next.
type schedule struct {
	rng     *rand.Rand
	eng     *engine.Engine
	note    func(string, ...any)
	tickets []*engine.Ticket
	waiting []<-chan error
	cancels []context.CancelFunc
}

func (s *schedule) step(t *testing.T) {
	key := fmt.Sprint("k", s.rng.IntN(2))
	switch s.rng.IntN(12) {
	case 0, 1:
		n := 1 + s.rng.IntN(3)
		s.note("allow %s %d: %v", key, n, s.eng.AllowN(key, n))
	case 2, 3, 4:
		err := []error{nil, errDown}[s.rng.IntN(2)]
		if s.idle(key) {
			s.note("run %s: %s", key, outcome(s.eng.Run(t.Context(), key, func(context.Context) error { return err })))
		}
	case 5, 6:
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		n := 1 + s.rng.IntN(2)
		s.cancels = append(s.cancels, cancel)
		s.waiting = append(s.waiting, inBackground(func() error { return s.eng.AcquireN(ctx, key, n) }))
	case 7:
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+s.rng.IntN(300))*time.Millisecond)
		t.Cleanup(cancel)
		s.waiting = append(s.waiting, inBackground(func() error { return s.eng.Run(ctx, key, succeed) }))
	case 8:
		if s.idle(key) {
			ticket, err := s.eng.Admit(t.Context(), key)
			s.note("admit %s: %s", key, outcome(err))
			if err == nil {
				s.tickets = append(s.tickets, ticket)
			}
		}
	case 9:
		if len(s.tickets) > 0 {
			s.tickets[s.rng.IntN(len(s.tickets))].Done([]error{nil, errDown}[s.rng.IntN(2)])
		}
	case 10:
		if len(s.cancels) > 0 {
			s.cancels[s.rng.IntN(len(s.cancels))]()
		}
	default:
		if s.rng.IntN(6) == 0 {
			s.eng.Reset(key)
		}
	}
	synctest.Wait()
	time.Sleep(time.Duration(s.rng.IntN(4)) * time.Duration(s.rng.IntN(200)) * time.Millisecond)
	synctest.Wait()
	snapshot, known := s.eng.Inspect(key)
	s.note("%s: %v %+v", key, known, snapshot)
}

// idle reports whether nobody waits for key, so that a call of this goroutine would not wait behind others for long.
func (s *schedule) idle(key string) bool {
	snapshot, _ := s.eng.Inspect(key)
	return snapshot.Waiting == 0
}

// outcome is err in a form that can be compared.
func outcome(err error) string {
	if r, ok := errors.AsType[*engine.Rejection](err); ok {
		return fmt.Sprintf("%v after %d", err, r.RetryAfter())
	}
	return fmt.Sprint(err)
}
