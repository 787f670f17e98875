package actors_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// TestLingeringIsBounded: however many keys are started often, and those that have gone unused give up their seats.
func TestLingeringIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{}, nil)
		for i := range 2 * actors.Seats {
			linger(t, s, fmt.Sprint(i))
			require.LessOrEqual(t, s.Stats().Actors, actors.Seats)
		}
		require.Equal(t, actors.Seats, s.Stats().Actors)
		last := fmt.Sprint(2*actors.Seats - 1)
		require.NoError(t, do(t, s, last, add(1)))
		after(actors.Patience)
		for range 2 {
			require.NoError(t, do(t, s, last, add(1)))
			synctest.Wait()
		}
		require.Equal(t, actors.Seats, s.Stats().Actors)
		after(actors.Patience / 2)
		for range 100 { // others have no seat to get from one that is used
			require.NoError(t, do(t, s, last, add(1)))
			synctest.Wait()
		}
		require.Equal(t, actors.Seats, s.Stats().Actors)
	})
}
