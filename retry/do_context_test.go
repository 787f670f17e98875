package retry_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/retry"
)

// foreign is a context that package context has not made: end closes Done and lets Err return err.
type foreign struct {
	context.Context
	done chan struct{}
	once sync.Once
	mu   sync.Mutex
	err  error
}

func newForeign(parent context.Context) *foreign {
	return &foreign{Context: parent, done: make(chan struct{})}
}

func (f *foreign) Done() <-chan struct{} { return f.done }

func (f *foreign) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *foreign) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	f.once.Do(func() { close(f.done) })
}

// quiet is a context whose Err says that it has ended and whose Done does not: it is polled.
type quiet struct{ *foreign }

func (quiet) Done() <-chan struct{} { return nil }

var (
	errShutdown = errors.New("shutdown")
	errCause    = errors.New("the cause")
)

// ends are the ways in which a context can end: each returns a context of one way, and the function that ends it.
func ends(parent context.Context) map[string]func() (context.Context, func()) {
	custom := func(err error) func() (context.Context, func()) {
		return func() (context.Context, func()) {
			f := newForeign(parent)
			return f, func() { f.end(err) }
		}
	}
	return map[string]func() (context.Context, func()){
		"Done closed, Err nil":              custom(nil),
		"Done closed, Err of its own":       custom(errShutdown),
		"Done closed, Err wraps Canceled":   custom(fmt.Errorf("hung up: %w", context.Canceled)),
		"Done closed, Err DeadlineExceeded": custom(context.DeadlineExceeded),
		"under a value": func() (context.Context, func()) {
			f := newForeign(parent)
			return context.WithValue(f, errCause, 1), func() { f.end(nil) }
		},
		"Err alone": func() (context.Context, func()) {
			f := newForeign(parent)
			return quiet{f}, func() { f.end(errShutdown) }
		},
		"cancelled": func() (context.Context, func()) { return context.WithCancel(parent) },
		"cancelled with a cause": func() (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(parent)
			return ctx, func() { cancel(errCause) }
		},
		"under a cancelled parent with a cause": func() (context.Context, func()) {
			above, cancel := context.WithCancelCause(parent)
			ctx, release := context.WithTimeout(above, time.Hour)
			return ctx, func() { cancel(errCause); release() }
		},
	}
}

// requireEnded checks that err tells why ctx ended.
func requireEnded(t *testing.T, ctx context.Context, err error) {
	t.Helper()
	require.Error(t, err)
	if ctx.Err() == nil { // its Done is closed
		assert.ErrorIs(t, err, context.Canceled)
		return
	}
	assert.ErrorIs(t, err, ctx.Err())
	assert.ErrorIs(t, err, context.Cause(ctx))
	assert.NotContains(t, err.Error(), "%!w")
}

func TestAContextThatHasEndedHoweverNeverCallsFn(t *testing.T) {
	for name, make := range ends(t.Context()) {
		t.Run(name, func(t *testing.T) {
			ctx, end := make()
			end()
			fn, calls := failing(0, nil)
			value, err := retry.Do(ctx, steady, fn)
			assert.Zero(t, *calls)
			assert.Zero(t, value)
			requireEnded(t, ctx, err)
		})
	}
}

func TestNoAttemptBeginsAfterAContextHasEndedHoweverDuringTheSleep(t *testing.T) {
	for name := range ends(t.Context()) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := ends(t.Context())[name]()
				time.AfterFunc(500*ms, end)
				fn, calls := failing(1, errBoom) // a second attempt would succeed
				_, err := retry.Do(ctx, steady, fn)
				assert.Equal(t, 1, *calls)
				assert.ErrorIs(t, err, errBoom)
				requireEnded(t, ctx, err)
			})
		})
	}
}

func TestNoAttemptBeginsWhenAContextEndsHoweverWithTheSleep(t *testing.T) {
	for name := range ends(t.Context()) {
		t.Run(name, func(t *testing.T) {
			for range 20 { // the select between the timer and Done is drawn at random
				synctest.Test(t, func(t *testing.T) {
					ctx, end := ends(t.Context())[name]()
					time.AfterFunc(time.Second, end)
					fn, calls := failing(1, errBoom)
					_, err := retry.Do(ctx, steady, fn)
					if *calls == 2 { // the timer of the sleep came first, before end
						require.NoError(t, err)
						return
					}
					assert.ErrorIs(t, err, errBoom)
					requireEnded(t, ctx, err)
				})
			}
		})
	}
}

// TestNoAttemptBeginsAfterAContextHasEndedHoweverInFn: the error of fn is the caller's own and comes back untouched, but for a deadline,
// which gives up as every lack of time does.
func TestNoAttemptBeginsAfterAContextHasEndedHoweverInFn(t *testing.T) {
	for name, make := range ends(t.Context()) {
		t.Run(name, func(t *testing.T) {
			ctx, end := make()
			calls := 0
			value, err := retry.Do(ctx, steady, func(context.Context) (int, error) {
				calls++
				end()
				return calls, errBoom
			})
			assert.Equal(t, 1, calls)
			assert.Equal(t, 1, value)
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				requireExhausted(t, err, 1, errBoom)
				return
			}
			assert.True(t, err == errBoom, "%v", err)
		})
	}
}

// TestASuccessOutlivesItsContext: what fn has achieved is not taken away because ctx ended meanwhile.
func TestASuccessOutlivesItsContext(t *testing.T) {
	for name, make := range ends(t.Context()) {
		t.Run(name, func(t *testing.T) {
			ctx, end := make()
			value, err := retry.Do(ctx, steady, func(context.Context) (int, error) { end(); return 7, nil })
			require.NoError(t, err)
			assert.Equal(t, 7, value)
		})
	}
}

// TestGivingUpForADeadlineThatHasPassedTellsItsCause: ExhaustedError is then about ctx as much as about fn.
func TestGivingUpForADeadlineThatHasPassedTellsItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errCause)
		defer cancel()
		_, err := retry.Do(ctx, steady, func(context.Context) (int, error) {
			time.Sleep(2 * time.Second)
			return 0, errBoom
		})
		requireExhausted(t, err, 1, errBoom)
		requireEnded(t, ctx, err)
		assert.NotErrorIs(t, err, context.Canceled)
	})
}

func TestGivingUpBeforeTheDeadlineIsNotAboutTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errCause)
		defer cancel()
		fn, _ := failing(99, errBoom)
		_, err := retry.Do(ctx, steady, fn)
		requireExhausted(t, err, 1, errBoom)
		assert.NoError(t, ctx.Err())
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
		assert.NotErrorIs(t, err, errCause)
	})
}
