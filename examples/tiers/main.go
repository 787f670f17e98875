// Tiers limits a user, the user's tenant and the whole process with one chain of three keys.
//
//	go run ./examples/tiers
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

func run(ctx context.Context, out io.Writer) error {
	tier := func(name string, tokens int, every, maxWait time.Duration) engine.Config {
		bucket := limiter.TokenBucket{Capacity: tokens, RefillRate: limiter.Per(1, every)}
		return engine.Config{Name: name, Limiter: bucket, MaxWait: maxWait}
	}
	users, err1 := engine.New(tier("user", 5, time.Hour, engine.NoWait))
	tenants, err2 := engine.New(tier("tenant", 3, 200*time.Millisecond, engine.NoWait))
	process, err3 := engine.New(tier("process", 4, 500*time.Millisecond, time.Minute)) // calls wait here
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	defer func() { _ = errors.Join(users.Close(ctx), tenants.Close(ctx), process.Close(ctx)) }()

	say := log.New(out, "", 0).Printf // any goroutine may call it
	call := func(ctx context.Context, user, tenant string) {
		k := engine.Chain(users.Key(user), tenants.Key(tenant), process.Key("all"))
		err := k.Run(ctx, func(context.Context) error { say("%s of %s is served", user, tenant); return nil })
		if r, refused := errors.AsType[*engine.Rejection](err); refused {
			after := r.RetryAfter().Round(100 * time.Millisecond)
			say("%s of %s is refused by the limit of the %s, come back in %v", user, tenant, r.Engine, after)
		}
		if s, _ := users.Inspect(user); err != nil {
			say("%s has %.0f of 5 tokens", user, s.Limits[0].Available)
		}
	}
	for range 3 {
		call(ctx, "ann", "acme") // takes a token of each key
	}
	call(ctx, "bob", "acme")   // the tenant has no token, and so bob's token stays
	call(ctx, "eve", "globex") // the last token of the process
	call(ctx, "bob", "acme")   // the tenant refuses again; the process would make bob wait longer

	say("pam, pat and pia of initech wait, then eve of globex comes, and pia hangs up:")
	piaCtx, hangUp := context.WithCancel(ctx)
	var callers sync.WaitGroup
	wait := func(ctx context.Context, user, tenant string) {
		callers.Go(func() { call(ctx, user, tenant) })
		time.Sleep(20 * time.Millisecond) // so that they come in this order
	}
	wait(ctx, "pam", "initech")
	wait(ctx, "pat", "initech")
	wait(piaCtx, "pia", "initech")
	wait(ctx, "eve", "globex") // overtakes pam and pat: tenants take turns
	hangUp()                   // the tokens of pia and of initech come back
	callers.Wait()
	return nil
}
