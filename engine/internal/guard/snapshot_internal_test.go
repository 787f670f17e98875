package guard

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/limiter"
)

// hookedClock calls hook before each reading, so that a turn may come there.
type hookedClock struct {
	clock.Clock
	hook func()
}

func (c *hookedClock) Now() time.Time {
	if c.hook != nil {
		c.hook()
	}
	return c.Clock.Now()
}

// TestAGlanceSeesOneMoment has a turn come while Glance reads the clock. Each of the turns leaves
// full-at where it was. The actor has to be asked.
func TestAGlanceSeesOneMoment(t *testing.T) {
	for name, row := range map[string]struct {
		turn func(b *Behavior, g *Gate)
		sees bool
	}{
		"nothing": {func(*Behavior, *Gate) {}, true},
		"a failure is counted": {func(b *Behavior, g *Gate) {
			g.posted.Store(&b.policy().counted)
		}, false},
		"a failure that trips, and a Reset in the instant of full-at": {func(b *Behavior, g *Gate) {
			g.generation.Store(b.generation())
		}, false},
		"a token is taken": {func(_ *Behavior, g *Gate) { g.fullAt.Add(1) }, false},
		"the actor owns the gate": {func(_ *Behavior, g *Gate) {
			g.fullAt.Store(owned)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := behaviorOf(t, settings{
					Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)}, Breaker: &breaker.Policy{},
				})
				c := &hookedClock{Clock: clock.System()}
				system, err := actors.New(b, actors.Config{Clock: c})
				require.NoError(t, err)
				defer func() { require.NoError(t, system.Close(context.Background())) }()
				var g Gate
				var s State
				b.Init(1, "k", &g, &s)
				c.hook = func() {
					c.hook = nil
					row.turn(b, &g)
				}
				require.Equal(t, row.sees, b.Glance(system, &g, &Snapshot{}))
				require.Nil(t, c.hook, "the clock was read")
			})
		})
	}
}
