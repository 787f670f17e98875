package engineprom_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/engineprom"
	"github.com/limitpal/limitpal-go/limiter"
)

// serve returns the answer of h to a scrape.
func serve(h http.Handler) string {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	return rec.Body.String()
}

// printSeries prints the lines of a scrape that begin with name.
func printSeries(scrape, name string) {
	for lines := bufio.NewScanner(strings.NewReader(scrape)); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), name) {
			fmt.Println(lines.Text())
		}
	}
}

func Example() {
	users, err := engine.New(engine.Config{
		Name:    "user",
		Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.PerSecond(0.001)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close(context.Background())

	c, err := engineprom.New(users)
	if err != nil {
		log.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	http.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))

	for range 5 {
		users.Allow("alice")
	}
	printSeries(serve(http.DefaultServeMux), "limitpal_decisions_total")
	// Output:
	// limitpal_decisions_total{engine="user",result="admitted"} 2
	// limitpal_decisions_total{engine="user",result="gave_up"} 0
	// limitpal_decisions_total{engine="user",result="in_flight"} 0
	// limitpal_decisions_total{engine="user",result="key_limit"} 0
	// limitpal_decisions_total{engine="user",result="limited"} 3
	// limitpal_decisions_total{engine="user",result="open"} 0
	// limitpal_decisions_total{engine="user",result="queue_full"} 0
	// limitpal_decisions_total{engine="user",result="shadow_refused"} 0
}

// Engines that come and go while the process runs share one Collector.
func ExampleCollector_Add() {
	var c engineprom.Collector
	reg := prometheus.NewRegistry()
	reg.MustRegister(&c)
	metrics := promhttp.HandlerFor(reg, promhttp.HandlerOpts{})

	var routes []*engine.Engine
	for _, name := range []string{"/orders", "/payments"} {
		route, err := engine.New(engine.Config{Name: name})
		if err != nil {
			log.Fatal(err)
		}
		defer route.Close(context.Background())
		routes = append(routes, route)
	}
	fmt.Println("added:", c.Add(routes...))
	fmt.Println("added again:", c.Add(routes[0]))
	c.Remove(routes[0])
	printSeries(serve(metrics), "limitpal_keys")
	// Output:
	// added: <nil>
	// added again: engineprom: engines[0]: there is another engine whose Config.Name = "/orders"
	// limitpal_keys{engine="/payments"} 0
}
