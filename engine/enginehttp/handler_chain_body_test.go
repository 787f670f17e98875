package enginehttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// TestAProbeOfAHandlersChainGivesItsPlaceBack while its body is awaited, and still decides when it ends, unless another has.
func TestAProbeOfAHandlersChainGivesItsPlaceBack(t *testing.T) {
	for _, end := range []int64{200, 500} {
		for _, others := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				engines, status := newChained(t), new(atomic.Int64)
				h := engines.handler(status)
				engines.trip(t)
				time.Sleep(30 * time.Second)
				status.Store(200)
				body, client := io.Pipe()
				done := make(chan int)
				go func() { done <- put(t.Context(), h, body) }() // ends with the body
				synctest.Wait()
				require.Equal(t, 503, ask(t, h).status, "the slow client is the probe")
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
				if others {
					require.Equal(t, 200, ask(t, h).status, "and then it is not")
					require.Equal(t, breaker.Closed, engines.state())
				}
				time.Sleep(time.Minute)
				status.Store(end)
				require.NoError(t, client.Close())
				require.EqualValues(t, end, <-done)
				if want := engines.state(); others || end == 200 {
					require.Equal(t, breaker.Closed, want, "the call is no probe of a closed breaker")
				} else {
					require.Equal(t, breaker.Open, want)
				}
				engines.nothingKept(t)
			})
		}
	}
}

// TestThePatienceOfAHandlersChain is that of the engine with the least.
func TestThePatienceOfAHandlersChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := func(timeout time.Duration) engine.Config {
			return engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Second, ProbeTimeout: timeout}}
		}
		narrow, middle, wide := guarding(t, policy(0)), guarding(t, policy(40*time.Millisecond)), guarding(t, policy(time.Minute))
		h := &enginehttp.Handler{
			Next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }),
			Chain: func(*http.Request) (engine.Key, error) {
				return engine.Chain(narrow.Key("k"), middle.Key("k"), wide.Key("k")), nil
			},
		}
		require.Error(t, middle.Run(t.Context(), "k", func(context.Context) error { return errors.New("dead") }))
		time.Sleep(time.Second)
		body, client := io.Pipe()
		done := make(chan int)
		go func() { done <- put(t.Context(), h, body) }() // ends with the body
		time.Sleep(19 * time.Millisecond)
		require.Equal(t, 503, ask(t, h).status)
		time.Sleep(2 * time.Millisecond)
		require.Equal(t, 200, ask(t, h).status)
		require.NoError(t, client.Close())
		require.Equal(t, 200, <-done)
	})
}

// TestAnUploadOfAChainThatIsNoProbe keeps its leave, however long its body takes: its end counts.
func TestAnUploadOfAChainThatIsNoProbe(t *testing.T) {
	for _, adapter := range []string{"Transport", "Handler"} {
		for _, end := range []int64{200, 500} {
			synctest.Test(t, func(t *testing.T) {
				engines, status := newChained(t), new(atomic.Int64)
				var rt http.RoundTripper = &enginehttp.Transport{Chain: engines.quick, Base: readingBase(status)}
				if adapter == "Handler" {
					rt = through(engines.handler(status))
				}
				client, done := upload(t, rt)
				time.Sleep(5 * time.Second)
				require.Equal(t, [2]float64{3.5, 7.25}, engines.tokens(t))
				status.Store(end)
				require.NoError(t, client.Close())
				require.NoError(t, <-done)
				require.Equal(t, [2]float64{3.5, 7.25}, engines.tokens(t), "the end of a call takes a token")
				require.Equal(t, end == 500, engines.state() == breaker.Open)
			})
		}
	}
}
