package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// remaining are the tokens of limits, in their order.
func remaining(limits []limiter.Status) (all []float64) {
	for _, l := range limits {
		all = append(all, l.Available)
	}
	return all
}

func TestRowATicketKnowsWhatRemained(t *testing.T) {
	wide := limiter.TokenBucket{Capacity: 100, RefillRate: limiter.Per(1, time.Hour)}
	for name, c := range map[string]struct {
		cfg  engine.Config
		want []float64
	}{
		"one limit":           {engine.Config{Limiter: tenPerHour}, []float64{7}},
		"two":                 {engine.Config{Limiter: limiter.All(tenPerHour, wide)}, []float64{7, 97}},
		"a limit, a breaker":  {engine.Config{Limiter: tenPerHour, Breaker: &breaker.Policy{}}, []float64{7}},
		"in shadow":           {engine.Config{Limiter: tenPerHour, Shadow: true}, []float64{7}},
		"a time limit":        {engine.Config{Limiter: tenPerHour, Timeout: time.Hour}, []float64{7}},
		"no limit":            {engine.Config{Breaker: &breaker.Policy{}}, nil},
		"nothing":             {engine.Config{}, nil},
		"two, in shadow":      {engine.Config{Limiter: limiter.All(tenPerHour, wide), Shadow: true}, []float64{7, 97}},
		"two, a breaker":      {engine.Config{Limiter: limiter.All(tenPerHour, wide), Breaker: &breaker.Policy{}}, []float64{7, 97}},
		"a key's own, no own": {engine.Config{LimiterFor: func(string) limiter.Limiter { return tenPerHour }}, []float64{7}},
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, c.cfg, func(t *testing.T, eng *engine.Engine) {
				require.NoError(t, eng.Run(t.Context(), "k", succeed))
				require.NoError(t, eng.Run(t.Context(), "k", succeed))
				ticket, err := eng.Admit(t.Context(), "k")
				require.NoError(t, err)
				_ = eng.Run(t.Context(), "k", succeed) // comes later
				time.Sleep(time.Hour)
				require.Equal(t, c.want, remaining(ticket.Limits()))
				ticket.Done(nil)
				require.Equal(t, c.want, remaining(ticket.Limits()))
			})
		})
	}
}

func TestATicketOfAChainKnowsWhatRemainedOfAllKeys(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: tenPerHour}, func(t *testing.T, eng *engine.Engine) {
		both := start(t, engine.Config{Limiter: limiter.All(tenPerHour, tenPerHour), Dispatch: eng.Config().Dispatch})
		k := engine.Chain(eng.Key("u").Cost(4), start(t, engine.Config{}).Key("x"), both.Key("t"))
		ticket, err := k.Admit(t.Context())
		require.NoError(t, err)
		require.Equal(t, []float64{6, 9, 9}, remaining(ticket.Limits()))
		ticket.Done(nil)
	})
}

// TestATicketThatWaited: nothing remains of the token for which it has waited.
func TestATicketThatWaited(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: tenPerHour}, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.AcquireN(t.Context(), "k", 10))
		ticket, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t, []float64{0}, remaining(ticket.Limits()))
		require.Equal(t, time.Hour, ticket.Limits()[0].Wait)
		ticket.Done(nil)
		synctest.Wait()
	})
}
