package engine

import (
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// behavior is the behavior of the keys' actors: guard.Behavior, or an observer around it.
type behavior = actors.Behavior[guard.Gate, guard.State, guard.Message]

// driver takes the place of the goroutines and of the system's time, for the simulation. An engine
// without a driver runs on goroutines.
type driver interface {
	actors.Driver
	// Observe returns the behavior to run in place of b.
	Observe(b *guard.Behavior) behavior
	// Until is time.Until, for the deadlines of contexts.
	Until(deadline time.Time) time.Duration
	// Sending is called before a caller's message is sent for the first time.
	Sending(m guard.Message)
}

// until is the time left until the deadline of a context.
func (e *Engine) until(deadline time.Time) time.Duration {
	if e.driver != nil {
		return e.driver.Until(deadline)
	}
	return time.Until(deadline)
}
