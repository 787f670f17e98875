package enginehttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
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
)

// chained is what the tests of chains guard a request with: a client, its tenant, and an upstream.
type chained struct{ client, tenant, upstream *engine.Engine }

// newChained makes the engines. A client has 4 tokens and one more every 10 s, and a tenant has 8 and
// one more every 20 s. One failure opens the breaker of an upstream for 30 s.
func newChained(t testing.TB) *chained {
	return &chained{
		client: guarding(t, engine.Config{Name: "client", PerCall: true, Limiter: limiter.TokenBucket{Capacity: 4, RefillRate: limiter.Per(1, 10*time.Second)}}),
		tenant: guarding(t, engine.Config{Name: "tenant", Limiter: limiter.TokenBucket{Capacity: 8, RefillRate: limiter.Per(1, 20*time.Second)}}),
		upstream: guarding(t, engine.Config{
			Name: "upstream", Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 30 * time.Second, ProbeTimeout: time.Minute},
		}),
	}
}

// of is a Chain for one client of one tenant. Its keys begin with other letters.
func (c *chained) of(*http.Request) (engine.Key, error) {
	return engine.Chain(c.client.Key("c"), c.tenant.Key("t"), c.upstream.Key("u")), nil
}

// handler serves with status, after the body has come.
func (c *chained) handler(status *atomic.Int64) *enginehttp.Handler {
	return &enginehttp.Handler{Chain: c.of, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(int(status.Load()))
	})}
}

// tokens is what is left to the client and to the tenant.
func (c *chained) tokens(t testing.TB) [2]float64 {
	t.Helper()
	return [2]float64{left(t, c.client, "c"), left(t, c.tenant, "t")}
}

// left is the number of tokens of key.
func left(t testing.TB, eng *engine.Engine, key string) float64 {
	t.Helper()
	s, known := eng.Inspect(key)
	if !known {
		return float64(eng.Limits()[0].Capacity())
	}
	return s.Limits[0].Available
}

// nothingKept says that every token of a request that was not made has come back.
func (c *chained) nothingKept(t testing.TB) {
	t.Helper()
	require.Zero(t, c.client.Stats().KeptSpent+c.tenant.Stats().KeptSpent+c.upstream.Stats().KeptSpent)
}

// use takes tokens of a key outside of the chain.
func use(t testing.TB, eng *engine.Engine, key string, tokens int) {
	t.Helper()
	require.True(t, eng.AllowN(key, tokens))
}

// trip opens the breaker of an upstream.
func (c *chained) trip(t testing.TB) {
	t.Helper()
	require.Error(t, c.upstream.Run(t.Context(), "u", func(context.Context) error { return errors.New("dead") }))
}

func (c *chained) state() breaker.State {
	s, _ := c.upstream.Inspect("u")
	return s.Breaker
}

// refusals are the ways in which a request of a chain is refused. Retry-After is about all keys.
var refusals = map[string]struct {
	spoil      func(testing.TB, *chained)
	engine     string
	status     int
	retryAfter string
	rateLimit  string // of the client, whoever refuses
	violated   []any
}{
	"client": {
		func(t testing.TB, c *chained) { use(t, c.client, "c", 4) }, "client", 429, "10", `"default";r=0;t=10`, []any{"default"},
	},
	"tenant": {
		func(t testing.TB, c *chained) { use(t, c.tenant, "t", 8) }, "tenant", 429, "20", `"default";r=4;t=0`, nil,
	},
	"upstream": {
		func(t testing.TB, c *chained) { c.trip(t) }, "upstream", 503, "30", `"default";r=4;t=0`, nil,
	},
	"client, and the tenant would": {
		func(t testing.TB, c *chained) { use(t, c.client, "c", 4); use(t, c.tenant, "t", 8) },
		"client", 429, "20", `"default";r=0;t=10`, []any{"default"},
	},
	"tenant, and the upstream would": {
		func(t testing.TB, c *chained) { use(t, c.tenant, "t", 8); c.trip(t) }, "tenant", 429, "30", `"default";r=4;t=0`, nil,
	},
	"a closed engine": {
		func(t testing.TB, c *chained) { require.NoError(t, c.tenant.Close(t.Context())) }, "tenant", 503, "", `"default";r=4;t=0`, nil,
	},
}

// TestEachKeyOfAHandlersChainRefuses, with its own status, and no key loses a token.
func TestEachKeyOfAHandlersChainRefuses(t *testing.T) {
	for name, c := range refusals {
		for _, method := range []string{http.MethodGet, http.MethodPut} { // without and with a body
			t.Run(name+" "+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					engines, status := newChained(t), new(atomic.Int64)
					status.Store(200)
					h := engines.handler(status)
					require.Equal(t, http.StatusOK, sendTo(t, h, method).status)
					time.Sleep(20 * time.Second) // all are full, and known
					c.spoil(t, engines)
					client := left(t, engines.client, "c")
					got := sendTo(t, h, method)
					require.Equal(t, c.status, got.status)
					require.Equal(t, c.retryAfter, got.header.Get("Retry-After"))
					require.Equal(t, c.rateLimit, got.header.Get("RateLimit"))
					problem := problemOf(t, got)
					if c.violated == nil {
						require.NotContains(t, problem, "violated-policies")
					} else {
						require.Equal(t, c.violated, problem["violated-policies"])
					}
					require.Equal(t, client, left(t, engines.client, "c"), "the client has lost a token")
					engines.nothingKept(t)

					var refused *engine.Rejection
					h = engines.handler(status)
					h.Refuse = func(w http.ResponseWriter, _ *http.Request, why *engine.Rejection) {
						refused = why
						w.WriteHeader(http.StatusTeapot)
					}
					require.Equal(t, http.StatusTeapot, sendTo(t, h, method).status)
					require.Equal(t, c.engine, refused.Engine)
				})
			})
		}
	}
}

