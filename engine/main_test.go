package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("upstream is down")

// eachDispatch runs f once for each Dispatch, in a bubble of its own, with an engine made of cfg that is closed at the end.
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

// start makes an engine that is closed when the test ends. In a bubble, call it inside.
func start(t testing.TB, cfg engine.Config) *engine.Engine {
	t.Helper()
	eng, err := engine.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close(context.Background())) })
	return eng
}

func succeed(context.Context) error { return nil }
func fail(context.Context) error    { return errDown }

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

// inspect is the snapshot of a key that is known.
func inspect(t *testing.T, eng *engine.Engine, key string) engine.Snapshot {
	t.Helper()
	s, known := eng.Inspect(key)
	require.True(t, known, "key %q is not known", key)
	require.Equal(t, key, s.Key)
	return s
}

// oneEvery is a limiter that lets one call pass at once and then one every d.
func oneEvery(d time.Duration) limiter.TokenBucket {
	return limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, d)}
}

// opensAfter is a breaker that opens after n failures for 5 s.
func opensAfter(n int) *breaker.Policy { return &breaker.Policy{FailureThreshold: n} }

func isClosed(err error) bool { return errors.Is(err, engine.ErrClosed) }
