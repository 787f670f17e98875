package conformance

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// LimitSchedule compares a limiter, call by call, with the algorithm that it documents, over a random schedule of calls of
// two keys. It sleeps.
func LimitSchedule(c contender.Contender, seed uint64) []string {
	const calls = 3000
	rng := rand.New(rand.NewPCG(seed, 1))
	s := settings()
	s.Capacity = 1 + rng.IntN(12)
	s.Interval = 10 * time.Millisecond
	return with(c, s, func(f *faults, g contender.Guard, keys []contender.Key) {
		begin := time.Now()
		models := []limit{newLimit(c.Algorithm, s), newLimit(c.Algorithm, s)}
		for i := range calls {
			// Instants are random to the nanosecond, so that no call falls on the very instant of a token.
			time.Sleep(pause(rng, s.Interval))
			k := rng.IntN(len(models))
			want, until := models[k].admit(time.Since(begin))
			if got := g.Allow(keys[k]); got != want {
				f.add("capacity %d, %v per token, seed %d: call %d, at %v, admitted: %v", s.Capacity, s.Interval, seed, i+1,
					time.Since(begin), got)
				return
			}
			if now := time.Since(begin); want && now != until {
				f.add("capacity %d, seed %d: call %d went at %v instead of %v", s.Capacity, seed, i+1, now, until)
				return
			}
		}
	})
}

// pause is mostly a small part of interval, so that bursts empty any bucket; at times some intervals, and now and then long
// enough to fill it again.
func pause(rng *rand.Rand, interval time.Duration) time.Duration {
	switch rng.IntN(80) {
	case 0:
		return time.Duration(rng.Int64N(int64(40 * interval)))
	case 1, 2, 3:
		return time.Duration(rng.Int64N(int64(4 * interval)))
	default:
		return time.Duration(rng.Int64N(int64(interval / 8)))
	}
}

// limit is a documented algorithm, for one key: whether a call at an instant goes, and when.
type limit interface {
	admit(now time.Duration) (ok bool, until time.Duration)
}

func newLimit(a contender.Algorithm, s contender.Settings) limit {
	switch a {
	case contender.Window:
		return &windowLimit{capacity: s.Capacity, length: time.Duration(s.Capacity) * s.Interval}
	case contender.Pacer:
		return &pacerLimit{interval: s.Interval, slack: time.Duration(s.Capacity-1) * s.Interval}
	default:
		return &bucketLimit{capacity: s.Capacity, interval: s.Interval}
	}
}

// bucketLimit counts tokens, unlike the contenders, which keep an instant.
type bucketLimit struct {
	capacity int
	interval time.Duration
	missing  int           // tokens
	next     time.Duration // the instant at which the next of them comes back
}

func (b *bucketLimit) admit(now time.Duration) (bool, time.Duration) {
	for b.missing > 0 && b.next <= now {
		b.missing--
		b.next += b.interval
	}
	if b.missing == b.capacity {
		return false, now
	}
	if b.missing == 0 {
		b.next = now + b.interval
	}
	b.missing++
	return true, now
}

type windowLimit struct {
	capacity int
	length   time.Duration
	begun    bool
	first    time.Duration // the instant of the first call
	window   time.Duration // number of the present one
	used     int
}

func (w *windowLimit) admit(now time.Duration) (bool, time.Duration) {
	if !w.begun {
		w.begun, w.first = true, now
	}
	if window := (now - w.first) / w.length; window > w.window {
		w.window, w.used = window, 0
	}
	if w.used == w.capacity {
		return false, now
	}
	w.used++
	return true, now
}

type pacerLimit struct {
	interval time.Duration
	slack    time.Duration
	begun    bool
	last     time.Duration // the place in the pace that was given out last
}

func (p *pacerLimit) admit(now time.Duration) (bool, time.Duration) {
	if !p.begun {
		p.begun, p.last = true, now
		return true, now
	}
	p.last = max(p.last+p.interval, now-p.slack)
	return true, max(now, p.last)
}

