package enginehttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
)

// sink is a writer that keeps nothing but its header, which is cleared for the next request.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkHandler is what a request costs that does nothing, alone and behind a Handler that admits or refuses it.
func BenchmarkHandler(b *testing.B) {
	next := status(http.StatusOK)
	plenty := limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)}
	never := limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 1e5*time.Hour)}
	for _, c := range []struct {
		name   string
		cfg    *engine.Config
		fields enginehttp.Fields
	}{
		{"next", nil, 0},
		{"admitted", &engine.Config{Limiter: plenty, Breaker: &breaker.Policy{}}, enginehttp.Draft10},
		{"admitted/x", &engine.Config{Limiter: plenty, Breaker: &breaker.Policy{}}, enginehttp.XRateLimit},
		{"admitted/nofields", &engine.Config{Limiter: plenty, Breaker: &breaker.Policy{}}, enginehttp.NoFields},
		{"admitted/twolimits", &engine.Config{Limiter: limiter.All(plenty, plenty), Breaker: &breaker.Policy{}}, enginehttp.Draft10},
		{"limited", &engine.Config{Limiter: never, MaxWait: engine.NoWait}, enginehttp.Draft10},
		{"limited/nofields", &engine.Config{Limiter: never, MaxWait: engine.NoWait}, enginehttp.NoFields},
		{"limited/twolimits", &engine.Config{Limiter: limiter.All(never, plenty), MaxWait: engine.NoWait}, enginehttp.Draft10},
		{"open", &engine.Config{Breaker: opensAtOnce().Breaker}, enginehttp.Draft10},
		{"open/limit", &engine.Config{Limiter: plenty, Breaker: opensAtOnce().Breaker}, enginehttp.Draft10},
	} {
		b.Run(c.name, func(b *testing.B) {
			var h http.Handler = next
			w, r := &sink{http.Header{}}, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
			if c.cfg != nil {
				failing := c.cfg.Breaker != nil && c.cfg.Breaker.FailureThreshold == 1
				guard := &enginehttp.Handler{Engine: guarding(b, *c.cfg), Next: next, Fields: c.fields}
				if failing {
					guard.Next = status(http.StatusInternalServerError)
				}
				h = guard
			}
			h.ServeHTTP(w, r)
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkRemoteIP is what the key costs.
func BenchmarkRemoteIP(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
		peer string
	}{{"ipv4", 0, "192.0.2.7:1234"}, {"ipv6", 0, "[2001:db8:1:2:3:4:5:6]:1234"}, {"forwarded", 2, "10.0.0.1:1234"}} {
		b.Run(c.name, func(b *testing.B) {
			key := enginehttp.RemoteIP(c.n)
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": {"203.0.113.9, 192.0.2.7", "10.0.0.2"}}}
			b.ReportAllocs()
			for b.Loop() {
				key(r)
			}
		})
	}
}
