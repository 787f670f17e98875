package rates_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/peers/rates"
)

// apart moves each call a nanosecond further than the call before, so that none comes at the last
// instant of an open time.
func apart(t rates.Trace) rates.Trace {
	for i := range t.Calls {
		t.Calls[i].At += time.Duration(i)
	}
	return t
}

// inTurn has each call end before the next begins, and before the lease of a probe ends.
func inTurn(t rates.Trace) rates.Trace {
	for i := range t.Calls[1:] {
		t.Calls[i].Took = min(t.Calls[i].Took, t.Calls[i+1].At-t.Calls[i].At, rates.ProbeTime-1)
	}
	t.Calls[len(t.Calls)-1].Took = 0
	return t
}

// atOnce has no call take any time, and the first call come where a slice begins.
func atOnce(t rates.Trace) rates.Trace {
	first := t.Calls[0].At
	for i := range t.Calls {
		t.Calls[i].At -= first
		t.Calls[i].Took = 0
	}
	return t
}

// inOneWindow is atOnce without the calls that come when the first slice has left the window, at a
// rate that is no rounded one. No call is below the minimum, and so no success opens a breaker.
func inOneWindow(t rates.Trace) rates.Trace {
	t = atOnce(t)
	t.Rate, t.MinCalls = 0.5, 1
	late := slices.IndexFunc(t.Calls, func(c rates.Call) bool { return c.At > 9*rates.Slice })
	if late > 0 {
		t.Calls = t.Calls[:late]
	}
	return t
}

// full is inTurn with successes that fill the window of calls before the first failure.
func full(t rates.Trace) rates.Trace {
	for i := range min(t.Of, len(t.Calls)) {
		t.Calls[i].Fails = false
	}
	return inTurn(t)
}

// allFail is inTurn with a breaker that opens when all calls in the window of calls have failed.
func allFail(t rates.Trace) rates.Trace {
	t.Failures = t.Of
	return inTurn(t)
}

// TestDecisionsAreEqual where the options of a peer say the same as ours and no rule matters.
func TestDecisionsAreEqual(t *testing.T) {
	for _, c := range []struct {
		name, peer string
		kind       rates.Kind
		adapt      func(rates.Trace) rates.Trace
		once       bool // until the breaker lets calls through again
	}{
		{"failures in a row, calls in turn", "gobreaker", rates.InARow, inTurn, false},
		{"failures in a row, calls in turn", "failsafe-go", rates.InARow, inTurn, false},
		{"calls that all fail, calls in turn", "failsafe-go", rates.OfCalls, allFail, false},
		{"a full window of calls, calls in turn", "failsafe-go", rates.OfCalls, full, true},
		{"time, calls without length", "gobreaker", rates.OfTime, atOnce, true},
		{"time, calls without length, while no slice leaves", "failsafe-go", rates.OfTime, inOneWindow, false},
	} {
		t.Run(c.name+", "+c.peer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refusals := 0
				for seed := range uint64(*tracesFlag) {
					trace := apart(c.adapt(rates.Random(c.kind, seed)))
					ours, theirs := both(trace, peer(t, c.peer))
					if c.once {
						end := recovery(trace, ours)
						ours, theirs = ours[:end], theirs[:end]
					}
					require.Equal(t, ours, theirs, "seed %d, %v", seed, trace)
					if slices.Contains(ours, false) {
						refusals++
					}
				}
				require.Greater(t, refusals, *tracesFlag/10, "the traces hardly open a breaker")
			})
		})
	}
}

func both(trace rates.Trace, p rates.Peer) (ours, theirs []bool) {
	decisions := rates.Play(trace, rates.NewCircuit, p.New)
	return decisions[0], decisions[1]
}

// recovery returns the number of calls until a breaker may have recovered: one passes again, or the
// call before was an open time ago.
func recovery(trace rates.Trace, passed []bool) int {
	for i := range passed[1:] {
		if passed[i+1] && !passed[i] || trace.Calls[i+1].At-trace.Calls[i].At >= rates.OpenTime {
			return i + 1
		}
	}
	return len(passed)
}

func peer(t *testing.T, name string) rates.Peer {
	t.Helper()
	all := rates.Peers()
	i := slices.IndexFunc(all, func(p rates.Peer) bool { return p.Name == name })
	require.GreaterOrEqual(t, i, 0, name)
	return all[i]
}

// TestAMissingReasonIsFound: without one of its rules, no peer is explained.
func TestAMissingReasonIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, p := range rates.Peers() {
			for kind, rules := range p.Rules {
				for _, rule := range rules.All() {
					require.True(t, unexplained(p, kind, rules&^rates.Rules(rule)), "%s, kind %d: nothing needs %v", p.Name, kind, rule)
				}
			}
		}
	})
}

// unexplained reports whether p decides a random trace otherwise than the model with rules.
func unexplained(p rates.Peer, kind rates.Kind, rules rates.Rules) bool {
	for seed := range uint64(5000) {
		trace := rates.Random(kind, seed)
		_, theirs := both(trace, p)
		if _, known := rates.Explain(trace, rules, theirs); !known {
			return true
		}
	}
	return false
}
