package engine_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// call is a caller's try to be a probe, by one of the ways into the engine.
func (h *halfOpen) call(i int) {
	defer func() { _ = recover() }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if h.kind == "limited" {
		time.AfterFunc(h.took[i], cancel) // in the queue, if there is one
	}
	probe := func(ctx context.Context) error { return h.probe(ctx, cancel, i) }
	way := i
	if h.kind == "panic" || h.kind == "goexit" {
		way = i % 3 // a panic of Go's goroutine is everybody's, and there is no function to a ticket
	}
	switch way % 5 {
	case 0:
		_ = h.eng.Run(ctx, "k", probe)
	case 1:
		_, _ = engine.Do(ctx, h.eng, "k", func(ctx context.Context) (int, error) { return 1, probe(ctx) })
	case 2:
		_ = h.eng.Key("k").Run(ctx, probe)
	case 3:
		<-engine.Go(ctx, h.eng, "k", func(ctx context.Context) (int, error) { return 1, probe(ctx) })
	default:
		if ticket, err := h.eng.Admit(ctx, "k"); err == nil {
			err := probe(ctx)
			ticket.Done(err)
			ticket.Done(nil) // does not count
		}
	}
}

// probe is the function of the calls that get through.
func (h *halfOpen) probe(ctx context.Context, cancel context.CancelFunc, i int) error {
	if h.kind == "limited" {
		return h.succeed(ctx)
	}
	leave, outcome := h.enter(h.took[i]), engine.Ignore
	defer func() { leave(outcome) }()
	if h.kind == "cancelled" {
		time.AfterFunc(h.took[i], cancel)
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(h.took[i])
	switch h.kind {
	case "ok":
		outcome = engine.Success
	case "slow":
		outcome = engine.Failure
	case "fail":
		outcome = engine.Failure
		return errDown
	case "panic":
		outcome = engine.Failure
		panic("probe")
	case "goexit":
		outcome = engine.Failure
		runtime.Goexit()
	case "hang":
		time.Sleep(h.policy.ProbeTimeout + time.Minute)
		return []error{nil, errDown, errNeutral}[i%3]
	case "neutral":
		return errNeutral
	}
	return nil
}

// checkProbes looks at the breaker when the probes have begun, and again at each instant of a
// change.
func (h *halfOpen) checkProbes(t *testing.T, begin time.Time) {
	h.mu.Lock()
	returns := slices.Clone(h.returns)
	h.mu.Unlock()
	if h.kind == "limited" {
		require.Empty(t, returns, "%v", h)
		h.require(t, breaker.HalfOpen, 0)
		return
	}
	slices.SortFunc(returns, time.Time.Compare)
	first, last := returns[0], returns[len(returns)-1]
	if first.After(begin) { // else some may have made room for others, or opened the breaker to them
		require.Len(t, returns, min(h.policy.HalfOpenProbes, h.policy.HalfOpenSuccesses), "%v", h)
		full := h.policy.ProbeTimeout
		if len(returns) > h.policy.HalfOpenFailures { // the leases end together
			full += h.openAgain()
		}
		h.require(t, breaker.HalfOpen, full)
	}
	switch h.kind {
	case "ok":
		h.until(last)
		if len(returns) >= h.policy.HalfOpenSuccesses {
			h.require(t, breaker.Closed, 0)
		} else {
			h.require(t, breaker.HalfOpen, 0)
		}
	case "fail", "panic", "goexit", "slow":
		h.opensAt(t, begin, first)
	case "hang":
		h.opensAt(t, begin, begin.Add(h.policy.ProbeTimeout))
	default:
		if first.After(begin) {
			h.until(first)
			h.require(t, breaker.HalfOpen, 0)
		}
		h.until(last)
		h.require(t, breaker.HalfOpen, 0)
	}
}

// opensAt requires that the breaker opens at an instant, and not before.
func (h *halfOpen) opensAt(t *testing.T, begin, at time.Time) {
	t.Helper()
	if at.After(begin) {
		h.until(at.Add(-1))
		h.require(t, breaker.HalfOpen, begin.Add(h.policy.ProbeTimeout+h.openAgain()).Sub(at.Add(-1)))
	}
	h.until(at)
	h.require(t, breaker.Open, h.openAgain())
}

// until waits for an instant, and for all events at that instant.
func (h *halfOpen) until(at time.Time) {
	time.Sleep(time.Until(at))
	synctest.Wait()
}

// require checks the state of the breaker now, and the time until a call is admitted.
func (h *halfOpen) require(t *testing.T, state breaker.State, openFor time.Duration) {
	t.Helper()
	s := h.look()
	require.Equal(t, state, s.Breaker, "%v", h)
	require.Equal(t, openFor, s.OpenFor, "%v", h)
}

// look returns the key's snapshot now. A key that has been forgotten was as new, which is the zero
// Snapshot.
func (h *halfOpen) look() engine.Snapshot {
	s, _ := h.eng.Inspect("k")
	return s
}
