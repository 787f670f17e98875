package engine_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

var schedulesFlag = flag.Int("engine.schedules", 1500, "how many random schedules both dispatches have to answer alike")

// TestBothDispatchesGiveTheSameAnswers runs the same random schedules of calls, failures,
// cancellations, waits, resets, time and evictions through two engines: with gates, and with a
// message for every decision. The test compares every decision, every RetryAfter, every state and every
// window. A million schedules:
//
//	go test ./engine -run BothDispatches -engine.schedules 1000000 -timeout 30m
func TestBothDispatchesGiveTheSameAnswers(t *testing.T) {
	seed := random(t).Uint64()
	var compared, differences atomic.Int64
	t.Cleanup(func() { // the workers are parallel tests: this comes after them
		t.Attr("schedules", strconv.FormatInt(compared.Load(), 10))
		t.Attr("differences", strconv.FormatInt(differences.Load(), 10))
	})
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		t.Run(fmt.Sprint("worker ", w), func(t *testing.T) {
			t.Parallel()
			const together = 250 // schedules in one bubble
			rng := rand.New(rand.NewPCG(seed, uint64(w)))
			for left := (*schedulesFlag + workers - 1) / workers; left > 0; left -= together {
				seeds := make([]uint64, min(left, together))
				for i := range seeds {
					seeds[i] = rng.Uint64()
				}
				published, mailbox := sums(t, seeds, engine.Published), sums(t, seeds, engine.Mailbox)
				compared.Add(int64(len(seeds)))
				for i := range seeds {
					if published[i] != mailbox[i] {
						differences.Add(1)
						explain(t, seeds[i])
					}
				}
			}
		})
	}
}

// TestSchedulesThatDiffered: a chain that waited at its narrow key was refused in shadow by its wide key, although there would have been
// room by then; the success of a ticket was not counted after a change that began a window.
func TestSchedulesThatDiffered(t *testing.T) {
	seeds := []uint64{3773510418253248645, 15709047166069296398}
	require.Equal(t, sums(t, seeds, engine.Mailbox), sums(t, seeds, engine.Published))
}

// sums returns the journal's sum of each schedule.
func sums(t *testing.T, seeds []uint64, d engine.Dispatch) (sums []uint64) {
	synctest.Test(t, func(t *testing.T) {
		for _, seed := range seeds {
			j := journal{}
			play(t, seed, d, &j)
			sums = append(sums, j.sum)
		}
	})
	return sums
}

// explain fails the test with the first difference of a schedule.
func explain(t *testing.T, seed uint64) {
	t.Helper()
	var published, mailbox journal
	for d, j := range map[engine.Dispatch]*journal{engine.Published: &published, engine.Mailbox: &mailbox} {
		j.written = true
		synctest.Test(t, func(t *testing.T) { play(t, seed, d, j) })
	}
	for i := range min(len(published.lines), len(mailbox.lines)) {
		require.Equal(t, mailbox.lines[i], published.lines[i], "schedule %d, step %d; before it: %v", seed, i, published.lines[max(0, i-12):i])
	}
	t.Fatalf("schedule %d: one of them goes on, or did so the first time:\n%v\n%v", seed, published.lines, mailbox.lines)
}

// play runs a schedule.
func play(t *testing.T, seed uint64, d engine.Dispatch, j *journal) {
	rng := rand.New(rand.NewPCG(seed, 1))
	cfg, full := randomConfig(rng, d, time.Second)
	places := rand.New(rand.NewPCG(seed, 2))
	randomPlaces(places, &cfg)
	eng, err := engine.New(cfg)
	require.NoError(t, err)
	// A turn at the wide key never comes at the instant of another turn or step: else the scheduler would say which comes first.
	wideCfg, wideFull := randomConfig(rng, d, widePeriod)
	wideCfg.PerCall = rng.IntN(4) == 0
	if rng.IntN(2) == 0 {
		wideCfg.Retry = &retry.Policy{MaxAttempts: 2, BaseDelay: 30*time.Millisecond + 7, Jitter: retry.NoJitter}
	}
	randomPlaces(places, &wideCfg)
	wide, err := engine.New(wideCfg)
	require.NoError(t, err)
	s := &schedule{
		rng: rng, places: places, journal: j,
		eng:    &scheduled{Engine: eng, per: time.Second, full: full},
		wide:   &scheduled{Engine: wide, per: widePeriod, full: wideFull},
		evicts: cfg.IdleAfter < time.Minute || wideCfg.IdleAfter < time.Minute,
	}
	for range 40 {
		s.step(t.Context())
	}
	for _, ticket := range s.tickets {
		ticket.Done(nil)
		synctest.Wait()
	}
	eng.ResetAll()
	synctest.Wait() // a chain that waited goes on to its wide key now, and not beside the next reset
	wide.ResetAll()
	time.Sleep(3 * time.Minute) // every waiter is served
	synctest.Wait()
	for i, answer := range s.waiting {
		j.note("waiter %d: %v", i, seen(<-answer))
	}
	for _, cancel := range s.cancels {
		cancel()
	}
	j.note("%d and %d kept spent", int(eng.Stats().KeptSpent), int(wide.Stats().KeptSpent)) //nolint:gosec // few
	require.NoError(t, eng.Close(context.Background()))
	require.NoError(t, wide.Close(context.Background()))
}

