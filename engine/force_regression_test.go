package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// A call holds the token of a narrow key and waits for a wide one. Meanwhile the narrow key is spilled and, in a cell of its own,
// opened by hand. The call is refused. (It passed if the engine of the narrow key had no breaker: the cell from before was asked.)
func TestAKeyThatIsOpenedByHandInALaterCellRefusesTheCallThatWaits(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				users := start(t, engine.Config{Dispatch: d, MaxKeys: 2, Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Hour)}})
				wide := start(t, engine.Config{Dispatch: d, Limiter: oneEvery(time.Second)})
				require.True(t, wide.Allow("w"))
				ended := make(chan error)
				go func() { ended <- engine.Chain(users.Key("u"), wide.Key("w")).Run(t.Context(), succeed) }()
				synctest.Wait()
				for users.Stats().Spilled == 0 {
					users.AllowN("x", 2)
					users.AllowN("y", 2)
				}
				_, known := users.Inspect("u")
				require.False(t, known, "the key with the most tokens goes first")
				require.NoError(t, users.Force("u", breaker.Open, breaker.Forever))
				rejected(t, <-ended, breaker.ErrOpen)
			})
		})
	}
}
