package enginehttp_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestFieldsOverTime: r are whole tokens, and t is when there is one more.
func TestFieldsOverTime(t *testing.T) {
	for _, dispatch := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		synctest.Test(t, func(t *testing.T) {
			h := &enginehttp.Handler{
				Engine: guarding(t, engine.Config{
					Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, 90*time.Second)},
					MaxWait: engine.NoWait, Dispatch: dispatch,
				}),
				Next: http.HandlerFunc(greet),
			}
			for _, c := range []struct {
				after  time.Duration
				status int
				want   string
			}{
				{0, 200, `"default";r=2;t=90`},
				{30 * time.Second, 200, `"default";r=1;t=60`},
				{500 * time.Millisecond, 200, `"default";r=0;t=60`},
				{500 * time.Millisecond, 429, `"default";r=0;t=59`},
				{59*time.Second - 1, 429, `"default";r=0;t=1`},
				{1, 200, `"default";r=0;t=90`},
				{time.Hour, 200, `"default";r=2;t=90`},
			} {
				time.Sleep(c.after)
				r := ask(t, h)
				require.Equal(t, c.status, r.status)
				require.Equal(t, []string{c.want}, r.header.Values("RateLimit"))
				require.Equal(t, []string{`"default";q=3;w=270`}, r.header.Values("RateLimit-Policy"))
			}
		})
	}
}

// TestFieldsOfAWindow: t is when the window ends.
func TestFieldsOfAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a bubble begins at midnight
		h := &enginehttp.Handler{
			Engine: guarding(t, engine.Config{Limiter: limiter.FixedWindow{Max: 2, Per: time.Minute, Offset: 20 * time.Second}, MaxWait: engine.NoWait}),
			Next:   http.HandlerFunc(greet),
		}
		for _, c := range []struct {
			after      time.Duration
			status     int
			want, wait string
		}{
			{0, 200, `"default";r=1;t=20`, ""},
			{10 * time.Second, 200, `"default";r=0;t=10`, ""},
			{9*time.Second + 1, 429, `"default";r=0;t=1`, "1"},
			{time.Second - 1, 200, `"default";r=1;t=60`, ""},
		} {
			time.Sleep(c.after)
			r := ask(t, h)
			require.Equal(t, c.status, r.status)
			require.Equal(t, c.want, r.header.Get("RateLimit"))
			require.Equal(t, `"default";q=2;w=60`, r.header.Get("RateLimit-Policy"))
			require.Equal(t, c.wait, r.header.Get("Retry-After"))
		}
	})
}

func TestPolicyField(t *testing.T) {
	for _, c := range []struct {
		limiter limiter.Limiter
		want    string
	}{
		{limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(10, time.Minute)}, `"default";q=10;w=60`},
		{limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(100, time.Minute)}, `"default";q=10;w=6`},
		{limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(10, time.Second+1)}, `"default";q=10;w=2`},
		{limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1e9)}, `"default";q=1;w=1`},
		{limiter.LeakyBucket{Capacity: 5, LeakRate: limiter.Per(1, time.Hour)}, `"default";q=5;w=18000`},
		{limiter.FixedWindow{Max: 7, Per: time.Hour}, `"default";q=7;w=3600`},
		{limiter.All(
			limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(10, time.Second)},
			limiter.LeakyBucket{Capacity: 50, LeakRate: limiter.Per(50, time.Minute)},
		), `"limit-1";q=10;w=1, "limit-2";q=50;w=60`},
	} {
		h := &enginehttp.Handler{Engine: guarding(t, engine.Config{Limiter: c.limiter}), Next: http.HandlerFunc(greet)}
		require.Equal(t, []string{c.want}, ask(t, h).header.Values("RateLimit-Policy"))
	}
}

// TestFieldsOfAFullBucket: there will not be more than there is.
func TestFieldsOfAFullBucket(t *testing.T) {
	cfg := opensAtOnce()
	cfg.Clock, cfg.Limiter = nil, limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Minute)}
	synctest.Test(t, func(t *testing.T) {
		h := &enginehttp.Handler{Engine: guarding(t, cfg), Next: status(500)}
		require.Equal(t, 500, ask(t, h).status)
		time.Sleep(time.Minute)
		r := ask(t, h)
		require.Equal(t, 503, r.status)
		require.Equal(t, `"default";r=2;t=0`, r.header.Get("RateLimit"))
	})
}

func TestXRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &enginehttp.Handler{
			Engine: guarding(t, engine.Config{MaxWait: engine.NoWait, Limiter: limiter.All(
				limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Second)},
				limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Minute)},
				limiter.TokenBucket{Capacity: 9, RefillRate: limiter.Per(1, time.Hour)},
			)}),
			Next: http.HandlerFunc(greet), Fields: enginehttp.XRateLimit,
		}
		for _, want := range [][]string{{"200", "2", "1", "60"}, {"200", "2", "0", "60"}, {"429", "2", "0", "60"}} {
			r := ask(t, h)
			got := []string{
				r.header.Get("X-RateLimit-Limit"), r.header.Get("X-RateLimit-Remaining"), r.header.Get("X-RateLimit-Reset"),
			}
			require.Equal(t, want[1:], got)
			require.Empty(t, r.header.Values("RateLimit"))
			require.Empty(t, r.header.Values("RateLimit-Policy"))
			if r.status != http.StatusOK {
				require.Equal(t, http.StatusTooManyRequests, r.status)
				require.NotContains(t, problemOf(t, r), "violated-policies", "the answer names no policies")
			}
		}
	})
}

// TestXRateLimitOfTheTightest: of two that are used up, it is the one that takes longer.
func TestXRateLimitOfTheTightest(t *testing.T) {
	minutely := limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Minute)}
	secondly := limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 10*time.Second)}
	for _, limits := range []limiter.Limiter{minutely, limiter.All(secondly, minutely), limiter.All(minutely, secondly)} {
		h := &enginehttp.Handler{
			Engine: guarding(t, engine.Config{Limiter: limits, MaxWait: engine.NoWait, Clock: still{clock.System()}}),
			Next:   http.HandlerFunc(greet), Fields: enginehttp.XRateLimit,
		}
		require.Equal(t, "60", ask(t, h).header.Get("X-RateLimit-Reset"))
		refused := ask(t, h)
		require.Equal(t, "60", refused.header.Get("X-RateLimit-Reset"))
		require.Equal(t, "60", refused.header.Get("Retry-After"))
		require.NotContains(t, problemOf(t, refused), "violated-policies")
	}
}

// TestFieldsOfAnAnswerThatIsNotWritten: net/http sends a 200, and they are on it.
func TestFieldsOfAnAnswerThatIsNotWritten(t *testing.T) {
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		srv := serve(&enginehttp.Handler{
			Engine: guarding(t, anHourLeft()), Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		})
		r := answered(t, srv, http.MethodGet)
		require.Equal(t, 200, r.status)
		require.Equal(t, `"default";r=0;t=3600`, r.header.Get("RateLimit"))
	})
}

func TestNoFields(t *testing.T) {
	h := &enginehttp.Handler{
		Engine: guarding(t, anHourLeft()), Next: http.HandlerFunc(greet), Fields: enginehttp.NoFields,
	}
	require.Empty(t, withoutDate(ask(t, h).header, "Content-Type"))
	refused := ask(t, h)
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.NotContains(t, problemOf(t, refused), "violated-policies")
	require.Equal(t, http.Header{"Retry-After": {"3600"}},
		withoutDate(refused.header, "Content-Type", "Content-Length", "Cache-Control"))
}

// withoutDate is h but for the fields that have nothing to do with limits.
func withoutDate(h http.Header, others ...string) http.Header {
	for _, name := range append(others, "Date") {
		h.Del(name)
	}
	return h
}

func TestFieldsString(t *testing.T) {
	require.Equal(t, "Draft10", enginehttp.Draft10.String())
	require.Equal(t, "XRateLimit", enginehttp.XRateLimit.String())
	require.Equal(t, "NoFields", enginehttp.NoFields.String())
	require.Equal(t, "Fields(7)", enginehttp.Fields(7).String())
}

