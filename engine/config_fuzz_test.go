package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// FuzzConfig makes a Config of arbitrary numbers. Either New refuses the Config, and the errors
// name exactly the fields that cannot be used, each with its value; or the engine works.
func FuzzConfig(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 3, 1, 1, 4, 15, 1, 16, 15, 16, 2, 14, 2, 0, 0, 0, 0, 0, 0})                          // all stages, all valid
	f.Add([]byte{1, 2, 2, 2, 2, 31, 2, 2, 2, 2, 2, 2, 31, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2})     // nothing is
	f.Add([]byte{3, 2, 1, 3, 4, 15, 2, 18, 2, 3, 0, 0, 0, 0})                                            // two limits
	f.Add([]byte{3, 3, 3, 0, 4, 5, 0, 2, 1, 0, 0, 0})                                                    // nested, empty and nil ones
	f.Add([]byte{1, 6, 0, 1, 8, 0, 0, 0})                                                                // the slowest bucket
	f.Add([]byte{1, 9, 0, 1, 8, 0, 0, 0})                                                                // one that is slower
	f.Add([]byte{0, 0, 1, 12, 1, 1, 31, 1, 1, 0, 0, 0, 0, 0, 0})                                         // retries without a pause
	f.Add([]byte{0, 1, 1, 1, 1, 1, 1, 1, 0, 2, 1, 1, 1, 1})                                              // the least of everything
	f.Add([]byte{2, 1, 5, 1, 8, 8, 8, 8, 8, 8, 1, 8, 8, 8, 4, 0, 8, 0, 8, 8, 12, 8, 0})                  // the most of everything
	f.Add([]byte{2, 255, 7, 6, 5, 4, 3, 2, 1, 255, 255, 1, 2, 3, 4, 5, 6, 7, 255, 0, 0, 0, 0, 0, 0, 63}) // any number
	f.Fuzz(func(t *testing.T, data []byte) {
		c := candidate{input: data[:min(len(data), 200)], fields: map[string]field{}}
		c.build()
		if c.isBad() {
			_, err := engine.New(c.Config)
			c.requireFields(t, err)
			return
		}
		synctest.Test(t, func(t *testing.T) {
			eng, err := engine.New(c.Config)
			require.NoError(t, err, "%+v", c.Config)
			requireWorks(t, eng, c.limits)
		})
	})
}

// candidate is a Config that may or may not be valid, with a verdict about each field.
type candidate struct {
	engine.Config
	input  input
	fields map[string]field
	limits int
}

type field struct {
	value any
	bad   bool
}

// has takes down the value of the field at path, and whether the field must be refused.
func (c *candidate) has(path string, value any, bad bool) { c.fields[path] = field{value, bad} }

func (c *candidate) isBad() bool {
	for _, f := range c.fields {
		if f.bad {
			return true
		}
	}
	return false
}

func (c *candidate) build() {
	if shape := c.input.byte(); shape%4 != 0 {
		c.Limiter = c.limiter("Limiter", "Limiter.", shape%4, 2)
	}
	if c.input.byte()%2 == 1 {
		c.breaker()
	}
	if c.input.byte()%2 == 1 {
		c.retry()
	}
	c.MaxWait, c.MaxQueue, c.MaxKeys = c.duration(), int(c.input.number()), int(c.input.number())
	c.IdleAfter, c.Dispatch = c.duration(), engine.Dispatch(c.input.byte()%4)
	c.has("MaxWait", c.MaxWait, c.MaxWait < 0 && c.MaxWait != engine.NoWait)
	c.has("MaxQueue", c.MaxQueue, c.MaxQueue < 0)
	c.has("MaxKeys", c.MaxKeys, c.MaxKeys < 0 || int64(c.MaxKeys) > math.MaxInt32)
	c.has("IdleAfter", c.IdleAfter, c.IdleAfter < 0)
	c.has("Dispatch", c.Dispatch, c.Dispatch > engine.Mailbox)
}

// limiter makes a limiter of a kind. The limiter's own path is at, and the paths of its fields
// begin with path.
func (c *candidate) limiter(at, path string, kind byte, depth int) limiter.Limiter {
	switch {
	case kind == 3 && depth > 0:
		return c.all(path, depth)
	case kind == 0 && c.input.byte()%2 == 0:
		c.has(at, nil, true)
		return (*limiter.TokenBucket)(nil)
	case kind == 0:
		c.has(at, nil, true)
		return nil
	case kind == 1:
		b := limiter.TokenBucket{}
		b.Capacity, b.RefillRate = c.bucket(path, "RefillRate")
		return b
	default:
		b := limiter.LeakyBucket{}
		b.Capacity, b.LeakRate = c.bucket(path, "LeakRate")
		return &b
	}
}