// BreakerSchedule compares a breaker, call by call, with one that opens at five failures in a row, lets one probe through
// after the recovery timeout, and closes or opens again as the probe ends. It sleeps.
func BreakerSchedule(c contender.Contender, seed uint64) []string {
	const calls = 2000
	rng := rand.New(rand.NewPCG(seed, 2))
	s := settings()
	return with(c, s, func(f *faults, g contender.Guard, keys []contender.Key) {
		begin := time.Now()
		var failures, probes int
		var opens time.Duration // 0: closed
		for i := range calls {
			time.Sleep(time.Duration(rng.Int64N(int64(time.Second))))
			now := time.Since(begin)
			admitted := opens == 0 || now >= opens
			fails := rng.IntN(3) > 0
			var ran bool
			var second error // of a second call while the first runs
			err := g.Run(background, keys[0], func(context.Context) error {
				ran = true
				if opens > 0 {
					second = g.Run(background, keys[0], succeed)
				}
				if fails {
					return errFailed
				}
				return nil
			})
			switch {
			case ran != admitted:
				f.add("breaker, seed %d: call %d, at %v, ran: %v", seed, i+1, now, ran)
				return
			case !ran && !refusedOpen(c, err):
				f.add("breaker, seed %d: call %d, at %v, gave %v", seed, i+1, now, err)
				return
			case ran && opens > 0 && !refusedOpen(c, second):
				f.add("breaker, seed %d: a call beside the probe of call %d gave %v", seed, i+1, second)
				return
			case !ran:
				continue
			}
			if opens > 0 {
				probes++
			}
			switch {
			case !fails:
				failures, opens = 0, 0
			case opens > 0 || failures+1 == s.FailureThreshold:
				failures, opens = 0, now+s.RecoveryTimeout
			default:
				failures++
			}
		}
		if probes < 20 {
			f.add("breaker, seed %d: the schedule had only %d probes", seed, probes)
		}
	})
}

// Retrying checks that Run makes as many attempts as it was told, waits between them, stops at the first success, and does
// not try a refusal again. It sleeps, and is for those that retry.
func Retrying(c contender.Contender) []string {
	s := settings()
	s.Capacity, s.Attempts, s.FailureThreshold = 10, 4, 8
	return with(c, s, func(f *faults, g contender.Guard, keys []contender.Key) {
		attempts := 0
		begin := time.Now()
		err := g.Run(background, keys[0], func(context.Context) error { attempts++; return errFailed })
		if took := time.Since(begin); attempts != 4 || took != 7*time.Millisecond || !errors.Is(err, errFailed) {
			f.add("retry: %d attempts in %v gave %v, instead of 4 in 7ms", attempts, took, err)
		}
		attempts = 0
		err = g.Run(background, keys[0], func(context.Context) error {
			if attempts++; attempts < 3 {
				return errFailed
			}
			return nil
		})
		if attempts != 3 || err != nil {
			f.add("retry: a call that succeeds at the third attempt gave %v after %d", err, attempts)
		}
		for range 3 { // 7 of 10 tokens are gone
			_ = g.Run(background, keys[0], succeed)
		}
		begin = time.Now()
		if err := g.Run(background, keys[0], succeed); !errors.Is(err, c.Limited) || time.Since(begin) != 0 {
			f.add("retry: an attempt more than the bucket holds gave %v after %v", err, time.Since(begin))
		}
		for range 2 {
			_ = g.Run(background, keys[1], fail)
		}
		begin = time.Now()
		if err := g.Run(background, keys[1], fail); !refusedOpen(c, err) || time.Since(begin) != 0 {
			f.add("retry: after eight failed attempts a call gave %v after %v", err, time.Since(begin))
		}
	})
}

// Waiting checks that Wait returns at the instant of the token and no sooner. It sleeps, and is for those that wait.
func Waiting(c contender.Contender) []string {
	s := settings()
	s.Capacity, s.Interval, s.Queue = 3, 10*time.Millisecond, true
	return with(c, s, func(f *faults, g contender.Guard, keys []contender.Key) {
		begin := time.Now()
		var due time.Duration
		for i := range 12 {
			switch c.Algorithm {
			case contender.TokenBucket:
				due = max(0, time.Duration(i-2)*s.Interval)
			case contender.Window:
				due = time.Duration(i/3) * 3 * s.Interval
			case contender.Pacer:
				due = time.Duration(i) * s.Interval
			}
			if err := g.Wait(background, keys[0]); err != nil {
				f.add("wait: %v", err)
			}
			// x/time/rate counts in floating point, so that a wait may end some nanoseconds off.
			if at := time.Since(begin); (at - due).Abs() > time.Microsecond {
				f.add("wait: grant %d at %v instead of %v", i+1, at, due)
			}
		}
	})
}
