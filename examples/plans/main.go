// Plans gives users the limit of their plan, and changes plans and limits while calls run.
//
//	go run ./examples/plans
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// plans are the limits by plan, and the plan of each user.
type plans struct {
	limits map[string]limiter.TokenBucket
	of     sync.Map // user to plan
}

func (p *plans) limit(user string) limiter.Limiter {
	if plan, ok := p.of.Load(user); ok {
		return p.limits[plan.(string)]
	}
	return nil // Config.Limiter
}

// calls is n calls every 10 s, and as many at once.
func calls(n int) limiter.TokenBucket {
	return limiter.TokenBucket{Capacity: n, RefillRate: limiter.Per(int64(n), 10*time.Second)}
}

func run(ctx context.Context, out io.Writer) error {
	p := &plans{limits: map[string]limiter.TokenBucket{"pro": calls(60)}}
	cfg := engine.Config{Limiter: calls(6), LimiterFor: p.limit, MaxWait: engine.NoWait}
	users, err := engine.New(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = users.Close(ctx) }()

	say := log.New(out, "", 0).Printf
	spend := func(user string, n int) {
		served := 0
		for range n {
			if users.Allow(user) {
				served++
			}
		}
		left, _ := users.Inspect(user)
		say("%s: %d of %d calls served, %.1f tokens left", user, served, n, left.Limits[0].Available)
	}
	p.of.Store("pat", "pro")
	spend("ann", 4)
	spend("pat", 50)

	say("ann buys the plan of pat: her 2 tokens stay, and 6 a second come")
	p.of.Store("ann", "pro")
	users.Refresh("ann")
	time.Sleep(600 * time.Millisecond)
	spend("ann", 10)

	say("pat gives the plan back: 6 of 13 tokens stay, and 6 come in 10 s")
	p.of.Delete("pat")
	users.Refresh("pat")
	spend("pat", 10)

	say("an attack at night: without a plan there is 1 call in 10 s now")
	waited := make(chan error, 1)
	cfg.Limiter, cfg.MaxWait = calls(1), time.Minute
	if err := users.Reconfigure(cfg); err != nil {
		return err
	}
	go func() { waited <- users.Acquire(ctx, "pat") }() // for 10 s, by this limit
	time.Sleep(time.Second)
	spend("eve", 5)

	say("a typing error changes nothing:")
	wrong := cfg
	wrong.Limiter = limiter.TokenBucket{Capacity: 0, RefillRate: limiter.PerSecond(1)}
	if bad, ok := errors.AsType[*engine.ConfigError](users.Reconfigure(wrong)); ok {
		say("%s must be fixed: %s", bad.Field, bad.Reason)
	}
	say("the attack is over, and a caller that waits goes sooner:")
	cfg.Limiter = calls(6)
	begun := time.Now()
	if err := errors.Join(users.Reconfigure(cfg), <-waited); err != nil {
		return err
	}
	say("pat waited for %v more", time.Since(begun).Round(100*time.Millisecond))
	return nil
}