// TestFieldsOfAnUpstream: a reverse proxy adds those of its upstream to the header, and they are not doubled.
func TestFieldsOfAnUpstream(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("RateLimit", `"upstream";r=5;t=9`)
		w.Header().Set("X-RateLimit-Remaining", "5")
	}))
	defer upstream.Close()
	target, err := url.Parse(upstream.URL)
	require.NoError(t, err)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}

	for _, c := range []struct {
		fields enginehttp.Fields
		x      http.Header // of both kinds
	}{
		{enginehttp.Draft10, http.Header{"Ratelimit": {`"upstream";r=5;t=9`}, "X-Ratelimit-Remaining": {"5"}}},
		{enginehttp.XRateLimit, http.Header{"Ratelimit": {`"upstream";r=5;t=9`}, "X-Ratelimit-Remaining": {"5"}}},
	} {
		eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
			srv := serve(&enginehttp.Handler{Engine: guarding(t, oneIn(time.Hour)), Next: proxy, Fields: c.fields})
			r := answered(t, srv, http.MethodGet)
			require.Equal(t, c.x, withoutDate(r.header, "Content-Length"))
			require.Equal(t, http.StatusTooManyRequests, answered(t, srv, http.MethodGet).status)
		})
	}
}

// TestFieldsDoNotShareMemory: what a handler does to the values of one header does not show in the next.
func TestFieldsDoNotShareMemory(t *testing.T) {
	h := &enginehttp.Handler{
		Engine: guarding(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: 9, RefillRate: limiter.Per(1, time.Hour)}}),
		Next:   http.HandlerFunc(greet),
	}
	for range 2 {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		values := rec.Header()["Ratelimit-Policy"]
		require.Equal(t, []string{`"default";q=9;w=32400`}, values)
		values[0] = "changed"
		_ = append(values, "more")
		require.NotEqual(t, "more", rec.Header().Get("RateLimit"))
	}
}

// TestHandlerNested: the fields are those of the handler within, and each counts for itself.
func TestHandlerNested(t *testing.T) {
	within := &enginehttp.Handler{Engine: guarding(t, anHourLeft()), Next: http.HandlerFunc(greet)}
	h := &enginehttp.Handler{
		Engine: guarding(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: 9, RefillRate: limiter.Per(1, time.Hour)}}),
		Next:   within,
	}
	for _, want := range []int{200, 429} {
		r := ask(t, h)
		require.Equal(t, want, r.status)
		require.Equal(t, []string{`"default";q=1;w=3600`}, r.header.Values("RateLimit-Policy"))
		require.Equal(t, []string{`"default";r=0;t=3600`}, r.header.Values("RateLimit"))
	}
	s, known := h.Engine.Inspect("192.0.2.1")
	require.True(t, known)
	require.InDelta(t, 7, s.Limits[0].Available, 0.1)
}

// TestTell is for answers that no Handler writes: the fields are about the first key.
func TestTell(t *testing.T) {
	cfg := anHourLeft()
	one, other, none := guarding(t, cfg), guarding(t, cfg), guarding(t, opensAtOnce())
	k := engine.Chain(one.Key("k"), other.Key("k"))
	require.True(t, one.Allow("k"))
	h := http.Header{}
	enginehttp.Draft10.Tell(h, k)
	require.Equal(t, http.Header{"Ratelimit-Policy": {`"default";q=1;w=3600`}, "Ratelimit": {`"default";r=0;t=3600`}}, h)
	enginehttp.XRateLimit.Tell(h, one.Key("k"))
	require.Equal(t, "0", h.Get("X-RateLimit-Remaining"))
	for f, k := range map[enginehttp.Fields]engine.Key{enginehttp.Draft10: none.Key("k"), enginehttp.NoFields: k} {
		h = http.Header{}
		f.Tell(h, k)
		require.Empty(t, h)
	}
	h = http.Header{"Ratelimit": {`"own";r=1;t=1`}}
	enginehttp.Draft10.Tell(h, k)
	require.Equal(t, http.Header{"Ratelimit": {`"own";r=1;t=1`}}, h)
}
