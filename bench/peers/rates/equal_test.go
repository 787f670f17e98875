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

// inOneWindow is atOnce without the calls that come when the first slice has left the window.
func inOneWindow(t rates.Trace) rates.Trace {
	t = atOnce(t)
	late := slices.IndexFunc(t.Calls, func(c rates.Call) bool { return c.At > 9*rates.Slice })
	if late > 0 {
		t.Calls = t.Calls[:late]
	}
	return t
}

// TestDecisionsAreEqual where the options of a peer say the same as ours and none of the rules
// matters.
func TestDecisionsAreEqual(t *testing.T) {
	for _, c := range []struct {
		name, peer string
		kind       rates.Kind
		adapt      func(rates.Trace) rates.Trace
		once       bool // until the breaker lets calls through again
	}{
		{"failures in a row, calls in turn", "gobreaker", rates.InARow, inTurn, false},
		{"failures in a row, calls in turn", "failsafe-go", rates.InARow, inTurn, false},
		{"calls that all fail, calls in turn", "failsafe-go", rates.OfCalls, func(t rates.Trace) rates.Trace {
			t.Failures = t.Of
			return inTurn(t)
		}, false},
		{"time, calls without length, until the first recovery", "gobreaker", rates.OfTime, atOnce, true},
		{"time, calls without length, while no slice leaves", "failsafe-go", rates.OfTime, func(t rates.Trace) rates.Trace {
			t.Rate, t.MinCalls = 0.5, 1
			return inOneWindow(t)
		}, false},
	} {
		t.Run(c.name+", "+c.peer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refusals := 0
				for seed := range uint64(*tracesFlag) {
					trace := apart(c.adapt(rates.Random(c.kind, seed)))
					ours, theirs := both(trace, peer(t, c.peer))
					if c.once {
						end := recovery(ours)
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

// recovery returns the number of calls until one passes again.
func recovery(passed []bool) int {
	open := slices.Index(passed, false)
	if open < 0 {
		return len(passed)
	}
	if again := slices.Index(passed[open:], true); again >= 0 {
		return open + again
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
