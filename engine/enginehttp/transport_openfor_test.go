package enginehttp_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// TestRetryAfterOpensTheBreaker: that of a 503, where the policy has a MaxRecovery.
func TestRetryAfterOpensTheBreaker(t *testing.T) {
	growing := &breaker.Policy{MaxRecovery: time.Minute}
	ignore := func(*http.Response, error) engine.Outcome { return engine.Ignore }
	for name, c := range map[string]struct {
		policy     *breaker.Policy
		status     int
		retryAfter string
		classify   func(*http.Response, error) engine.Outcome
		open       time.Duration // 0: closed
	}{
		"a 503":                    {growing, 503, "20", nil, 20 * time.Second},
		"a date":                   {growing, 503, "Sat, 01 Jan 2000 00:00:30 GMT", nil, 30 * time.Second},
		"MaxRecovery at most":      {growing, 503, "86400", nil, time.Minute},
		"without Retry-After":      {growing, 503, "", nil, 0},
		"a Retry-After of 0":       {growing, 503, "0", nil, 0},
		"a Retry-After of nothing": {growing, 503, "soon", nil, 0},
		"a 502":                    {growing, 502, "20", nil, 0},
		"a 429":                    {growing, 429, "20", nil, 0},
		"a 503 that is no Failure": {growing, 503, "20", ignore, 0},
		"without MaxRecovery":      {&breaker.Policy{}, 503, "20", nil, 0},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} { // one may be sent again
			t.Run(name+"/"+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					eng := transportEngine(t, engine.Config{Breaker: c.policy})
					tr := &enginehttp.Transport{Engine: eng, Classify: c.classify, Base: transportFunc(func(req *http.Request) (*http.Response, error) {
						h := http.Header{}
						if c.retryAfter != "" {
							h.Set("Retry-After", c.retryAfter)
						}
						return &http.Response{StatusCode: c.status, Header: h, Body: http.NoBody, Request: req}, nil
					})}
					request := func() (*http.Response, error) {
						req, err := http.NewRequestWithContext(t.Context(), method, "http://upstream.test/", nil)
						require.NoError(t, err)
						return tr.RoundTrip(req)
					}
					resp, err := request()
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
					require.Equal(t, c.status, resp.StatusCode)
					resp, err = request()
					if c.open == 0 {
						require.NoError(t, err)
						require.NoError(t, resp.Body.Close())
						return
					}
					require.ErrorIs(t, err, breaker.ErrOpen)
					r, ok := errors.AsType[*engine.Rejection](err)
					require.True(t, ok)
					require.Equal(t, c.open, r.RetryAfter())
				})
			})
		}
	}
}
