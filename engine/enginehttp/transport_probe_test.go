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

// uploadAgain is upload for a body that can be had again. The bodies are prompt ones as often as
// prompt says, and then the pipe.
func uploadAgain(t *testing.T, rt http.RoundTripper, method string, prompt int) (*io.PipeWriter, chan error) {
	t.Helper()
	body, client := io.Pipe()
	req := newRequest(t, method, "http://h/", nil)
	req.GetBody = func() (io.ReadCloser, error) {
		if prompt--; prompt >= 0 {
			return io.NopCloser(io.MultiReader(strings.NewReader("prompt"))), nil
		}
		return body, nil
	}
	req.Body, _ = req.GetBody()
	done := make(chan error, 1)
	go func() { // ends with the request
		resp, err := rt.RoundTrip(req)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	return client, done
}

// TestASlowUploadThatCanBeHadAgainKeepsNoProbe: such a body may come from a client, too, as in a
// proxy that keeps what it has sent.
func TestASlowUploadThatCanBeHadAgainKeepsNoProbe(t *testing.T) {
	for _, c := range []struct {
		name, method string
		policy       *retry.Policy
	}{{"POST", "POST", nil}, {"PUT", "PUT", nil}, {"POST, retries", "POST", thrice}, {"PUT, retries", "PUT", thrice}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var status atomic.Int64
				status.Store(500)
				eng := transportEngine(t, engine.Config{Breaker: recovering, Retry: c.policy, Limiter: limiter.TokenBucket{
					Capacity: 4, RefillRate: limiter.Per(1, time.Hour),
				}, MaxWait: engine.NoWait})
				tr := &enginehttp.Transport{Engine: eng, Base: readingBase(&status)}
				require.NoError(t, get(t, tr)) // a failure
				time.Sleep(time.Second)
				status.Store(200)
				client, done := uploadAgain(t, tr, c.method, 0)
				synctest.Wait()
				require.ErrorIs(t, get(t, tr), breaker.ErrOpen, "the upload is the probe")
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
				require.NoError(t, get(t, tr), "and then it is not")
				require.NoError(t, client.Close())
				require.NoError(t, <-done)
				require.NoError(t, get(t, tr), "a token each")
				require.ErrorIs(t, get(t, tr), limiter.ErrLimited)
			})
		})
	}
}

// TestALaterAttemptKeepsNoProbe: the first attempt has opened the breaker, and the second is a
// probe whose body is slow.
func TestALaterAttemptKeepsNoProbe(t *testing.T) {
	for name, dies := range map[string]bool{"after an answer": false, "after an error": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, well := fallible(t, dies, 100)
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
		})
	}
}

// TestALaterAttemptThatFindsNoToken for its lease is not made: RoundTrip returns what the last
// attempt has brought.
func TestALaterAttemptThatFindsNoToken(t *testing.T) {
	for name, dies := range map[string]bool{"after an answer": false, "after an error": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, _ := fallible(t, dies, 2)
				_, done := uploadAgain(t, tr, "PUT", 1)
				err := <-done
				if !dies {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, limiter.ErrLimited)
				require.ErrorIs(t, err, errDies)
				_, ok := errors.AsType[*engine.StoppedError](err)
				require.True(t, ok)
			})
		})
	}
}

var errDies = errors.New("upstream: dies")

// fallible returns a Transport to an upstream that answers 503, or fails, until it is well. The
// limiter has so many tokens. An attempt follows the one before after two seconds.
func fallible(t *testing.T, dies bool, tokens int) (*enginehttp.Transport, *atomic.Bool) {
	well := new(atomic.Bool)
	eng := transportEngine(t, engine.Config{
		Breaker: recovering, Retry: &retry.Policy{MaxAttempts: 3, BaseDelay: 2 * time.Second, Jitter: retry.NoJitter},
		Limiter: limiter.TokenBucket{Capacity: tokens, RefillRate: limiter.Per(1, time.Hour)}, MaxWait: engine.NoWait,
	})
	return &enginehttp.Transport{Engine: eng, Base: transportFunc(func(r *http.Request) (*http.Response, error) {
		var status atomic.Int64
		if status.Store(503); well.Load() {
			status.Store(200)
		} else if dies {
			return nil, errors.Join(errDies, r.Body.Close())
		}
		return readingBase(&status)(r)
	})}, well
}
