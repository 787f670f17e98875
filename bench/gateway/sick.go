package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// sickRoutes is the configuration: a healthy upstream and one that will be sick, both with breaker and retries.
const sickRoutes = `{
  "listen": "127.0.0.1:0", "log": "off",
  "routes": [
    {"path": "/healthy", "upstream": %q, "breaker": {}, "retry": {}},
    {"path": "/sick", "upstream": %q, "timeout": "200ms",
      "breaker": {"failures": 5, "recovery": "1s"}, "retry": {"attempts": 3, "base_delay": "20ms", "max_delay": "200ms"}}
  ]
}`

const (
	recovery    = time.Second
	healthyRate = 1000 // requests per second
	sickRate    = 200
)

// states are what becomes of the sick upstream, in this order; it ends as it began.
var states = []string{"well", "hangs", "resets", "answers 503"}

// patient is the sick upstream.
type patient struct {
	state  atomic.Int32 // of states
	asked  atomic.Int64
	closed chan struct{}
}

func (p *patient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	switch p.state.Load() {
	case 1:
		select {
		case <-r.Context().Done():
		case <-p.closed:
		}
	case 2:
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0) // so that Close resets
			_ = conn.Close()
		}
	case 3:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// phase is what was seen while the sick upstream was in one state.
type phase struct {
	healthy       *hdrhistogram.Histogram // ns, from when a request was to be sent
	failed        int64                   // requests of the healthy route that were not answered 200
	sent, reached int64                   // requests to the sick route, and to its upstream
}

// sickness is all phases of a round, and how long after its recovery the upstream was let back in.
type sickness struct {
	phases []phase
	back   time.Duration
}

// sicken has the upstream be sick for a round: each state lasts for d.
func sicken(ctx context.Context, s *scene, d time.Duration) (sickness, error) {
	p := &patient{closed: make(chan struct{})}
	up := httptest.NewServer(p)
	defer up.Close()
	defer close(p.closed)
	at, err := s.configured(s.gateway, "sick.json", fmt.Appendf(nil, sickRoutes, s.upstream, up.URL))
	if err != nil {
		return sickness{}, err
	}
	defer s.endLast()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	if bad := paced(ctx, client, at+"/healthy", healthyRate, time.Second, nil); bad > 0 { // connections are dialled
		return sickness{}, fmt.Errorf("%d requests of the healthy route failed before anything was sick", bad)
	}

	var seen sickness
	for state := range states {
		p.state.Store(int32(state))
		f := phase{healthy: hdrhistogram.New(int64(time.Microsecond), int64(time.Minute), 3)}
		before := p.asked.Load()
		var sick sync.WaitGroup
		sick.Go(func() { paced(ctx, client, at+"/sick", sickRate, d, nil) })
		f.failed = paced(ctx, client, at+"/healthy", healthyRate, d, f.healthy)
		sick.Wait()
		f.sent, f.reached = int64(d.Seconds()*sickRate), p.asked.Load()-before
		seen.phases = append(seen.phases, f)
	}
	p.state.Store(0)
	for begun := time.Now(); ; {
		if get(ctx, client, at+"/sick") {
			seen.back = time.Since(begun)
			return seen, ctx.Err()
		}
		if time.Since(begun) > time.Minute {
			return seen, fmt.Errorf("the upstream is well, and was not let back in")
		}
	}
}

// paced sends requests at a rate, each at its time whatever becomes of the others, and returns how many were not answered 200.
func paced(ctx context.Context, client *http.Client, url string, rate int, d time.Duration, took *hdrhistogram.Histogram) (bad int64) {
	var mu sync.Mutex // of took and bad
	var wg sync.WaitGroup
	begun, every := time.Now(), time.Second/time.Duration(rate)
	for due := time.Duration(0); due < d && ctx.Err() == nil; due += every {
		time.Sleep(time.Until(begun.Add(due)))
		wg.Go(func() {
			ok := get(ctx, client, url)
			late := time.Since(begun.Add(due))
			mu.Lock()
			defer mu.Unlock()
			if !ok {
				bad++
			}
			if took != nil {
				_ = took.RecordValue(int64(late)) // within a minute, as the client's timeout sees to
			}
		})
	}
	wg.Wait()
	return bad
}

// get makes a request, and reports whether it was answered 200.
func get(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return err == nil && resp.StatusCode == http.StatusOK
}

// sickTable is what came of some rounds.
func sickTable(rounds []sickness, d time.Duration, circumstances string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d rounds; %d requests a second to the healthy route, each at its time, and %d to the other; %v in each state.\n\n",
		len(rounds), healthyRate, sickRate, d)
	fmt.Fprint(&b, "| the upstream of the other route | healthy p50 | healthy p99 | of well | p99 of each round | healthy failed | sent to the sick route | reached its upstream |\n")
	fmt.Fprint(&b, "|---|---:|---:|---:|---|---:|---:|---:|\n")
	over := func(state int, of func(phase) float64) (all []float64) {
		for _, r := range rounds {
			all = append(all, of(r.phases[state]))
		}
		return all
	}
	quantile := func(q float64) func(phase) float64 {
		return func(f phase) float64 { return float64(f.healthy.ValueAtQuantile(q)) / 1e6 }
	}
	for i, state := range states {
		p99s := over(i, quantile(99))
		var each []string
		for _, ms := range p99s {
			each = append(each, fmt.Sprintf("%.2f", ms))
		}
		fmt.Fprintf(&b, "| %s | %.2f ms | %.2f ms | %.2f× | %s | %.0f | %.0f | %.0f |\n", state, middle(over(i, quantile(50))), middle(p99s),
			middle(p99s)/middle(over(0, quantile(99))), strings.Join(each, ", "),
			slices.Max(over(i, func(f phase) float64 { return float64(f.failed) })),
			middle(over(i, func(f phase) float64 { return float64(f.sent) })), middle(over(i, func(f phase) float64 { return float64(f.reached) })))
	}
	var back []string
	for _, r := range rounds {
		back = append(back, r.back.Round(time.Millisecond).String())
	}
	fmt.Fprintf(&b, "\nLet back in after it was well again, with a recovery time of %v: %s.\n\n%s.\n", recovery, strings.Join(back, ", "), circumstances)
	return b.String()
}

// middle is the median.
func middle(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
