package enginehttp_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// BenchmarkTransport is a request that is admitted and answered at its first attempt, through a Base that does nothing, beside that Base
// alone: the difference is what the Transport adds. The answer has no body.
func BenchmarkTransport(b *testing.B) {
	resp := &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	base := transportFunc(func(*http.Request) (*http.Response, error) { return resp, nil })
	eng := transportEngine(b, engine.Config{
		Breaker: &breaker.Policy{}, Retry: &retry.Policy{},
		Limiter: limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)},
	})
	for _, c := range []struct {
		name string
		rt   http.RoundTripper
	}{
		{"base", base},
		{"guarded", &enginehttp.Transport{Engine: eng, Base: base}},
		{"guarded/timeout", &enginehttp.Transport{Engine: eng, Base: base, AttemptTimeout: time.Minute}},
	} {
		b.Run(c.name, func(b *testing.B) {
			req := newRequest(b, "GET", "http://upstream.example:8080/", nil)
			b.ReportAllocs()
			for b.Loop() {
				resp, err := c.rt.RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
			}
		})
	}
}
