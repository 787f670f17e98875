package engine_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

var errDown = errors.New("upstream is down")

// eachDispatch runs f once for each Dispatch, in a bubble of its own. The engine of cfg is closed
// at the end.
func eachDispatch(t *testing.T, cfg engine.Config, f func(t *testing.T, eng *engine.Engine)) {
	t.Helper()
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg.Dispatch = d
				eng := start(t, cfg)
				f(t, eng)
			})
		})
	}
}

// eachDispatchMock is eachDispatch on a mock clock.
func eachDispatchMock(t *testing.T, cfg engine.Config, f func(t *testing.T, m *clocktest.Mock, eng *engine.Engine)) {
	t.Helper()
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
				cfg.Dispatch, cfg.Clock = d, m
				f(t, m, start(t, cfg))
			})
		})
	}
}

// start makes an engine that is closed when the test ends. In a bubble, call start inside.
func start(t testing.TB, cfg engine.Config) *engine.Engine {
	t.Helper()
	eng, err := engine.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close(context.Background())) })
	return eng
}

func succeed(context.Context) error { return nil }

func fail(context.Context) error { return errDown }

// failing counts its calls and always fails with err.
func failing(calls *int, err error) func(context.Context) error {
	return func(context.Context) error { *calls++; return err }
}

// failTimes makes n calls that fail.
func failTimes(t *testing.T, eng *engine.Engine, key string, n int) {
	t.Helper()
	for range n {
		require.ErrorIs(t, eng.Run(t.Context(), key, fail), errDown)
	}
}

// rejected requires that err is a rejection for reason and returns it.
func rejected(t *testing.T, err, reason error) *engine.Rejection {
	t.Helper()
	require.ErrorIs(t, err, reason)
	r, ok := errors.AsType[*engine.Rejection](err)
	require.True(t, ok, "%v is no *Rejection", err)
	return r
}

// inBackground starts f and returns the channel on which its error comes.
func inBackground(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// waitFor waits for callers in a bubble. If a caller is not back after more time than any wait in
// the test, waitFor fails the test.
func waitFor(t *testing.T, callers *sync.WaitGroup) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		callers.Wait()
	}()
	select {
	case <-done:
	case <-time.After(24 * time.Hour):
		t.Fatal("a caller never came back")
	}
	synctest.Wait()
}

// inspect is the snapshot of a key that is known.
func inspect(t *testing.T, eng *engine.Engine, key string) engine.Snapshot {
	t.Helper()
	s, known := eng.Inspect(key)
	require.True(t, known, "key %q is not known", key)
	require.Equal(t, key, s.Key)
	return s
}

// oneEvery is a limiter that lets a call pass at once and then a call every d.
func oneEvery(d time.Duration) limiter.TokenBucket {
	return limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, d)}
}

// opensAfter is a breaker that opens after n failures for 5 s.
func opensAfter(n int) *breaker.Policy { return &breaker.Policy{FailureThreshold: n} }

// everySecond tries five times, a second apart.
var everySecond = &retry.Policy{MaxAttempts: 5, BaseDelay: time.Second, Backoff: 1, Jitter: retry.NoJitter}

func isClosed(err error) bool { return errors.Is(err, engine.ErrClosed) }

var seedFlag = flag.Uint64("engine.seed", 0, "seed of the random tests; 0 takes a new one")

// random returns a source of random numbers. If the test fails, the line that replays the failure
// is logged.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay: go test ./engine -run '^%s$' -engine.seed=%d", t.Name(), seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// figure reports a count for the table of figures.
func figure(t *testing.T, name string, n int64) {
	t.Helper()
	t.Attr(name, strconv.FormatInt(n, 10))
}

// inParallel runs f in as many subtests at the same time as there are processors, and returns when
// all have ended.
func inParallel(t *testing.T, f func(t *testing.T, worker, workers int)) {
	workers := runtime.GOMAXPROCS(0)
	t.Run("workers", func(t *testing.T) {
		for w := range workers {
			t.Run(strconv.Itoa(w), func(t *testing.T) {
				t.Parallel()
				f(t, w, workers)
			})
		}
	})
}
