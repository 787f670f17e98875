package engine_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
)

// meddled is the system's clock. The next reading calls meddle first.
type meddled struct {
	clock.Clock
	meddle func()
}

func (c *meddled) Now() time.Time {
	if f := c.meddle; f != nil {
		c.meddle = nil
		f()
	}
	return c.Clock.Now()
}

// A key stops to judge slow calls between the look whether a call was slow and the turn of its report. (The caller
// used to wait for the turn for ever.)
func TestASlowCallReturnsAlthoughNobodyJudgesItAnyMore(t *testing.T) {
	c := &meddled{Clock: clock.System()}
	eachDispatch(t, engine.Config{Breaker: &breaker.Policy{SlowRate: 1, SlowAfter: time.Second}, Clock: c}, func(t *testing.T, eng *engine.Engine) {
		var caller sync.WaitGroup
		caller.Go(func() {
			assert.NoError(t, eng.Run(t.Context(), "k", func(context.Context) error {
				time.Sleep(time.Second)
				c.meddle = func() {
					cfg := eng.Config()
					cfg.Breaker = &breaker.Policy{}
					assert.NoError(t, eng.Reconfigure(cfg))
					eng.Inspect("k") // the key follows
				}
				return nil
			}))
		})
		waitFor(t, &caller)
		require.EqualValues(t, 1, eng.Stats().Slow)
	})
}
