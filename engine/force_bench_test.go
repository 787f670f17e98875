package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// BenchmarkForced is the cost of a call for a key that is forced, and for another key of the same
// engine, with a breaker and in an engine in which otherwise nothing is asked.
func BenchmarkForced(b *testing.B) {
	for name, policy := range map[string]*breaker.Policy{"breaker": {}, "nothing": nil} {
		for kind, force := range map[string]func(*engine.Engine) error{
			"off":    func(*engine.Engine) error { return nil },
			"open":   func(eng *engine.Engine) error { return eng.Force("k", breaker.Open, breaker.Forever) },
			"closed": func(eng *engine.Engine) error { return eng.Force("k", breaker.Closed, breaker.Forever) },
			"other":  func(eng *engine.Engine) error { return eng.Force("other", breaker.Open, time.Hour) },
		} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				eng := start(b, engine.Config{Breaker: policy})
				require.NoError(b, force(eng))
				b.ReportAllocs()
				for b.Loop() {
					_ = eng.Run(context.Background(), "k", succeed)
				}
			})
		}
	}
}