// schedule is a run of random steps by one goroutine. Before the next step, all consequences of a
// step have happened.
type schedule struct {
	*journal
	rng     *rand.Rand
	places  *rand.Rand // for bounds on calls in flight
	eng     *scheduled
	wide    *scheduled // of key "w", through which chains go
	evicts  bool       // keys are forgotten in the time that a schedule takes
	tickets []*engine.Ticket
	waiting []<-chan error
	chained <-chan error // of the last chain that may have to wait
	cancels []context.CancelFunc
}

// widePeriod is the period of the wide key's rates.
const widePeriod = time.Second + 10007

// scheduleKeys are two: while a schedule uses one key, the other key may be left alone and be
// evicted.
var scheduleKeys = [...]string{"a", "b"}

// step acts once, lets time pass, and notes the state of the key.
func (s *schedule) step(ctx context.Context) {
	at := s.rng.IntN(len(scheduleKeys))
	key := scheduleKeys[at]
	s.act(ctx, at, key)
	s.pass()
	snapshot, known := s.eng.Inspect(key)
	s.state(at, snapshot, known, s.eng.fullOf(key))
	snapshot, known = s.wide.Inspect("w")
	s.state(len(scheduleKeys), snapshot, known, s.wide.fullOf("w"))
}

// act makes a call of key, which is number at of scheduleKeys, or ends or resets an earlier call.
func (s *schedule) act(ctx context.Context, at int, key string) {
	switch s.rng.IntN(20) {
	case 16, 17, 18, 19:
		s.actInChain(ctx, at, key)
	case 0, 1:
		n := 1 + s.rng.IntN(3)
		s.note("allow %d of %d: %v", n, at, s.eng.AllowN(key, n))
	case 2, 3, 4:
		if fn := s.takes(); s.idle(key) {
			s.note("run %d: %v", at, seen(s.eng.Run(ctx, key, fn)))
		}
	case 5, 6:
		n := 1 + s.rng.IntN(2)
		ctx, cancel := context.WithCancel(ctx)
		s.cancels = append(s.cancels, cancel)
		s.wait(func() error { return s.eng.AcquireN(ctx, key, n) })
	case 7:
		ctx, cancel := context.WithTimeout(ctx, time.Duration(1+s.rng.IntN(300))*time.Millisecond)
		s.cancels = append(s.cancels, cancel)
		s.wait(func() error { return s.eng.Run(ctx, key, succeed) })
	case 8:
		if s.idle(key) {
			s.admit(ctx, at, key)
		}
	case 9:
		if len(s.tickets) > 0 {
			s.tickets[s.rng.IntN(len(s.tickets))].Done(s.outcome())
		}
	case 10:
		if len(s.cancels) > 0 {
			s.cancels[s.rng.IntN(len(s.cancels))]()
		}
	case 11, 12:
		if fn, depth := s.takes(), 1+s.rng.IntN(2); s.idle(key) {
			deep := nested(s.eng.Engine, key, depth, fn)
			s.note("run %d, %d deep: %v", at, depth, seen(s.eng.Run(ctx, key, deep)))
		}
	case 13:
		within := time.Duration(1+s.rng.IntN(300)) * time.Millisecond
		s.wait(func() error { return s.eng.Key(key).Within(within).Run(ctx, succeed) })
	case 14:
		s.note("%d without waiting: %v", at, seen(s.eng.Key(key).NoWait().Acquire(ctx)))
	default:
		s.renew(key)
	}
}

// admit asks for a ticket, and keeps the ticket for a later step if no key is evicted.
func (s *schedule) admit(ctx context.Context, at int, key string) {
	ticket, err := s.eng.Admit(ctx, key)
	s.note("admit %d: %v", at, seen(err))
	switch {
	case err != nil:
	case s.evicts:
		// The contract does not say when a key is forgotten. So the contract does not say
		// either whether a result counts that comes later.
		time.Sleep(time.Duration(s.rng.IntN(500)) * time.Millisecond)
		ticket.Done(s.outcome())
	default:
		s.tickets = append(s.tickets, ticket)
	}
}

// wait makes a call that may have to wait; play notes the call's answer at the end.
func (s *schedule) wait(call func() error) {
	s.waiting = append(s.waiting, inBackground(call))
}

// outcome returns the error of a function, nil or errDown.
func (s *schedule) outcome() error { return []error{nil, errDown}[s.rng.IntN(2)] }

// pass lets time pass. Before and after, every consequence of the step has happened.
func (s *schedule) pass() {
	synctest.Wait()
	pause := time.Duration(s.rng.IntN(4)) * time.Duration(s.rng.IntN(200)) * time.Millisecond
	if s.rng.IntN(20) == 0 {
		pause *= 20 // long enough to be evicted, and for a breaker to forget
	}
	time.Sleep(pause)
	synctest.Wait()
}

// idle reports whether the queue of key is empty, so that a call of this goroutine would not wait
// long.
func (s *schedule) idle(key string) bool {
	snapshot, _ := s.eng.Inspect(key)
	return snapshot.Waiting == 0
}
