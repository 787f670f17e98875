package enginehttp_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/retry"
)

// TestAHandlerWithAChainThatCannotBeUsed says so, and always.
func TestAHandlerWithAChainThatCannotBeUsed(t *testing.T) {
	engines, next := newChained(t), status(http.StatusOK)
	const both = "enginehttp: Handler.Chain is set together with Engine or Key"
	for range 2 {
		h := &enginehttp.Handler{Chain: engines.of, Engine: engines.client, Next: next}
		require.PanicsWithValue(t, both, func() { ask(t, h) })
		require.PanicsWithValue(t, both, func() { ask(t, h) })
		h = &enginehttp.Handler{Chain: engines.of, Key: enginehttp.RemoteIP(0), Next: next}
		require.PanicsWithValue(t, both, func() { ask(t, h) })
	}
	for name, c := range unusable(t, engines) {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			h := &enginehttp.Handler{Chain: func(*http.Request) (engine.Key, error) { return c.key, nil }, Next: next}
			for range 2 {
				func() {
					defer func() {
						invalid, ok := recover().(*engine.ConfigError)
						require.True(t, ok, name)
						require.Equal(t, c.field, invalid.Field, name)
					}()
					sendTo(t, h, method)
				}()
			}
		}
	}
	for _, zero := range []engine.Key{{}, engine.Chain(engine.Key{})} {
		h := &enginehttp.Handler{Chain: func(*http.Request) (engine.Key, error) { return zero, nil }, Next: next}
		require.PanicsWithError(t, "engine: Handler.Chain = engine.Key{}: must return a Key made by Engine.Key or engine.Chain", func() { ask(t, h) })
	}
	retries := guarding(t, engine.Config{Retry: &retry.Policy{}})
	h := &enginehttp.Handler{Next: next, Chain: func(*http.Request) (engine.Key, error) {
		return engine.Chain(engines.client.Key("c"), retries.Key("r")), nil
	}}
	require.PanicsWithError(t, "engine: Retry = set: an enginehttp.Handler does not serve a request again", func() { ask(t, h) })
}

// unusable are keys that a Handler cannot use, nor a Transport, but for the time limits.
func unusable(t testing.TB, c *chained) map[string]struct {
	key   engine.Key
	field string
} {
	classifies := guarding(t, engine.Config{Classify: func(error) engine.Outcome { return engine.Ignore }})
	return map[string]struct {
		key   engine.Key
		field string
	}{
		"an engine twice":   {engine.Chain(c.client.Key("c"), c.client.Key("d")), "Chain[1]"},
		"no key at the end": {engine.Chain(c.client.Key("c"), engine.Key{}), "Chain[1]"},
		"Classify":          {engine.Chain(c.client.Key("c"), classifies.Key("k")), "Classify"},
		"Classify, alone":   {classifies.Key("k"), "Classify"},
		"Timeout":           {engine.Chain(c.client.Key("c"), guarding(t, engine.Config{Timeout: 1}).Key("k")), "Timeout"},
		"AttemptTimeout":    {guarding(t, engine.Config{AttemptTimeout: 1}).Key("k"), "AttemptTimeout"},
	}
}