// sendTo has h answer a request, which has a body if its method is PUT.
func sendTo(t testing.TB, h http.Handler, method string) reply {
	t.Helper()
	var body io.Reader
	if method == http.MethodPut {
		body = io.MultiReader(strings.NewReader("body"))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/", body))
	return reply{w.Code, w.Result().Header, w.Body.String(), nil}
}

// TestAHandlersChainPasses: a request takes a token of each key, and the answer tells what the first
// key has left.
func TestAHandlersChainPasses(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		synctest.Test(t, func(t *testing.T) {
			engines, status := newChained(t), new(atomic.Int64)
			status.Store(200)
			h := engines.handler(status)
			for i := range 3 {
				got := sendTo(t, h, method)
				require.Equal(t, http.StatusOK, got.status)
				require.Equal(t, `"default";q=4;w=40`, got.header.Get("RateLimit-Policy"))
				require.Equal(t, []string{`"default";r=3;t=10`, `"default";r=2;t=10`, `"default";r=1;t=10`}[i], got.header.Get("RateLimit"))
				require.Equal(t, [2]float64{float64(3 - i), float64(7 - i)}, engines.tokens(t))
			}
			status.Store(500)
			require.Equal(t, 500, sendTo(t, h, method).status)
			require.Equal(t, breaker.Open, engines.state(), "the upstream hears of the failure")
		})
	}
}

// TestAHandlersChainWithoutALimiterInFront has no fields, though a wider key has a limiter.
func TestAHandlersChainWithoutALimiterInFront(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engines := newChained(t)
		h := &enginehttp.Handler{Next: status(http.StatusOK), Chain: func(*http.Request) (engine.Key, error) {
			return engine.Chain(engines.upstream.Key("u"), engines.tenant.Key("t")), nil
		}}
		for range 8 {
			require.Empty(t, ask(t, h).header.Values("RateLimit"))
		}
		got := ask(t, h)
		require.Equal(t, http.StatusTooManyRequests, got.status)
		require.Equal(t, "20", got.header.Get("Retry-After"))
		require.Empty(t, got.header.Values("RateLimit-Policy"))
		require.NotContains(t, problemOf(t, got), "violated-policies")
	})
}

// TestTheTokensOfAHandlersChainComeBack if a wider key refuses after narrower ones have given theirs: the breaker opens while the
// request waits for the tenant. Nothing of that happens without Wait.
func TestTheTokensOfAHandlersChainComeBack(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		for wait, want := range map[time.Duration]int{0: 429, 20*time.Second - 1: 429, 20 * time.Second: 503} {
			synctest.Test(t, func(t *testing.T) {
				engines, status := newChained(t), new(atomic.Int64)
				status.Store(200)
				h := engines.handler(status)
				h.Wait = wait
				require.Equal(t, http.StatusOK, sendTo(t, h, method).status)
				use(t, engines.client, "c", 2) // one is left
				use(t, engines.tenant, "t", 7)
				time.AfterFunc(10*time.Second, func() { engines.trip(t) })
				begun := time.Now()
				require.Equal(t, want, sendTo(t, h, method).status)
				if want == 503 {
					require.Equal(t, 20*time.Second, time.Since(begun))
					require.Equal(t, [2]float64{3, 1}, engines.tokens(t), "one, and two more in the 20 s")
				} else {
					require.Zero(t, time.Since(begun))
					time.Sleep(10 * time.Second)
				}
				engines.nothingKept(t)
			})
		}
	}
}

// TestAHandlersWait replaces what the Key says.
func TestAHandlersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engines, begun := newChained(t), time.Now()
		h := &enginehttp.Handler{Next: status(http.StatusOK), Chain: func(r *http.Request) (engine.Key, error) {
			k, err := engines.of(r)
			return k.Within(time.Hour), err
		}}
		for range 4 {
			require.Equal(t, http.StatusOK, ask(t, h).status)
		}
		require.Equal(t, http.StatusTooManyRequests, ask(t, h).status)
		require.Zero(t, time.Since(begun))
		h = &enginehttp.Handler{Next: h.Next, Wait: time.Hour, Chain: func(r *http.Request) (engine.Key, error) {
			k, err := engines.of(r)
			return k.NoWait(), err
		}}
		require.Equal(t, http.StatusOK, ask(t, h).status)
		require.Equal(t, 10*time.Second, time.Since(begun))
	})
}

// TestAChainThatCannotTellTheKey of a request, and a key of a field with several lines, are the client's fault.
func TestAChainThatCannotTellTheKey(t *testing.T) {
	engines := newChained(t)
	byHeader := enginehttp.Header("X-Client")
	h := &enginehttp.Handler{Next: status(http.StatusOK), Chain: func(r *http.Request) (engine.Key, error) {
		if r.Method == http.MethodPut {
			return engine.Key{}, errors.New("no client")
		}
		return engine.Chain(engines.client.Key(byHeader(r)), engines.tenant.Key("t")), nil
	}}
	h.Refuse = func(http.ResponseWriter, *http.Request, *engine.Rejection) { t.Error("Refuse is asked") }
	got := sendTo(t, h, http.MethodPut)
	require.Equal(t, http.StatusBadRequest, got.status)
	require.NotContains(t, problemOf(t, got), "detail")
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header["X-Client"] = []string{"a", "b"}
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Equal(t, http.StatusOK, sendTo(t, h, http.MethodGet).status)
}