func (c *candidate) all(path string, depth int) limiter.Limiter {
	members := make([]limiter.Limiter, c.input.byte()%4)
	if len(members) == 0 {
		c.has(path+"All", "no limiters", true)
	}
	for i := range members {
		at := fmt.Sprintf("%s[%d]", path, i)
		if path == "Limiter." {
			at = fmt.Sprintf("Limiter[%d]", i)
		}
		members[i] = c.limiter(at, at+".", c.input.byte()%4, depth-1)
	}
	return limiter.All(members...)
}

func (c *candidate) bucket(path, rateField string) (int, limiter.Rate) {
	c.limits++
	capacity := int(c.input.number())
	var rate limiter.Rate
	var interval uint64 // 0 if there is none
	if c.input.byte()%2 == 0 {
		n, d := c.input.number(), c.input.number()
		rate = limiter.Per(n, time.Duration(d))
		if n >= 1 && d >= n {
			interval = (uint64(d) + uint64(n) - 1) / uint64(n)
		}
	} else {
		hertz := c.input.float()
		rate = limiter.PerSecond(hertz)
		if hertz > 0 && hertz <= 1e9 && 1e9/hertz <= 1<<61 {
			interval = uint64(math.Ceil(1e9 / hertz))
		}
	}
	high, low := bits.Mul64(uint64(max(capacity, 0)), interval)
	c.has(path+"Capacity", capacity, capacity < 1 || high > 0 || low > 1<<61)
	c.has(path+rateField, rate, interval == 0)
	return capacity, rate
}

func (c *candidate) breaker() {
	p := &breaker.Policy{
		FailureThreshold: int(c.input.number()), RecoveryTimeout: c.duration(), HalfOpenSuccesses: int(c.input.number()),
		HalfOpenProbes: int(c.input.number()), ProbeTimeout: c.duration(), ForgetAfter: c.duration(),
		HalfOpenFailures: int(c.input.number()), MaxRecovery: c.duration(), RecoveryJitter: c.input.float(), Seed: uint64(c.input.byte()),
	}
	c.Breaker = p
	recovery := p.RecoveryTimeout
	if recovery == 0 {
		recovery = 5 * time.Second
	}
	short := p.MaxRecovery > 0 && p.MaxRecovery < recovery && recovery <= 1<<61
	c.has("Breaker.HalfOpenFailures", p.HalfOpenFailures, p.HalfOpenFailures < 0 || p.HalfOpenFailures > math.MaxInt32)
	c.has("Breaker.MaxRecovery", p.MaxRecovery, p.MaxRecovery < 0 || p.MaxRecovery > 1<<61 || short)
	c.has("Breaker.RecoveryJitter", p.RecoveryJitter, !(p.RecoveryJitter >= 0 && p.RecoveryJitter <= 1))
	c.has("Breaker.FailureThreshold", p.FailureThreshold, p.FailureThreshold < 0)
	c.has("Breaker.HalfOpenSuccesses", p.HalfOpenSuccesses, p.HalfOpenSuccesses < 0)
	c.has("Breaker.HalfOpenProbes", p.HalfOpenProbes, p.HalfOpenProbes < 0)
	c.has("Breaker.RecoveryTimeout", p.RecoveryTimeout, p.RecoveryTimeout < 0 || p.RecoveryTimeout > 1<<61)
	c.has("Breaker.ProbeTimeout", p.ProbeTimeout, p.ProbeTimeout < 0 || p.ProbeTimeout > 1<<61)
	c.has("Breaker.ForgetAfter", p.ForgetAfter, p.ForgetAfter < 0 || p.ForgetAfter > 1<<61)
}

func (c *candidate) retry() {
	p := &retry.Policy{
		MaxAttempts: int(c.input.number()), BaseDelay: c.duration(), MaxDelay: c.duration(), Backoff: c.input.float(),
		Jitter: retry.Jitter(c.input.byte()%8) - 1, MaxElapsed: c.duration(), Seed: uint64(c.input.byte()),
	}
	c.Retry = p
	c.has("Retry.MaxAttempts", p.MaxAttempts, p.MaxAttempts < 0)
	c.has("Retry.BaseDelay", p.BaseDelay, p.BaseDelay < 0)
	c.has("Retry.MaxDelay", p.MaxDelay, p.MaxDelay < 0 || p.MaxDelay > 0 && p.MaxDelay < p.BaseDelay)
	c.has("Retry.Backoff", p.Backoff, p.Backoff != 0 && !(p.Backoff >= 1 && p.Backoff <= math.MaxFloat64))
	c.has("Retry.Jitter", p.Jitter, p.Jitter < retry.FullJitter || p.Jitter > retry.DecorrelatedJitter)
	c.has("Retry.MaxElapsed", p.MaxElapsed, p.MaxElapsed < 0)
}

