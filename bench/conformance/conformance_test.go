package conformance_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/bench/conformance"
	"github.com/limitpal/limitpal-go/bench/contender"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eachDoing runs f for every contender that can do what is needed.
func eachDoing(t *testing.T, needs contender.Capability, f func(t *testing.T, c contender.Contender)) {
	for _, c := range contender.All() {
		if c.Does.Has(needs) {
			t.Run(c.Name, func(t *testing.T) { f(t, c) })
		}
	}
}

// inBubble returns what check finds in a bubble of its own. It skips a contender that would not be on the bubble's clock.
func inBubble(t *testing.T, c contender.Contender, check func() []string) (found []string) {
	if c.RealClock {
		t.Skip("reads the time past package time, so that its schedule cannot be replayed")
	}
	synctest.Test(t, func(*testing.T) { found = check() })
	return found
}

func expectNone(t *testing.T, faults []string) {
	t.Helper()
	for _, fault := range faults {
		t.Error(fault)
	}
}

func TestCapacity(t *testing.T) {
	eachDoing(t, contender.Limits|contender.Refuses, func(t *testing.T, c contender.Contender) {
		expectNone(t, conformance.Capacity(c))
	})
}

func TestThreshold(t *testing.T) {
	eachDoing(t, contender.Breaks, func(t *testing.T, c contender.Contender) {
		expectNone(t, conformance.Threshold(c))
	})
}

func TestLimitSchedule(t *testing.T) {
	eachDoing(t, contender.Limits, func(t *testing.T, c contender.Contender) {
		for seed := range uint64(10) {
			expectNone(t, inBubble(t, c, func() []string { return conformance.LimitSchedule(c, seed) }))
		}
	})
}

func TestBreakerSchedule(t *testing.T) {
	eachDoing(t, contender.Breaks, func(t *testing.T, c contender.Contender) {
		for seed := range uint64(5) {
			expectNone(t, inBubble(t, c, func() []string { return conformance.BreakerSchedule(c, seed) }))
		}
	})
}

func TestRetrying(t *testing.T) {
	eachDoing(t, contender.Pipeline, func(t *testing.T, c contender.Contender) {
		expectNone(t, inBubble(t, c, func() []string { return conformance.Retrying(c) }))
	})
}

func TestWaiting(t *testing.T) {
	eachDoing(t, contender.Waits, func(t *testing.T, c contender.Contender) {
		expectNone(t, inBubble(t, c, func() []string { return conformance.Waiting(c) }))
	})
}

func TestPanics(t *testing.T) {
	eachDoing(t, contender.Panics, func(t *testing.T, c contender.Contender) {
		expectNone(t, inBubble(t, c, func() []string { return conformance.Panics(c) }))
	})
	eachDoing(t, contender.Breaks, func(t *testing.T, c contender.Contender) {
		if !c.Does.Has(contender.Panics) {
			found := inBubble(t, c, func() []string { return conformance.Panics(c) })
			t.Log(found)
			require.NotEmpty(t, found, "%s copes with panics, and is said not to", c.Name)
		}
	})
}

// TestContention lists every limiter with the factor by which it breaks its own bound. Models and ours must not; the
// peers are listed as they are.
func TestContention(t *testing.T) {
	d := time.Second
	if testing.Short() {
		d = 100 * time.Millisecond
	}
	t.Logf("%-20s %9s %12s %12s %12s  %s", "contender", "factor", "admitted", "bound", "asked", "verdict")
	for _, c := range contender.All() {
		if !c.Does.Has(contender.Limits) {
			continue
		}
		e, err := conformance.Contention(c, d)
		require.NoError(t, err)
		verdict := "holds"
		if e.Factor() > 1 {
			verdict = "BREAKS ITS BOUND"
		}
		t.Logf("%-20s %9.3f %12d %12.0f %12d  %s", c.Name, e.Factor(), e.Admitted, e.Bound, e.Asked, verdict)
		if c.Kind != contender.Peer {
			require.LessOrEqual(t, e.Factor(), 1.0, c.Name)
		}
		require.Positive(t, e.Admitted, c.Name)
	}
}

// planted is c with settings other than it is asked for.
func planted(c contender.Contender, plant func(*contender.Settings)) contender.Contender {
	sound := c.New
	c.New = func(s contender.Settings) (contender.Guard, error) {
		plant(&s)
		return sound(s)
	}
	return c
}

// TestPlantedFaults makes every contender wrong by the least amount, and expects every check to see it.
func TestPlantedFaults(t *testing.T) {
	for _, row := range []struct {
		name  string
		needs contender.Capability
		plant func(*contender.Settings)
		check func(*testing.T, contender.Contender) []string
	}{
		{"capacity + 1", contender.Limits | contender.Refuses, func(s *contender.Settings) { s.Capacity++ },
			func(_ *testing.T, c contender.Contender) []string { return conformance.Capacity(c) }},
		{"capacity + 1, schedule", contender.Limits, func(s *contender.Settings) { s.Capacity++ },
			func(t *testing.T, c contender.Contender) []string {
				return inBubble(t, c, func() []string { return conformance.LimitSchedule(c, 1) })
			}},
		{"interval + 1 %", contender.Limits, func(s *contender.Settings) { s.Interval += s.Interval / 100 },
			func(t *testing.T, c contender.Contender) []string {
				return inBubble(t, c, func() []string { return conformance.LimitSchedule(c, 1) })
			}},
		{"threshold + 1", contender.Breaks, func(s *contender.Settings) { s.FailureThreshold++ },
			func(_ *testing.T, c contender.Contender) []string { return conformance.Threshold(c) }},
		{"threshold - 1", contender.Breaks, func(s *contender.Settings) { s.FailureThreshold-- },
			func(_ *testing.T, c contender.Contender) []string { return conformance.Threshold(c) }},
		{"recovery - 2 %", contender.Breaks, func(s *contender.Settings) { s.RecoveryTimeout -= s.RecoveryTimeout / 50 },
			func(t *testing.T, c contender.Contender) []string {
				return inBubble(t, c, func() []string { return conformance.BreakerSchedule(c, 1) })
			}},
		{"attempts + 1", contender.Retries, func(s *contender.Settings) { s.Attempts++ },
			func(t *testing.T, c contender.Contender) []string {
				return inBubble(t, c, func() []string { return conformance.Retrying(c) })
			}},
		{"wait + 1 %", contender.Waits, func(s *contender.Settings) { s.Interval += s.Interval / 100 },
			func(t *testing.T, c contender.Contender) []string {
				return inBubble(t, c, func() []string { return conformance.Waiting(c) })
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			eachDoing(t, row.needs, func(t *testing.T, c contender.Contender) {
				found := row.check(t, planted(c, row.plant))
				require.NotEmpty(t, found, fmt.Sprintf("%s of %s was not noticed", row.name, c.Name))
			})
		})
	}
}
