package peers

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/sethvargo/go-limiter"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/sony/gobreaker/v2"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	"go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"github.com/limitpal/limitpal-go/bench/contender"
)

var errFailed = errors.New("peers: the call failed")

func nothing() error { return nil }

func rateStamped(s contender.Settings, now func() time.Time) (Limit, error) {
	l := rate.NewLimiter(rate.Every(s.Interval), s.Capacity)
	return Limit{func(n int64) bool { return l.AllowN(now(), int(n)) }, nothing}, nil
}

func rateCounted(s contender.Settings) (Limit, error) { return rateStamped(s, time.Now) }

// uberClock is a clock that is told the time, and notes when somebody would have slept.
type uberClock struct {
	now   func() time.Time
	slept bool
}

func (c *uberClock) Now() time.Time      { return c.now() }
func (c *uberClock) Sleep(time.Duration) { c.slept = true }

func uberStamped(s contender.Settings, now func() time.Time) (Limit, error) {
	c := &uberClock{now: now}
	l := ratelimit.New(1, ratelimit.Per(s.Interval), ratelimit.WithSlack(s.Capacity-1), ratelimit.WithClock(c))
	return Limit{func(int64) bool {
		c.slept = false
		l.Take()
		return !c.slept
	}, nothing}, nil
}

func throttledLimiter(s contender.Settings, keys int, now func() time.Time) (*throttled.GCRARateLimiterCtx, error) {
	store, err := memstore.New(keys)
	if err != nil {
		return nil, err
	}
	store.SetTimeNow(now)
	return throttled.NewGCRARateLimiterCtx(throttled.WrapStoreWithContext(store),
		throttled.RateQuota{MaxRate: throttled.PerDuration(1, s.Interval), MaxBurst: s.Capacity - 1})
}

func throttledTake(l *throttled.GCRARateLimiterCtx, key string, n int64) bool {
	limited, _, err := l.RateLimitCtx(context.Background(), key, int(n))
	return !limited && err == nil
}

func throttledStamped(s contender.Settings, now func() time.Time) (Limit, error) {
	l, err := throttledLimiter(s, 0, now)
	return Limit{func(n int64) bool { return throttledTake(l, "k", n) }, nothing}, err
}

func throttledCounted(s contender.Settings) (Limit, error) { return throttledStamped(s, time.Now) }

// allows is a guard of which only Allow is asked.
type allows struct {
	contender.Guard
	allow func(key string) bool
	close func() error
}

func (g allows) Allow(key contender.Key) bool { return g.allow(key.Name) }
func (g allows) Close() error                 { return g.close() }

func throttledCrowded(s contender.Settings) (contender.Guard, error) {
	l, err := throttledLimiter(s, roomFor, time.Now)
	return allows{allow: func(key string) bool { return throttledTake(l, key, 1) }, close: nothing}, err
}

func goLimiterCrowded(s contender.Settings) (contender.Guard, error) {
	store, err := memorystore.New(&memorystore.Config{
		Tokens: uint64(s.Capacity), Interval: time.Duration(s.Capacity) * s.Interval,
		SweepInterval: forgetAfter, SweepMinTTL: forgetAfter,
	})
	return allows{allow: func(key string) bool { return goLimiterTake(store, key) }, close: func() error {
		return store.Close(context.Background())
	}}, err
}

func goLimiterTake(store limiter.Store, key string) bool {
	_, _, _, ok, err := store.Take(context.Background(), key)
	return ok && err == nil
}

func failsafeCounted(s contender.Settings) (Limit, error) {
	l := ratelimiter.NewBursty[struct{}](uint(s.Capacity), time.Duration(s.Capacity)*s.Interval)
	return Limit{func(n int64) bool { return l.TryAcquirePermits(uint(n)) }, nothing}, nil
}

func goBreakerCallback() error {
	var b *gobreaker.CircuitBreaker[struct{}]
	asked := false
	b = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		ReadyToTrip:   func(gobreaker.Counts) bool { return true },
		OnStateChange: func(string, gobreaker.State, gobreaker.State) { asked = b.State() == gobreaker.StateOpen },
	})
	_, _ = b.Execute(func() (struct{}, error) { return struct{}{}, errFailed })
	return wasAsked(asked)
}

func failsafeCallback() error {
	var b circuitbreaker.CircuitBreaker[struct{}]
	asked := false
	b = circuitbreaker.NewBuilder[struct{}]().
		OnStateChanged(func(circuitbreaker.StateChangedEvent) { asked = b.State() == circuitbreaker.OpenState }).
		Build()
	_ = failsafe.With(b).Run(func() error { return errFailed })
	return wasAsked(asked)
}

func wasAsked(asked bool) error {
	if !asked {
		return errors.New("the callback did not find the breaker open")
	}
	return nil
}
