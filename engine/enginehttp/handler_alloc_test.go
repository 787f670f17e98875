//go:build !race

package enginehttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestWhatAHandlerAllocates, beside what Next does and the map of the header. (The race detector allocates by itself.)
func TestWhatAHandlerAllocates(t *testing.T) {
	plenty := limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)}
	never := limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1e-9)}
	for _, row := range []struct {
		name   string
		cfg    engine.Config
		fields enginehttp.Fields
		most   float64
	}{
		// The writer for Next, the state of the key, and the value of RateLimit.
		{"admitted", engine.Config{Limiter: plenty, Breaker: &breaker.Policy{}}, enginehttp.Draft10, 3},
		{"admitted, without fields", engine.Config{Limiter: plenty, Breaker: &breaker.Policy{}}, enginehttp.NoFields, 1},
		// The rejection, the values of the fields, and the text of two of them.
		{"limited", engine.Config{Limiter: never, MaxWait: engine.NoWait}, enginehttp.Draft10, 4},
		{"limited, without fields", engine.Config{Limiter: never, MaxWait: engine.NoWait}, enginehttp.NoFields, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := &enginehttp.Handler{Engine: guarding(t, row.cfg), Next: status(http.StatusOK), Fields: row.fields}
			w, r := &sink{http.Header{}}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			h.ServeHTTP(w, r)
			require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}), row.most)
		})
	}
}

// TestWhatTellAllocates: the limits, the state of the key, the values of the fields, and the text of both.
func TestWhatTellAllocates(t *testing.T) {
	key := guarding(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)}}).Key("a")
	require.True(t, key.Allow())
	header := http.Header{}
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
		clear(header)
		enginehttp.Draft10.Tell(header, key)
	}), 4.0)
}
