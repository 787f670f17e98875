package enginehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	benbjohnson "github.com/benbjohnson/clock"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// Every request of the client has a breaker and a limit for its host, and is retried if that is safe.
func ExampleTransport() {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "hello")
	}))
	defer server.Close()

	eng, _ := engine.New(engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 5},
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(100)},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: time.Millisecond},
	})
	defer eng.Close(context.Background())

	client := &http.Client{Transport: &enginehttp.Transport{Engine: eng}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body), requests)
	// Output: 200 hello 3
}

// A refusal of the engine says for how long there is no use in asking again.
func ExampleTransport_rejection() {
	eng, _ := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)},
		MaxWait: engine.NoWait,
		Clock:   clock.Wrap(benbjohnson.NewMock()), // no time passes
	})
	defer eng.Close(context.Background())
	eng.Allow("api.example.com") // the only token

	client := &http.Client{Transport: &enginehttp.Transport{Engine: eng}}
	_, err := client.Get("http://api.example.com/users")
	if r, ok := errors.AsType[*engine.Rejection](err); ok {
		fmt.Println(r.Key, r.Limited(), r.RetryAfter())
	}
	// Output: api.example.com true 1h0m0s
}

// For an upstream that answers 500 to requests that it does not understand, a 500 is no failure.
func ExampleDefaultClassify() {
	tr := &enginehttp.Transport{
		Classify: func(resp *http.Response, err error) engine.Outcome {
			if err == nil && resp.StatusCode == http.StatusInternalServerError {
				return engine.Ignore
			}
			return enginehttp.DefaultClassify(resp, err)
		},
	}
	for _, status := range []int{404, 429, 500, 501, 503} {
		fmt.Println(status, tr.Classify(&http.Response{StatusCode: status}, nil))
	}
	fmt.Println(tr.Classify(nil, errors.New("connection reset")))
	fmt.Println(tr.Classify(nil, errors.New("http: no Host in request URL")))
	// Output:
	// 404 success
	// 429 ignore
	// 500 ignore
	// 501 success
	// 503 failure
	// failure
	// ignore
}

// A 500 is worth another attempt where it is known to pass.
func ExampleDefaultRetryable() {
	tr := &enginehttp.Transport{
		Retryable: func(req *http.Request, resp *http.Response, err error) bool {
			return err == nil && resp.StatusCode == http.StatusInternalServerError || enginehttp.DefaultRetryable(req, resp, err)
		},
	}
	req := httptest.NewRequest(http.MethodGet, "http://api.example.com/", nil)
	for _, status := range []int{404, 500, 503} {
		fmt.Println(status, tr.Retryable(req, &http.Response{StatusCode: status}, nil))
	}
	// Output:
	// 404 false
	// 500 true
	// 503 true
}

func ExampleRetryAfter() {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for _, advice := range []string{"120", "Sun, 01 Mar 2026 12:00:30 GMT", "soon"} {
		wait, ok := enginehttp.RetryAfter(http.Header{"Retry-After": {advice}}, now)
		fmt.Println(wait, ok)
	}
	// Output:
	// 2m0s true
	// 30s true
	// 0s false
}
