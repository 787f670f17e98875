package limiter_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

func TestPlacesAreBounded(t *testing.T) {
	for _, most := range []int{1, 20, 1 << 30} {
		n, err := limiter.Places(limiter.InFlight{Max: most})
		require.NoError(t, err)
		require.EqualValues(t, most, n)
		require.NoError(t, limiter.InFlight{Max: most}.Validate())
		n, err = limiter.Places(&limiter.InFlight{Max: most})
		require.NoError(t, err)
		require.EqualValues(t, most, n)
	}
	for _, most := range []int{0, -1, 1<<30 + 1, math.MaxInt, math.MinInt} {
		for _, err := range []error{limiter.InFlight{Max: most}.Validate(), errOf(limiter.Places(limiter.InFlight{Max: most}))} {
			bad, ok := errors.AsType[*limiter.ConfigError](err)
			require.True(t, ok)
			require.Equal(t, "Max", bad.Field)
			require.Equal(t, most, bad.Value)
		}
	}
	for _, nothing := range []limiter.Concurrency{nil, (*limiter.InFlight)(nil)} {
		require.EqualError(t, errOf(limiter.Places(nothing)), "limiter: Concurrency = <nil>: must not be nil")
	}
}

func errOf(_ int64, err error) error { return err }
