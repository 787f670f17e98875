package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/retry"
)

// TestDelayTakesThePlaceOfTheBackoff: the waits are those of Delay, up to MaxDelay, and advice is a floor.
func TestDelayTakesThePlaceOfTheBackoff(t *testing.T) {
	waits := []time.Duration{3 * ms, 0, time.Minute, 2 * ms}
	var asked []int
	p := retry.Policy{MaxAttempts: 6, MaxDelay: time.Second, Delay: func(attempt int, err error) time.Duration {
		require.Equal(t, errBoom, err, "without wrappers")
		asked = append(asked, attempt)
		return waits[attempt-1]
	}}
	require.NoError(t, p.Validate())
	s := p.Schedule(0)
	for i, want := range []time.Duration{3 * ms, 0, time.Second, 7 * ms} {
		err := error(errBoom)
		if i == 3 {
			err = retry.After(errBoom, 7*ms)
		}
		delay, final, ok := s.Next(err, 0, noDeadline)
		require.True(t, ok)
		require.NoError(t, final)
		require.Equal(t, want, delay)
	}
	require.Equal(t, []int{1, 2, 3, 4}, asked)
}

// TestANegativeDelayEndsTheRetries with the error itself, as RetryIf does. Where no attempt is left, Delay is not asked.
func TestANegativeDelayEndsTheRetries(t *testing.T) {
	p := retry.Policy{MaxAttempts: 2, Delay: func(int, error) time.Duration { return -1 }}
	s := p.Schedule(0)
	_, final, ok := s.Next(retry.After(errBoom, ms), 0, noDeadline)
	require.False(t, ok)
	require.Equal(t, errBoom, final)

	for name, err := range map[string]error{"no attempt is left": errBoom, "too much advice": retry.After(errBoom, time.Minute)} {
		p := retry.Policy{MaxAttempts: 1, Delay: func(int, error) time.Duration { panic("asked") }}
		if err != errBoom {
			p.MaxAttempts = 9
		}
		s := p.Schedule(0)
		_, final, ok := s.Next(err, 0, noDeadline)
		require.False(t, ok, name)
		requireExhausted(t, final, 1, errBoom)
	}
	_, final, ok = (&s).Next(errors.New("other"), time.Hour, 0)
	require.False(t, ok)
	require.EqualError(t, final, "retry: gave up after 2 attempts: other")
}

// TestDelayHasBoundsToo: MaxElapsed and the deadline hold for its waits.
func TestDelayHasBoundsToo(t *testing.T) {
	p := retry.Policy{MaxElapsed: time.Second, Delay: func(int, error) time.Duration { return 500 * ms }}
	for _, row := range []struct {
		elapsed, remaining time.Duration
		want               bool
	}{{500 * ms, noDeadline, true}, {501 * ms, noDeadline, false}, {0, 501 * ms, true}, {0, 500 * ms, false}} {
		s := p.Schedule(0)
		_, _, ok := s.Next(errBoom, row.elapsed, row.remaining)
		require.Equal(t, row.want, ok, "%v %v", row.elapsed, row.remaining)
	}
}

// TestWhatDelayReplacesMustNotBeSet: one error for each field.
func TestWhatDelayReplacesMustNotBeSet(t *testing.T) {
	delay := func(int, error) time.Duration { return ms }
	p := retry.Policy{Delay: delay, BaseDelay: ms, Backoff: 1, Jitter: retry.EqualJitter, MaxDelay: time.Second}
	require.EqualError(t, p.Validate(), "retry: Policy.BaseDelay = 1ms: must not be set together with Delay\n"+
		"retry: Policy.Backoff = 1: must not be set together with Delay\n"+
		"retry: Policy.Jitter = "+retry.EqualJitter.String()+": must not be set together with Delay")
	require.NoError(t, retry.Policy{Delay: delay, MaxDelay: time.Second, MaxAttempts: 3, Seed: 1}.Validate())
}

// TestDoWaitsAsDelaySays, and returns the error of fn when Delay declines.
func TestDoWaitsAsDelaySays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, calls := time.Now(), 0
		p := retry.Policy{MaxAttempts: 9, Delay: func(attempt int, _ error) time.Duration {
			if attempt == 3 {
				return -1
			}
			return time.Duration(attempt) * time.Second
		}}
		_, err := retry.Do(t.Context(), p, func(context.Context) (int, error) { calls++; return 0, errBoom })
		require.Equal(t, errBoom, err)
		require.Equal(t, 3, calls)
		require.Equal(t, 3*time.Second, time.Since(began))
	})
}
