package enginehttp_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// tried is chained with an upstream that is tried three times, at once, and whose breaker opens after
// three failures.
func tried(t testing.TB) *chained {
	c := newChained(t)
	c.upstream = guarding(t, engine.Config{
		Name: "upstream", Retry: thrice, Breaker: &breaker.Policy{FailureThreshold: 3, RecoveryTimeout: 30 * time.Second, ProbeTimeout: time.Minute},
	})
	return c
}

// quick is a Key whose calls never queue.
func (c *chained) quick(r *http.Request) (engine.Key, error) {
	k, err := c.of(r)
	return k.NoWait(), err
}

// roundTrip sends a request, with a body that may fail if its method is PUT, and returns the status.
func roundTrip(t testing.TB, rt http.RoundTripper, method string) (int, error) {
	t.Helper()
	req := newRequest(t, method, "http://h/", nil)
	if method == http.MethodPut {
		setBody(req, 4, "body")
		req.Body = &closeCounter{Reader: strings.NewReader("body")}
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		if method == http.MethodPut {
			require.NotZero(t, req.Body.(*closeCounter).closed.Load(), "the body of the request is open")
		}
		return 0, err
	}
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, nil
}

// TestATransportsChainPasses: an attempt takes a token of each key, and further attempts none of an engine with PerCall. Each breaker
// hears of each attempt.
func TestATransportsChainPasses(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		synctest.Test(t, func(t *testing.T) {
			engines, status := tried(t), new(atomic.Int64)
			audit := &auditBase{RoundTripper: readingBase(status)}
			tr := &enginehttp.Transport{Chain: engines.quick, Base: audit}
			status.Store(200)
			got, err := roundTrip(t, tr, method)
			require.NoError(t, err)
			require.Equal(t, 200, got)
			require.Equal(t, [2]float64{3, 7}, engines.tokens(t))
			status.Store(503)
			got, err = roundTrip(t, tr, method)
			require.NoError(t, err)
			require.Equal(t, 503, got, "the last response")
			require.EqualValues(t, 4, audit.sent.Load())
			require.Equal(t, breaker.Open, engines.state())
			require.InDelta(t, 2, left(t, engines.client, "c"), 1e-6, "a token for each call")
			require.InDelta(t, 4, left(t, engines.tenant, "t"), 1e-6, "a token for each attempt")
			engines.nothingKept(t)
		})
	}
}

// TestEachKeyOfATransportsChainRefuses, and no key loses a token.
func TestEachKeyOfATransportsChainRefuses(t *testing.T) {
	for name, c := range refusals {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			t.Run(name+" "+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					engines, status := newChained(t), new(atomic.Int64)
					status.Store(200)
					audit := &auditBase{RoundTripper: readingBase(status)}
					tr := &enginehttp.Transport{Chain: engines.quick, Base: audit}
					_, err := roundTrip(t, tr, method)
					require.NoError(t, err)
					time.Sleep(20 * time.Second) // all are full, and known
					c.spoil(t, engines)
					client := left(t, engines.client, "c")
					_, err = roundTrip(t, tr, method)
					refused, ok := errors.AsType[*engine.Rejection](err)
					require.True(t, ok, "%v", err)
					require.Equal(t, c.engine, refused.Engine)
					require.Equal(t, c.status == http.StatusTooManyRequests, refused.Limited())
					after, _ := time.ParseDuration(c.retryAfter + "s")
					require.Equal(t, after, refused.RetryAfter())
					require.EqualValues(t, 1, audit.sent.Load())
					require.Equal(t, client, left(t, engines.client, "c"), "the client has lost a token")
					engines.nothingKept(t)
				})
			})
		}
	}
}

// TestTheTokensOfATransportsChainComeBack if the breaker opens while the request waits for the tenant.
func TestTheTokensOfATransportsChainComeBack(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		synctest.Test(t, func(t *testing.T) {
			engines, status := newChained(t), new(atomic.Int64)
			tr := &enginehttp.Transport{Chain: engines.of, Base: readingBase(status)}
			use(t, engines.client, "c", 3) // one is left
			use(t, engines.tenant, "t", 8)
			time.AfterFunc(10*time.Second, func() { engines.trip(t) })
			begun := time.Now()
			_, err := roundTrip(t, tr, method)
			require.ErrorIs(t, err, breaker.ErrOpen)
			require.Equal(t, 20*time.Second, time.Since(begun))
			require.Equal(t, [2]float64{3, 1}, engines.tokens(t), "one, and two more in the 20 s")
			engines.nothingKept(t)
		})
	}
}

// TestAProbeOfATransportsChainGivesItsPlaceBack while its body is awaited, also if the body can be had again.
func TestAProbeOfATransportsChainGivesItsPlaceBack(t *testing.T) {
	for _, again := range []bool{true, false} {
		for _, others := range []bool{true, false} {
			for _, end := range []int64{200, 500} {
				synctest.Test(t, func(t *testing.T) {
					engines, status := newChained(t), new(atomic.Int64)
					status.Store(200)
					tr := &enginehttp.Transport{Chain: engines.quick, Base: readingBase(status)}
					engines.trip(t)
					time.Sleep(30 * time.Second)
					start := upload
					if again {
						start = func(t *testing.T, rt http.RoundTripper) (*io.PipeWriter, chan error) {
							return uploadAgain(t, rt, "PUT", 0)
						}
					}
					client, done := start(t, tr)
					synctest.Wait()
					require.ErrorIs(t, get(t, tr), breaker.ErrOpen, "the upload is the probe")
					time.Sleep(100 * time.Millisecond)
					synctest.Wait()
					if others {
						require.NoError(t, get(t, tr), "and then it is not")
						require.Equal(t, breaker.Closed, engines.state())
					}
					time.Sleep(time.Minute)
					status.Store(end)
					require.NoError(t, client.Close())
					require.NoError(t, <-done)
					if others || end == 200 {
						require.Equal(t, breaker.Closed, engines.state(), "the call is no probe of a closed breaker")
					} else {
						require.Equal(t, breaker.Open, engines.state())
					}
					engines.nothingKept(t)
				})
			}
		}
	}
}

