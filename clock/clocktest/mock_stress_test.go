package clocktest_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock/clocktest"
)

// An hour with many timers, at instants of their own and at one instant, with
// and without goroutines that wait for them. The real time is logged.
func TestAdvanceAnHourWithManyTimers(t *testing.T) {
	for _, timers := range []int{1000, 10000} {
		for _, spread := range []bool{false, true} {
			for _, waited := range []bool{false, true} {
				name := fmt.Sprintf("%d/spread=%v/waited=%v", timers, spread, waited)
				t.Run(name, func(t *testing.T) { hour(t, timers, spread, waited) })
			}
		}
	}
}

func hour(t *testing.T, timers int, spread, waited bool) {
	begun := time.Now() // outside the bubble, hence real time
	defer func() { t.Logf("real time %v", time.Since(begun)) }()
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		random := rand.New(rand.NewPCG(1, 2))
		start := m.Now()
		fires := 0
		var channels []<-chan time.Time
		for range timers {
			d := time.Hour
			if spread {
				d = 1 + time.Duration(random.Int64N(int64(time.Hour)))
			}
			timer := m.NewTimer(d)
			if !waited {
				channels = append(channels, timer.C())
				continue
			}
			go func() { // ends with the timer
				<-timer.C()
				fires++
			}()
		}
		m.Advance(time.Hour)
		for _, ch := range channels {
			if fired(ch) {
				fires++
			}
		}
		require.Equal(t, timers, fires)
		requireInStep(t, m, start)
	})
}
