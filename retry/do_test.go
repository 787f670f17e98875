package retry_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/retry"
)

// steady waits 1 s, 2 s, 4 s, 5 s, 5 s ... between ten attempts.
var steady = retry.Policy{MaxAttempts: 10, BaseDelay: time.Second, Jitter: retry.NoJitter}

// failing returns an fn that fails with err until it has been called n times,
// then succeeds; its value is the number of the call.
func failing(n int, err error) (fn func(context.Context) (int, error), calls *int) {
	calls = new(int)
	return func(context.Context) (int, error) {
		*calls++
		if *calls > n {
			return *calls, nil
		}
		return *calls, err
	}, calls
}

func TestDoReturnsTheFirstSuccess(t *testing.T) {
	for failures, want := range []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 12 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			fn, calls := failing(failures, errBoom)
			began := time.Now()
			value, err := retry.Do(t.Context(), steady, fn)
			require.NoError(t, err)
			assert.Equal(t, failures+1, value)
			assert.Equal(t, failures+1, *calls)
			assert.Equal(t, want, time.Since(began))
		})
	}
}

func TestDoNeverSleepsAfterTheLastFailure(t *testing.T) {
	for attempts, want := range map[int]time.Duration{1: 0, 2: time.Second, 3: 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p := steady
			p.MaxAttempts = attempts
			fn, calls := failing(99, errBoom)
			began := time.Now()
			value, err := retry.Do(t.Context(), p, fn)
			requireExhausted(t, err, attempts, errBoom)
			assert.Equal(t, attempts, *calls)
			assert.Equal(t, attempts, value, "the value of the last attempt comes with the error")
			assert.Equal(t, want, time.Since(began))
		})
	}
}

func TestDoHandsItsContextToFn(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "here")
	value, err := retry.Do(ctx, retry.Policy{}, func(ctx context.Context) (any, error) { return ctx.Value(key{}), nil })
	require.NoError(t, err)
	assert.Equal(t, "here", value)
}

// R4: what must not be retried is not, and what must be is.
func TestR4DoRetriesOnlyWhatIsWorthIt(t *testing.T) {
	picky := steady
	picky.RetryIf = func(err error) bool { return !errors.Is(err, errBoom) }
	for name, tc := range map[string]struct {
		policy    retry.Policy
		err, want error // want nil: retried until it succeeds
	}{
		"ordinary error":             {steady, errBoom, nil},
		"advised error":              {steady, retry.After(errBoom, 2*time.Second), nil},
		"timeout while ctx lives":    {steady, context.DeadlineExceeded, nil},
		"cancelled while ctx lives":  {steady, context.Canceled, nil},
		"permanent error":            {steady, retry.Permanent(errBoom), errBoom},
		"RetryIf false":              {picky, errBoom, errBoom},
		"RetryIf false under advice": {picky, retry.After(errBoom, 1), errBoom},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fn, calls := failing(1, tc.err)
				began := time.Now()
				_, err := retry.Do(t.Context(), tc.policy, fn)
				require.True(t, err == tc.want, "%v", err)
				if tc.want != nil {
					assert.Equal(t, 1, *calls)
					assert.Zero(t, time.Since(began))
					return
				}
				assert.Equal(t, 2, *calls)
			})
		})
	}
}

func TestR4PanicOfFnPassesThroughUntouched(t *testing.T) {
	calls := 0
	assert.PanicsWithValue(t, errBoom, func() {
		_, _ = retry.Do(t.Context(), steady, func(context.Context) (int, error) { calls++; panic(errBoom) })
	})
	assert.Equal(t, 1, calls)
}

func TestDoRefusesAnInvalidPolicy(t *testing.T) {
	fn, calls := failing(0, nil)
	bad := retry.Policy{MaxAttempts: -1, Backoff: 0.5}
	value, err := retry.Do(t.Context(), bad, fn)
	assert.Equal(t, bad.Validate(), err)
	assert.Zero(t, value)
	assert.Zero(t, *calls)
}

func TestDoWithAnEndedContextNeverCallsFn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		expired, cancel := context.WithDeadline(t.Context(), time.Now())
		defer cancel()
		for _, ctx := range []context.Context{cancelled, expired} {
			fn, calls := failing(0, nil)
			value, err := retry.Do(ctx, steady, fn)
			assert.True(t, err == ctx.Err(), "%v", err)
			assert.Zero(t, value)
			assert.Zero(t, *calls)
		}
	})
}

func TestDoCancelledWhileFnRunsReturnsItsError(t *testing.T) {
	for name, wrapped := range map[string]error{
		"plain": errBoom, "After": retry.After(errBoom, time.Hour), "Permanent": retry.Permanent(errBoom),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				began := time.Now()
				value, err := retry.Do(ctx, steady, func(context.Context) (int, error) {
					cancel()
					return 1, wrapped
				})
				assert.True(t, err == errBoom, "%v", err)
				assert.Equal(t, 1, value)
				assert.Zero(t, time.Since(began))
			})
		})
	}
}

