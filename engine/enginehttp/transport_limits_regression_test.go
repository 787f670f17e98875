package enginehttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// untilDone is a body that can be read until its context ends, as that of net/http.
type untilDone struct {
	io.Reader
	ctx context.Context
}

func (b untilDone) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.Reader.Read(p)
}

func (b untilDone) Close() error { return nil }

func hello(r *http.Request, status int) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Request: r, ContentLength: -1, Body: untilDone{strings.NewReader("hello"), r.Context()}}
}

func everySecond(attempts int) *retry.Policy {
	return &retry.Policy{MaxAttempts: attempts, BaseDelay: time.Second, Jitter: retry.NoJitter}
}

// TestATimeLimitThatBeginsBetweenAttempts bounds an answer whose attempt began under it.
func TestATimeLimitThatBeginsBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := engine.Config{Retry: everySecond(3)}
		eng, n := transportEngine(t, cfg), 0
		tr := &enginehttp.Transport{Engine: eng, Base: transportFunc(func(r *http.Request) (*http.Response, error) {
			if n++; n == 1 {
				cfg.AttemptTimeout = time.Minute
				require.NoError(t, eng.Reconfigure(cfg))
				return nil, errors.New("reset")
			}
			return hello(r, 200), nil
		})}
		resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "hello", string(body))
		require.NoError(t, resp.Body.Close())
	})
}

// TestRetriesThatAreSwitchedOffMeanwhile leave no call that waits for its own place.
func TestRetriesThatAreSwitchedOffMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := engine.Config{Concurrency: limiter.InFlight{Max: 1}, MaxWait: time.Minute, Retry: everySecond(2)}
		eng, narrow, begin := transportEngine(t, cfg), transportEngine(t, engine.Config{}), time.Now()
		tr := &enginehttp.Transport{
			Chain: func(*http.Request) (engine.Key, error) { return engine.Chain(narrow.Key("u"), eng.Key("h")), nil },
			Base: transportFunc(func(r *http.Request) (*http.Response, error) {
				cfg.Retry = nil
				require.NoError(t, eng.Reconfigure(cfg))
				return hello(r, 503), nil
			}),
		}
		resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
		require.NoError(t, err)
		require.Zero(t, time.Since(begin))
		require.Equal(t, 1, eng.Stats().InFlight)
		require.NoError(t, resp.Body.Close())
		require.Zero(t, eng.Stats().InFlight)
	})
}

// TestAnAnswerThatIsKeptForTooLong is not returned: it could not be read.
func TestAnAnswerThatIsKeptForTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := transportEngine(t, engine.Config{
			AttemptTimeout: time.Second / 2, Retry: everySecond(3), Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)},
			MaxWait: 2 * time.Second,
		})
		tr := &enginehttp.Transport{Engine: eng, Base: transportFunc(func(r *http.Request) (*http.Response, error) { return hello(r, 503), nil })}
		resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil)) //nolint:bodyclose // none
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			require.NoError(t, err, "what is returned can be read")
			return
		}
		require.ErrorIs(t, err, limiter.ErrLimited)
		require.ErrorContains(t, err, "503")
	})
}
