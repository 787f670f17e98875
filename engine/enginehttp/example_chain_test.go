package enginehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/limitpal/limitpal-go/retry"
)

// A limit for each user and a limit for the user's tenant decide about a request together. A request
// that the tenant's limit refuses costs the user nothing.
func ExampleHandler_chain() {
	still := clock.Wrap(benbjohnson.NewMock()) // no second passes between the requests; all engines of a chain have one Clock
	users, err := engine.New(engine.Config{
		Name: "user", Clock: still, Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(10, time.Minute)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close(context.Background())
	tenants, err := engine.New(engine.Config{
		Name: "tenant", Clock: still, Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(2, time.Minute)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tenants.Close(context.Background())

	h := &enginehttp.Handler{
		Chain: func(r *http.Request) (engine.Key, error) {
			user, tenant := r.Header.Get("X-User"), r.Header.Get("X-Tenant")
			if user == "" || tenant == "" {
				return engine.Key{}, errors.New("a request must name its user and its tenant")
			}
			return engine.Chain(users.Key(user), tenants.Key(tenant)), nil
		},
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }),
	}
	for _, user := range []string{"ann", "ann", "ann", "bob", ""} {
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		r.Header.Set("X-User", user)
		r.Header.Set("X-Tenant", "acme")
		h.ServeHTTP(w, r)
		fmt.Printf("%q %d RateLimit [%s] Retry-After [%s]\n", user, w.Code, w.Header().Get("RateLimit"), w.Header().Get("Retry-After"))
	}
	// Output:
	// "ann" 200 RateLimit ["default";r=9;t=6] Retry-After []
	// "ann" 200 RateLimit ["default";r=8;t=6] Retry-After []
	// "ann" 429 RateLimit ["default";r=8;t=6] Retry-After [30]
	// "bob" 429 RateLimit ["default";r=10;t=0] Retry-After [30]
	// "" 400 RateLimit [] Retry-After []
}

// A limit for each user and a breaker for each host decide about a request together. An attempt after
// the first costs the user no token, since the engine of the users has PerCall.
func ExampleTransport_chain() {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "hello")
	}))
	defer server.Close()

	users, err := engine.New(engine.Config{
		Name: "user", PerCall: true, MaxWait: engine.NoWait, Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(2, time.Hour)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close(context.Background())
	hosts, err := engine.New(engine.Config{
		Name: "host", Breaker: &breaker.Policy{FailureThreshold: 5}, Retry: &retry.Policy{MaxAttempts: 3, BaseDelay: time.Millisecond},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer hosts.Close(context.Background())

	client := &http.Client{Transport: &enginehttp.Transport{Chain: func(r *http.Request) (engine.Key, error) {
		return engine.Chain(users.Key("ann"), hosts.Key(r.URL.Host)), nil
	}}}
	defer client.CloseIdleConnections()
	for range 3 {
		resp, err := client.Get(server.URL)
		if refused, ok := errors.AsType[*engine.Rejection](err); ok {
			fmt.Println("refused by", refused.Engine, refused.Key)
			continue
		} else if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.StatusCode, string(body), requests)
	}
	// Output:
	// 200 hello 3
	// 200 hello 4
	// refused by user ann
}