// TestALaterAttemptOfAChainKeepsNoProbe: the first attempt has opened the breaker, and the second is a probe whose body is slow.
func TestALaterAttemptOfAChainKeepsNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, well := fallible(t, false, 100)
		users, hosts := guarding(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: 9, RefillRate: limiter.Per(1, time.Hour)}, PerCall: true}), tr.Engine
		tr.Engine, tr.Chain = nil, func(*http.Request) (engine.Key, error) { return engine.Chain(users.Key("u"), hosts.Key("h")), nil }
		client, done := uploadAgain(t, tr, "PUT", 1)
		time.Sleep(time.Second / 2)
		require.ErrorIs(t, get(t, tr), breaker.ErrOpen)
		well.Store(true)
		time.Sleep(3 * time.Second / 2) // the second attempt begins
		synctest.Wait()
		require.ErrorIs(t, get(t, tr), breaker.ErrOpen, "the upload is the probe")
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		require.NoError(t, get(t, tr), "and then it is not")
		require.NoError(t, client.Close())
		require.NoError(t, <-done)
	})
}

// TestABodyOfAChainIsTriedAgain though it may fail, as long as no attempt is a probe.
func TestABodyOfAChainIsTriedAgain(t *testing.T) {
	engines := tried(t)
	n := 0
	tr := &enginehttp.Transport{Chain: engines.quick, Base: transportFunc(func(r *http.Request) (*http.Response, error) {
		status := new(atomic.Int64)
		if status.Store(503); n > 0 {
			status.Store(200)
		}
		n++
		return readingBase(status)(r)
	})}
	client, done := uploadAgain(t, tr, "PUT", 1)
	require.NoError(t, client.Close())
	require.NoError(t, <-done)
	require.Equal(t, 2, n)
	require.Equal(t, breaker.Closed, engines.state())
}

var errNoUser = errors.New("no user")

// TestATransportWithAChainThatCannotBeUsed returns an error, sends nothing, and closes the body.
func TestATransportWithAChainThatCannotBeUsed(t *testing.T) {
	engines := newChained(t)
	audit := &auditBase{RoundTripper: readingBase(new(atomic.Int64))}
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		for name, tr := range map[string]*enginehttp.Transport{
			"Engine": {Chain: engines.of, Engine: engines.client, Base: audit},
			"Key":    {Chain: engines.of, Key: func(*http.Request) string { return "k" }, Base: audit},
			"zero":   {Chain: func(*http.Request) (engine.Key, error) { return engine.Key{}, nil }, Base: audit},
			"no key": {Chain: func(*http.Request) (engine.Key, error) { return engine.Chain(engine.Key{}), nil }, Base: audit},
		} {
			_, err := roundTrip(t, tr, method)
			invalid, ok := errors.AsType[*engine.ConfigError](err)
			require.True(t, ok, "%s: %v", name, err)
			require.Equal(t, "Transport.Chain", invalid.Field, name)
		}
		for name, c := range unusable(t, engines) {
			if c.field == "Timeout" || c.field == "AttemptTimeout" { // of a Handler only
				continue
			}
			tr := &enginehttp.Transport{Chain: func(*http.Request) (engine.Key, error) { return c.key, nil }, Base: audit}
			for range 2 {
				_, err := roundTrip(t, tr, method)
				invalid, ok := errors.AsType[*engine.ConfigError](err)
				require.True(t, ok, "%s: %v", name, err)
				require.Equal(t, c.field, invalid.Field, name)
			}
		}
		tr := &enginehttp.Transport{Chain: func(*http.Request) (engine.Key, error) { return engine.Key{}, errNoUser }, Base: audit}
		_, err := roundTrip(t, tr, method)
		require.Equal(t, errNoUser, err)
	}
	require.Zero(t, audit.sent.Load())
	_, err := (&enginehttp.Transport{}).RoundTrip(newRequest(t, "GET", "http://h/", nil))
	require.EqualError(t, err, "engine: Transport.Engine = <nil>: must not be nil, unless Chain is set")
}

// TestTheRetriesOfATransportsChain are those of the first engine that has some.
func TestTheRetriesOfATransportsChain(t *testing.T) {
	twice := guarding(t, engine.Config{Retry: &retry.Policy{MaxAttempts: 2, BaseDelay: time.Nanosecond, Jitter: retry.NoJitter}})
	engines, status := tried(t), new(atomic.Int64)
	status.Store(503)
	audit := &auditBase{RoundTripper: readingBase(status)}
	tr := &enginehttp.Transport{Base: audit, Chain: func(*http.Request) (engine.Key, error) {
		return engine.Chain(engines.client.Key("c"), twice.Key("k"), engines.upstream.Key("u")), nil
	}}
	_, err := roundTrip(t, tr, http.MethodGet)
	require.NoError(t, err)
	require.EqualValues(t, 2, audit.sent.Load())
}
