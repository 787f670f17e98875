package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/clock/clocktest"
)

// TestReadingsFromTheSystemDifferByTheirInstants, also those of two clocks.
func TestReadingsFromTheSystemDifferByTheirInstants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, one := clock.NanosFrom(clock.System())
		time.Sleep(3 * time.Second)
		second, two := clock.NanosFrom(clock.System())
		for range 5 {
			require.EqualValues(t, two.Sub(one), first()-second())
			time.Sleep(time.Hour)
		}
	})
	first, one := clock.NanosFrom(clock.System())
	second, two := clock.NanosFrom(clock.System())
	for range 1000 {
		a, b, c := first(), second(), first()
		require.LessOrEqual(t, a, b+int64(two.Sub(one)))
		require.LessOrEqual(t, b+int64(two.Sub(one)), c)
	}
}

// TestOtherClocksCountFromNoInstant, since they may be set.
func TestOtherClocksCountFromNoInstant(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		read, from := clock.NanosFrom(m)
		require.Zero(t, from)
		m.Advance(time.Second)
		require.EqualValues(t, time.Second, read())
	})
}
