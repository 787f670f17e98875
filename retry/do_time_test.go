package retry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/limitpal/limitpal-go/retry"
)

// slowly is steady with a RetryIf that takes d.
func slowly(d time.Duration) retry.Policy {
	p := steady
	p.RetryIf = func(error) bool { time.Sleep(d); return true }
	return p
}

// TestTheTimeThatRetryIfTakesCounts: an attempt that could not begin in time is not waited for, whatever has used the time up.
func TestTheTimeThatRetryIfTakesCounts(t *testing.T) {
	for name, tc := range map[string]struct {
		asked, elapsed, timeout time.Duration // of RetryIf; MaxElapsed; of ctx
		attempts                int
		took                    time.Duration
	}{
		"MaxElapsed":           {2 * time.Second, 2500 * ms, time.Hour, 1, 2 * time.Second},
		"exactly MaxElapsed":   {2 * time.Second, 3 * time.Second, time.Hour, 2, 5 * time.Second},
		"deadline":             {2 * time.Second, time.Hour, 2500 * ms, 1, 2 * time.Second},
		"exactly the deadline": {2 * time.Second, time.Hour, 3 * time.Second, 1, 2 * time.Second},
		"ended in RetryIf":     {2 * time.Second, time.Hour, time.Second, 1, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tc.timeout)
				defer cancel()
				p := slowly(tc.asked)
				p.MaxElapsed = tc.elapsed
				fn, calls := failing(99, errBoom)
				began := time.Now()
				_, err := retry.Do(ctx, p, fn)
				requireExhausted(t, err, tc.attempts, errBoom)
				assert.Equal(t, tc.attempts, *calls)
				assert.Equal(t, tc.took, time.Since(began))
			})
		})
	}
}

func TestACallerWhoLeavesWhileRetryIfIsAskedWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := steady
		p.RetryIf = func(error) bool { cancel(); return true }
		fn, calls := failing(99, errBoom)
		began := time.Now()
		_, err := retry.Do(ctx, p, fn)
		assert.Equal(t, 1, *calls)
		assert.ErrorIs(t, err, errBoom)
		assert.Zero(t, time.Since(began))
	})
}

// late is a context that tells a deadline and does not end by itself, as if its timer had not run yet. From the end of the first backoff
// on its Err takes a second, which stands for a process that was kept from waking in time.
type late struct {
	context.Context
	began    time.Time
	deadline time.Duration // after began
}

func (l late) Deadline() (time.Time, bool) { return l.began.Add(l.deadline), true }

func (l late) Err() error {
	if time.Since(l.began) >= time.Second {
		time.Sleep(time.Second)
	}
	return nil
}

// TestATimerThatIsLateBeginsNoAttemptTooLate, though the schedule had found the time when it began to wait.
func TestATimerThatIsLateBeginsNoAttemptTooLate(t *testing.T) {
	for name, tc := range map[string]struct{ elapsed, deadline time.Duration }{
		"MaxElapsed": {1500 * ms, time.Hour},
		"deadline":   {time.Hour, 1500 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := steady
				p.MaxElapsed = tc.elapsed
				fn, calls := failing(99, errBoom)
				_, err := retry.Do(late{t.Context(), time.Now(), tc.deadline}, p, fn)
				requireExhausted(t, err, 1, errBoom)
				assert.Equal(t, 1, *calls)
			})
		})
	}
}

// TestAClockOfAnotherYearWedgesNoSchedule: what it says of elapsed time, and of the time that is left, saturates.
func TestAClockOfAnotherYearWedgesNoSchedule(t *testing.T) {
	p := retry.Policy{MaxAttempts: 4, BaseDelay: time.Second, Jitter: retry.NoJitter, MaxElapsed: time.Minute}
	year1, year2026 := time.Time{}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := p.Schedule(0)
	delay, _, ok := s.Next(errBoom, year1.Sub(year2026), noDeadline) // it ran back
	assert.True(t, ok)
	assert.Equal(t, time.Second, delay)
	delay, _, ok = s.Next(errBoom, time.Second, year2026.Sub(year1)) // a deadline two thousand years off
	assert.True(t, ok)
	assert.Equal(t, 2*time.Second, delay)
	_, final, ok := s.Next(errBoom, year2026.Sub(year1), noDeadline) // it jumped: MaxElapsed is over
	assert.False(t, ok)
	requireExhausted(t, final, 3, errBoom)
}
