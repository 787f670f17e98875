package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// A row is one kind of call. Every contender makes the same calls.
type row struct {
	name     string
	settings func(*contender.Settings)
	call     func(contender.Guard, contender.Key) error
	refused  bool // how every call but the first ends
}

var errFailed = errors.New("instructions: the guarded function failed")

func succeed(context.Context) error { return nil }

func fail(context.Context) error { return errFailed }

func runs(fn func(context.Context) error) func(contender.Guard, contender.Key) error {
	return func(g contender.Guard, k contender.Key) error { return g.Run(context.Background(), k, fn) }
}

func allows(g contender.Guard, k contender.Key) error {
	if g.Allow(k) {
		return nil
	}
	return contender.ErrLimited
}

// never is an interval in which no token comes back, and no breaker recovers, while the calls are made.
const never = 1000 * time.Hour

var rows = []row{
	{name: "Run", call: runs(succeed)},
	{name: "Allow", call: allows},
	{
		name: "Run, refused by the limiter", refused: true, call: runs(succeed),
		settings: func(s *contender.Settings) { s.Capacity, s.Interval = 1, never },
	},
	{
		name: "Allow, refused by the limiter", refused: true, call: allows,
		settings: func(s *contender.Settings) { s.Capacity, s.Interval = 1, never },
	},
	{
		name: "Run, refused by the breaker", refused: true, call: runs(fail),
		settings: func(s *contender.Settings) { s.FailureThreshold = 1 },
	},
}

// of returns the settings of a row: breaker, bucket and retries, as in the contention study.
func (r row) of(keys contender.Keys) contender.Settings {
	s := contender.Settings{
		Keys: keys, Capacity: 1 << 30, Interval: time.Nanosecond, FailureThreshold: 5, RecoveryTimeout: never, Attempts: 3,
		BaseDelay: time.Nanosecond,
	}
	if r.settings != nil {
		r.settings(&s)
	}
	return s
}

// perform has a contender make the calls of a row.
func perform(name, by string, calls int) error {
	for _, r := range rows {
		for _, c := range contender.All() {
			if r.name == name && c.Name == by {
				return r.perform(c, calls)
			}
		}
	}
	return fmt.Errorf("no contender %q with calls %q", by, name)
}

func (r row) perform(c contender.Contender, calls int) error {
	keys := contender.NewKeys(1)
	g, err := c.New(r.of(keys))
	if err != nil {
		return err
	}
	key, wrong := keys.At(0), 0
	for i := range calls {
		if err := r.call(g, key); (err != nil) != r.refused && i > 0 {
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d calls %q by %s did not end as they must", wrong, calls, r.name, c.Name)
	}
	return g.Close()
}
