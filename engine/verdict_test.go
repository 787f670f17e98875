package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
)

// A Verdict decides for the retries and for the breaker, and no Verdict reaches the caller.
func TestAVerdictSaysWhatAnErrorMeans(t *testing.T) {
	for _, c := range []struct {
		name     string
		verdict  engine.Verdict
		calls    int
		took     time.Duration
		failures int
	}{
		{"a success that is worth a retry", engine.Verdict{}, 5, 4 * time.Second, 0},
		{"a failure", engine.Verdict{Outcome: engine.Failure}, 5, 4 * time.Second, 5},
		{"a failure that is final", engine.Verdict{Outcome: engine.Failure, Final: true}, 1, 0, 1},
		{"neither, to be tried later", engine.Verdict{Outcome: engine.Ignore, After: 2 * time.Second}, 5, 8 * time.Second, 0},
		{"later than is worth waiting for", engine.Verdict{Outcome: engine.Failure, After: time.Minute}, 1, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			never := func(error) engine.Outcome { t.Error("Classify is asked"); return engine.Failure }
			eachDispatch(t, engine.Config{Retry: everySecond, Breaker: opensAfter(9), Classify: never}, func(t *testing.T, eng *engine.Engine) {
				var calls int
				begun := time.Now()
				verdict := c.verdict
				verdict.Err = errDown
				err := eng.Run(t.Context(), "k", failing(&calls, &verdict))
				require.ErrorIs(t, err, errDown)
				_, leaked := errors.AsType[*engine.Verdict](err)
				require.False(t, leaked, "%v", err)
				require.Equal(t, c.calls, calls)
				require.Equal(t, c.took, time.Since(begun))
				s, _ := eng.Inspect("k")
				require.Equal(t, c.failures, s.Failures)
			})
		})
	}
}

// The end of the caller's context comes before a Verdict.
func TestAVerdictIsNotAboveTheContext(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(9)}, func(t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithCancel(t.Context())
		_ = eng.Run(ctx, "k", func(context.Context) error { cancel(); return &engine.Verdict{Err: errDown, Outcome: engine.Failure} })
		s, _ := eng.Inspect("k")
		require.Zero(t, s.Failures)

		ticket, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		ticket.Done(&engine.Verdict{Err: errDown, Outcome: engine.Failure})
		s, _ = eng.Inspect("k")
		require.Equal(t, 1, s.Failures, "a ticket takes a verdict, too")
	})
}

// A Verdict other than Failure holds also if the caller's context has ended. A deadline that has
// passed is otherwise a failure, but a function that returns a Verdict may know that the time went
// elsewhere.
func TestAVerdictOtherThanFailureHolds(t *testing.T) {
	for outcome, failures := range map[engine.Outcome]int{engine.Success: 0, engine.Ignore: 1, engine.Failure: 2} {
		eachDispatch(t, engine.Config{Breaker: opensAfter(9)}, func(t *testing.T, eng *engine.Engine) {
			failTimes(t, eng, "k", 1)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := eng.Run(ctx, "k", func(ctx context.Context) error {
				<-ctx.Done()
				return &engine.Verdict{Err: errDown, Outcome: outcome}
			})
			require.ErrorIs(t, err, errDown)
			s, _ := eng.Inspect("k")
			require.Equal(t, failures, s.Failures)
		})
	}
}
