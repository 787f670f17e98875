package cookbook

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// consume takes jobs from a queue no faster than the upstream of their topic bears, and puts a job back if its breaker is
// open.
func consume(ctx context.Context, topics *engine.Engine, jobs <-chan string, handle func(context.Context, string) error, putBack func(string, time.Duration)) {
	for job := range jobs {
		err := topics.Run(ctx, "orders", func(ctx context.Context) error { return handle(ctx, job) })
		if r, refused := errors.AsType[*engine.Rejection](err); refused {
			putBack(job, r.RetryAfter())
		}
	}
}

// background paces jobs that are in no hurry: one every 200 ms, however many there are.
func background() (*engine.Engine, error) {
	return engine.New(engine.Config{
		Name:     "thumbnails",
		Limiter:  limiter.LeakyBucket{Capacity: 1000, LeakRate: limiter.PerSecond(5)},
		MaxQueue: 1000,
	})
}

// plans gives free and paying tenants their own limits. Refresh takes an upgrade over.
func plans(planOf func(tenant string) string) (*engine.Engine, error) {
	limits := map[string]limiter.Limiter{
		"free": limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(60, time.Minute)},
		"pro":  limiter.TokenBucket{Capacity: 200, RefillRate: limiter.PerSecond(100)},
	}
	return engine.New(engine.Config{
		Name:       "tenants",
		LimiterFor: func(tenant string) limiter.Limiter { return limits[planOf(tenant)] },
		Limiter:    limits["free"], // of a tenant without a plan
		MaxWait:    engine.NoWait,
	})
}

// login allows five wrong passwords per account, and one more every ten minutes. A right password makes the account as
// new. The token is taken before the password is looked at, so that many guesses at once gain nothing.
func login(accounts *engine.Engine, account string, right func() bool) (ok bool, retryAfter time.Duration) {
	err := accounts.Key(account).NoWait().Acquire(context.Background())
	if r, refused := errors.AsType[*engine.Rejection](err); refused {
		return false, r.RetryAfter()
	}
	if err != nil || !right() {
		return false, 0
	}
	accounts.Reset(account)
	return true, 0
}

// uploads limits the bandwidth of each connection to 1 MB/s, and that of all together to 20 MB/s.
func uploads(l net.Listener) (net.Listener, error) {
	each, err := engine.New(engine.Config{Limiter: limiter.TokenBucket{Capacity: 1 << 18, RefillRate: limiter.PerSecond(1 << 20)}})
	if err != nil {
		return nil, err
	}
	all, err := engine.New(engine.Config{Limiter: limiter.TokenBucket{Capacity: 5 << 20, RefillRate: limiter.PerSecond(20 << 20)}})
	if err != nil {
		return nil, err
	}
	return &enginenet.Listener{
		Listener: l, PerConn: each, PerKey: all, Key: func(net.Addr) string { return "all" }, Direction: enginenet.Reads,
	}, nil
}

// cron runs a job that must not hammer a system that is down: the run is skipped while the breaker is open, and the
// next one finds out whether the system is back.
func cron(ctx context.Context, jobs *engine.Engine, name string, run func(context.Context) error) error {
	err := jobs.Run(ctx, name, run)
	if errors.Is(err, breaker.ErrOpen) {
		return nil // the log has had the event
	}
	return err
}

// languageModel keeps to a budget of tokens per minute. The cost of a call is known when the call has ended: until then
// the call has paid one token, and the next call waits for the rest.
func languageModel(ctx context.Context, model engine.Key, generate func(context.Context) (text string, tokens int, err error)) (string, error) {
	return engine.DoKey(ctx, model, func(ctx context.Context) (string, error) {
		text, tokens, err := generate(ctx)
		model.Charge(tokens - 1)
		return text, err
	})
}

// budget is the engine of languageModel.
func budget() (*engine.Engine, error) {
	return engine.New(engine.Config{
		Name:           "model",
		Limiter:        limiter.TokenBucket{Capacity: 20_000, RefillRate: limiter.Per(60_000, time.Minute)},
		Retry:          &retry.Policy{MaxAttempts: 3},
		AttemptTimeout: time.Minute,
	})
}