// R5: no sleep leads to or past the deadline.
func TestR5DoNeverSleepsIntoADeadDeadline(t *testing.T) {
	for name, tc := range map[string]struct {
		timeout, work time.Duration // of ctx; of each attempt
		err           error
		attempts      int
		took          time.Duration
	}{
		"deadline in the third wait":    {5 * time.Second, 0, errBoom, 3, 3 * time.Second},
		"wait would end at it":          {3 * time.Second, 0, errBoom, 2, time.Second},
		"wait ends just before it":      {3*time.Second + 1, 0, errBoom, 3, 3 * time.Second},
		"deadline passes while fn runs": {2 * time.Second, 3 * time.Second, errBoom, 1, 3 * time.Second},
		"work counts":                   {4 * time.Second, 1500 * ms, errBoom, 2, 4 * time.Second},
		"advice past it":                {time.Minute / 20, 0, retry.After(errBoom, 4*time.Second), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tc.timeout)
				defer cancel()
				began := time.Now()
				_, err := retry.Do(ctx, steady, func(context.Context) (int, error) {
					time.Sleep(tc.work)
					return 0, tc.err
				})
				requireExhausted(t, err, tc.attempts, errBoom)
				assert.Equal(t, tc.took, time.Since(began))
			})
		})
	}
}

func TestDoPermanentErrorPastTheDeadlineComesBackItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := retry.Do(ctx, steady, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, retry.Permanent(errBoom)
		})
		assert.True(t, err == errBoom, "%v", err)
	})
}

func TestDoCountsMaxElapsedFromTheStartOfTheFirstAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := steady
		p.MaxElapsed = 5 * time.Second // attempts run at 0-1 s, 2-3 s and 5-6 s
		fn, calls := failing(99, errBoom)
		began := time.Now()
		_, err := retry.Do(t.Context(), p, func(ctx context.Context) (int, error) {
			time.Sleep(time.Second)
			return fn(ctx)
		})
		requireExhausted(t, err, 3, errBoom)
		assert.Equal(t, 3, *calls)
		assert.Equal(t, 6*time.Second, time.Since(began))
	})
}

func TestDoWaitsAtLeastTheAdvice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn, _ := failing(1, retry.After(errBoom, 4*time.Second))
		began := time.Now()
		_, err := retry.Do(t.Context(), steady, fn)
		require.NoError(t, err)
		assert.Equal(t, 4*time.Second, time.Since(began))
	})
}

// R7: a sleep that is cut short leaves no timer that could hold its goroutine,
// no goroutine, and both errors.
func TestR7ContextEndingDuringTheSleepGivesBothErrors(t *testing.T) {
	for name, wrapped := range map[string]error{"plain": errBoom, "After": retry.After(errBoom, 2*time.Second)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(500*ms, cancel)
				fn, calls := failing(99, wrapped)
				goroutines, began := runtime.NumGoroutine(), time.Now()
				value, err := retry.Do(ctx, steady, fn)
				assert.ErrorIs(t, err, context.Canceled)
				assert.ErrorIs(t, err, errBoom)
				assert.EqualError(t, err, "retry: context canceled while waiting after attempt 1: boom")
				both, ok := err.(interface{ Unwrap() []error })
				require.True(t, ok)
				assert.Equal(t, []error{context.Canceled, errBoom}, both.Unwrap(), "wrappers are removed")
				_, gaveUp := errors.AsType[*retry.ExhaustedError](err)
				assert.False(t, gaveUp)
				assert.Equal(t, 1, *calls)
				assert.Equal(t, 1, value)
				assert.Equal(t, 500*ms, time.Since(began))
				synctest.Wait()
				assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
			})
		})
	}
}

// endingAt is a context that ends at an instant without telling by Done: what a
// select that chose the timer over a Done of the same instant looks like.
type endingAt struct {
	context.Context
	end time.Time
	err error
}

func (c endingAt) Err() error {
	if time.Now().Before(c.end) {
		return nil
	}
	return c.err
}

func TestDoMakesNoAttemptWhenContextEndsWithTheSleep(t *testing.T) {
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			fn, calls := failing(99, errBoom)
			_, err := retry.Do(endingAt{t.Context(), time.Now().Add(time.Second), ended}, steady, fn)
			assert.ErrorIs(t, err, ended)
			assert.ErrorIs(t, err, errBoom)
			assert.Equal(t, 1, *calls)
		})
	}
}

// R7: ten thousand attempts leave no goroutine and keep no timer alive.
func TestR7ManyAttemptsLeakNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := retry.Policy{MaxAttempts: 10_000, BaseDelay: time.Hour, MaxDelay: time.Hour}
		fn, calls := failing(99_999, errBoom)
		goroutines := runtime.NumGoroutine()
		_, err := retry.Do(t.Context(), p, fn)
		requireExhausted(t, err, 10_000, errBoom)
		assert.Equal(t, 10_000, *calls)
		assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
	})
}

func TestDoOfAFirstTimeSuccessAllocatesNothing(t *testing.T) {
	ctx := t.Context()
	p := retry.Policy{Seed: 1, RetryIf: func(error) bool { return true }}
	fn := func(context.Context) (int, error) { return 1, nil }
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = retry.Do(ctx, p, fn) }))
}

func BenchmarkScheduleSuccess(b *testing.B) {
	p := retry.Policy{}
	var s retry.Schedule
	call := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		call++
		s = p.Schedule(call)
	}
	_ = s
}

func BenchmarkScheduleOneFailure(b *testing.B) {
	for _, jitter := range []retry.Jitter{retry.FullJitter, retry.NoJitter, retry.DecorrelatedJitter} {
		b.Run(jitter.String(), func(b *testing.B) {
			p := retry.Policy{Jitter: jitter}
			b.ReportAllocs()
			for b.Loop() {
				s := p.Schedule(0)
				_, _, _ = s.Next(errBoom, 0, noDeadline)
			}
		})
	}
}

func BenchmarkDoSuccess(b *testing.B) {
	ctx := b.Context()
	fn := func(context.Context) (int, error) { return 1, nil }
	b.ReportAllocs()
	for b.Loop() {
		_, _ = retry.Do(ctx, retry.Policy{}, fn)
	}
}
