package enginehttp_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	benbjohnson "github.com/benbjohnson/clock"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
)

// A limit for each client's address, in front of any handler.
func ExampleHandler() {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(2, time.Hour)},
		Breaker: &breaker.Policy{},
		Clock:   clock.Wrap(benbjohnson.NewMock()), // no second passes between the requests
	})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(context.Background())

	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	srv := httptest.NewServer(&enginehttp.Handler{Engine: eng, Key: enginehttp.RemoteIP(0), Next: mux})
	defer srv.Close()

	for range 3 {
		resp, err := http.Get(srv.URL)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
		fmt.Println("  RateLimit-Policy:", resp.Header.Get("RateLimit-Policy"))
		fmt.Println("  RateLimit:", resp.Header.Get("RateLimit"))
		if after := resp.Header.Get("Retry-After"); after != "" {
			fmt.Println("  Retry-After:", after)
		}
	}
	// Output:
	// 200 OK
	//   RateLimit-Policy: "default";q=2;w=3600
	//   RateLimit: "default";r=1;t=1800
	// 200 OK
	//   RateLimit-Policy: "default";q=2;w=3600
	//   RateLimit: "default";r=0;t=1800
	// 429 Too Many Requests
	//   RateLimit-Policy: "default";q=2;w=3600
	//   RateLimit: "default";r=0;t=1800
	//   Retry-After: 1800
}

// With Wait a request may queue for its token, here for the 20 ms until the next one.
func ExampleHandler_wait() {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 20*time.Millisecond)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(context.Background())

	h := &enginehttp.Handler{Engine: eng, Next: http.NotFoundHandler(), Wait: time.Minute}
	for range 3 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		fmt.Println(w.Code)
	}
	// Output:
	// 404
	// 404
	// 404
}

// A handler that asks an engine itself refuses as a Handler does.
func ExampleRefuse() {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)},
		Clock:   clock.Wrap(benbjohnson.NewMock()), // no second passes between the requests
	})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(context.Background())

	exports := eng.Key("exports").NoWait()
	export := func(w http.ResponseWriter, r *http.Request) {
		if err := exports.Acquire(r.Context()); err != nil {
			enginehttp.Refuse(w, r, err)
			return
		}
		fmt.Fprint(w, "done")
	}
	for range 2 {
		w := httptest.NewRecorder()
		export(w, httptest.NewRequest(http.MethodGet, "/export", nil))
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("Retry-After"))
	}
	// Output:
	// 200 ""
	// 429 "3600"
}

// A client reads what is left.
func ExampleParseRateLimit() {
	limits, err := enginehttp.ParseRateLimit(`"limit-1";r=0;t=2, "limit-2";r=41;t=1`)
	if err != nil {
		log.Fatal(err)
	}
	for _, limit := range limits {
		fmt.Println(limit.Policy, limit.Remaining, limit.Reset)
	}
	// Output:
	// limit-1 0 2s
	// limit-2 41 1s
}

// Refuse answers in the server's own way.
func ExampleHandler_refuse() {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)},
		Clock:   clock.Wrap(benbjohnson.NewMock()), // no second passes between the requests
	})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(context.Background())

	h := &enginehttp.Handler{
		Engine: eng,
		Key:    enginehttp.Header("X-API-Key"),
		Next:   http.NotFoundHandler(),
		Refuse: func(w http.ResponseWriter, _ *http.Request, refusal *engine.Rejection) {
			status := http.StatusServiceUnavailable
			if refusal.Limited() {
				status = http.StatusTooManyRequests
			}
			http.Error(w, "please wait "+w.Header().Get("Retry-After")+" s", status)
		},
	}
	for range 2 {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-API-Key", "secret")
		h.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 404 404 page not found
	// 429 please wait 3600 s
}