func (c *candidate) duration() time.Duration { return time.Duration(c.input.number()) }

// requireFields requires that err names every field that must be refused once, with the field's
// value, and no other field.
func (c *candidate) requireFields(t *testing.T, err error) {
	named := map[string]bool{}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%+v: %v", c.Config, err)
	}
	for _, err := range joined.Unwrap() {
		e, ok := err.(*engine.ConfigError)
		if !ok {
			t.Fatalf("%T: %v", err, err)
		}
		f := c.fields[e.Field]
		if !f.bad || named[e.Field] || e.Reason == "" || fmt.Sprint(f.value) != fmt.Sprint(e.Value) {
			t.Fatalf("%+v: nothing is wrong with it, or it is said twice, or without a reason or the value %v: %v", c.Config, f.value, e)
		}
		named[e.Field] = true
	}
	for path, f := range c.fields {
		if f.bad && !named[path] {
			t.Fatalf("%+v: nothing is said about %s = %v: %v", c.Config, path, f.value, err)
		}
	}
}

// requireWorks makes a few calls. No call may take longer than its context allows.
func requireWorks(t *testing.T, eng *engine.Engine, limits int) {
	ctx, cancel := context.WithTimeout(t.Context(), 200) // ns: no policy, however eager, makes more attempts in it than some hundred
	defer cancel()
	calls := 0
	require.NoError(t, eng.Run(ctx, "new", func(context.Context) error { calls++; return nil }), "nobody was here before")
	require.Equal(t, 1, calls)
	require.True(t, eng.Allow("other"))
	require.False(t, eng.AllowN("other", 0))
	err := eng.Run(ctx, "new", func(context.Context) error { calls++; return errDown })
	require.True(t, calls > 1 && errors.Is(err, errDown) || isRejected(err), "%d calls: %v", calls, err)
	eng.Reset("new")
	_, err = engine.Do(ctx, eng, "new", func(context.Context) (int, error) { return 0, ctx.Err() })
	require.True(t, err == nil || errors.Is(err, context.DeadlineExceeded) || isRejected(err), "%v", err)
	if s, known := eng.Inspect("new"); known {
		require.Len(t, s.Limits, limits)
		for _, l := range s.Limits {
			require.True(t, l.Available >= 0 && l.Available <= math.MaxInt64 && l.Queued >= 0 && l.Wait >= 0, "%+v", l)
		}
		require.True(t, s.Failures >= 0 && s.OpenFor >= 0 && s.Waiting == 0, "%+v", s)
	}
	time.Sleep(3 * time.Millisecond) // the shortest pauses of the supervisor are one
	require.NoError(t, eng.Close(context.Background()))
	require.ErrorIs(t, eng.Run(t.Context(), "new", succeed), engine.ErrClosed)
}

func isRejected(err error) bool {
	_, ok := errors.AsType[*engine.Rejection](err)
	return ok
}

// input is the bytes from which a fuzz target takes its choices. Beyond the end there are zeros.
type input []byte

func (in *input) byte() byte {
	if len(*in) == 0 {
		return 0
	}
	b := (*in)[0]
	*in = (*in)[1:]
	return b
}

func (in *input) raw() (n uint64) {
	for range 8 {
		n = n<<8 | uint64(in.byte())
	}
	return n
}

// edges are the numbers at which something may go wrong.
var edges = [...]int64{
	0, 1, -1, 2, 3, int64(time.Second), 1 << 61, 1<<61 + 1, math.MaxInt64, math.MinInt64, 1e9 + 1, 1 << 31, 1<<31 - 1, 1<<62 + 1, 10, 100,
}

// number is an edge, a small number or, less often, any at all.
func (in *input) number() int64 {
	switch b := in.byte(); {
	case b < 128:
		return edges[int(b)%len(edges)]
	case b < 240:
		return int64(b) - 184
	default:
		return int64(in.raw())
	}
}

func (in *input) float() float64 {
	switch b := in.byte(); {
	case b < 128:
		return []float64{0, 1, -1, 2, 1e9, 1.5, math.Nextafter(1e9, 2e9), 1e9 / float64(1<<61), math.NaN(), math.Inf(1), math.Inf(-1), 5e-324, math.MaxFloat64, 0.5, math.Nextafter(1, 0), 1e-6}[b%16]
	case b < 240:
		return float64(b)/8 - 20
	default:
		return math.Float64frombits(in.raw())
	}
}
