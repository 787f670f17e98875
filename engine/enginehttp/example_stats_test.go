package enginehttp_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	benbjohnson "github.com/benbjohnson/clock"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// A Handler tells its own refusals from the answers of Next.
func ExampleHandler_Stats() {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(2, time.Hour)},
		Clock:   clock.Wrap(benbjohnson.NewMock()), // no second passes between the requests
	})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(context.Background())

	h := &enginehttp.Handler{Engine: eng, Next: http.NotFoundHandler()}
	for range 5 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	}
	s := h.Stats()
	fmt.Println("in flight:", s.InFlight)
	fmt.Println("2xx:", s.Status2xx, "4xx:", s.Status4xx, "limited:", s.Limited)
	// Output:
	// in flight: 0
	// 2xx: 0 4xx: 2 limited: 3
}

// A Transport counts the requests of its caller and, beside them, the attempts at the upstream.
func ExampleTransport_Stats() {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()

	eng, err := engine.New(engine.Config{Retry: &retry.Policy{MaxAttempts: 3, BaseDelay: time.Millisecond}})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(context.Background())
	tr := &enginehttp.Transport{Engine: eng}
	client := &http.Client{Transport: tr}
	defer client.CloseIdleConnections()
	for range 2 {
		resp, err := client.Get(server.URL)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
	}
	s := tr.Stats()
	fmt.Println("requests: 2xx", s.Status2xx, "5xx", s.Status5xx)
	fmt.Println("attempts: 2xx", s.Attempts2xx, "5xx", s.Attempts5xx)
	// Output:
	// requests: 2xx 2 5xx 0
	// attempts: 2xx 2 5xx 2
}
