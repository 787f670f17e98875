package actors

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/limitpal/limitpal-go/clock"
)

// Config configures a [System]. The zero value of a field stands for the default; no field may be
// negative.
type Config struct {
	// MaxKeys is the largest number of keys at a time. Default 1,048,576, at most 2^31 - 1.
	MaxKeys int
	// IdleAfter is for how long a key goes unused before the system forgets the key, provided that
	// the key's state equals that of a new key. The system looks every IdleAfter / 8. Default 5
	// min.
	IdleAfter time.Duration
	// Linger is for how long an actor that lingers goes unused before the actor leaves. An actor
	// lingers if it is started often, or has panicked. Default IdleAfter.
	Linger time.Duration
	// Mailbox is how many messages a mailbox holds. Default 8.
	Mailbox int
	// RestartBudget is how many panics an actor may have within RestartWindow. After one more the
	// actor refuses messages for as long as RestartWindow. Default 5.
	RestartBudget int
	// RestartWindow is the time in which panics are counted. Default 1 min.
	RestartWindow time.Duration
	// Clock is the source of time. Default clock.System().
	Clock clock.Clock
	// Driver takes the place of the goroutines, for simulations. Default nil: goroutines.
	Driver Driver
}

// validate joins an error for each bad field.
func (c Config) validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MaxKeys", int64(c.MaxKeys)},
		{"IdleAfter", int64(c.IdleAfter)},
		{"Linger", int64(c.Linger)},
		{"Mailbox", int64(c.Mailbox)},
		{"RestartBudget", int64(c.RestartBudget)},
		{"RestartWindow", int64(c.RestartWindow)},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("actors: Config.%s = %d: must not be negative", f.name, f.value))
		}
	}
	if int64(c.MaxKeys) > math.MaxInt32 {
		errs = append(errs, fmt.Errorf("actors: Config.MaxKeys = %d: must be at most %d", c.MaxKeys, math.MaxInt32))
	}
	return errors.Join(errs...)
}

// orElse is v, or the fallback for 0.
func orElse[T int | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}
