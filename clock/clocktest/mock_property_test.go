package clocktest_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock/clocktest"
)

// requireInStep asserts that both clocks have moved alike since the start of
// the bubble, when the Mock read start.
func requireInStep(t *testing.T, m *clocktest.Mock, start time.Time) {
	t.Helper()
	bubbleStart := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	require.Equal(t, time.Since(bubbleStart), m.Now().Sub(start))
	require.Equal(t, m.Now(), m.Raw().Now())
}

// Without timers of Raw, whatever the steps, the clocks agree to the nanosecond
// after each Advance and whenever a timer fires.
func TestAdvanceKeepsInStep(t *testing.T) {
	for seed := range uint64(20) {
		clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
			random := rand.New(rand.NewPCG(seed, 0))
			bubbleStart, start := time.Now(), m.Now()
			quit := make(chan struct{})
			defer close(quit)
			for range 5 {
				period := 1 + time.Duration(random.Int64N(int64(3*time.Millisecond)))
				timer := m.NewTimer(period)
				go func() { // ends with quit
					for {
						select {
						case at := <-timer.C():
							if at.Sub(start) != time.Since(bubbleStart) || !at.Equal(m.Now()) {
								t.Errorf("a tick of %v at %v", at.Sub(start), time.Since(bubbleStart))
							}
							timer.Reset(period)
						case <-quit:
							return
						}
					}
				}()
			}
			for range 20 {
				m.Advance(time.Duration(random.Int64N(int64(5 * time.Millisecond))))
				require.Equal(t, time.Since(bubbleStart), m.Now().Sub(start))
			}
		})
	}
}
