package enginehttp_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestASlowUploadKeepsItsContextAndItsPlace when it has given a probe's place back, until its answer has been read.
func TestASlowUploadKeepsItsContextAndItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    engine.Config
		answer func() io.ReadCloser
	}{
		"a body":                 {engine.Config{Timeout: time.Minute}, func() io.ReadCloser { return io.NopCloser(strings.NewReader("text")) }},
		"no body":                {engine.Config{AttemptTimeout: time.Minute}, func() io.ReadCloser { return http.NoBody }},
		"a body, no time limit":  {engine.Config{}, func() io.ReadCloser { return io.NopCloser(strings.NewReader("text")) }},
		"no body, no time limit": {engine.Config{}, func() io.ReadCloser { return http.NoBody }},
		"panic":                  {engine.Config{AttemptTimeout: time.Minute}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.cfg.Breaker, c.cfg.Concurrency = recovering, limiter.InFlight{Max: 2}
				eng := transportEngine(t, c.cfg)
				var ctx context.Context
				tr := &enginehttp.Transport{Engine: eng, Base: transportFunc(func(r *http.Request) (*http.Response, error) {
					ctx = r.Context()
					_, err := io.Copy(io.Discard, r.Body)
					require.NoError(t, err)
					return &http.Response{StatusCode: 200, Body: c.answer()}, nil // if answer is nil, a panic
				})}
				require.Error(t, eng.Run(t.Context(), "h", func(context.Context) error { return io.ErrUnexpectedEOF }))
				time.Sleep(time.Second)
				body, client := io.Pipe()
				answered := make(chan *http.Response, 1)
				go func() { // ends with the request
					defer close(answered)
					defer func() { _ = recover() }()
					if resp, err := tr.RoundTrip(newRequest(t, "POST", "http://h/", body)); err == nil {
						answered <- resp
					}
				}()
				time.Sleep(10 * time.Second)
				synctest.Wait()
				require.NoError(t, ctx.Err())
				require.Equal(t, 1, eng.Stats().InFlight)
				require.NoError(t, client.Close())
				resp := <-answered
				if c.answer == nil {
					require.Nil(t, resp)
				} else {
					require.Equal(t, breaker.Closed, stateOf(eng), "the upload was the probe")
					if resp.Body != http.NoBody {
						require.NoError(t, ctx.Err())
						require.Equal(t, 1, eng.Stats().InFlight)
						time.Sleep(50 * time.Second)
						synctest.Wait()
						require.Equal(t, c.cfg.Timeout > 0, ctx.Err() != nil)
					}
					require.NoError(t, resp.Body.Close())
				}
				require.Zero(t, eng.Stats().InFlight)
				if c.cfg.Timeout+c.cfg.AttemptTimeout > 0 {
					require.Error(t, ctx.Err())
				}
			})
		})
	}
}

func stateOf(eng *engine.Engine) breaker.State {
	s, _ := eng.Inspect("h")
	return s.Breaker
}
