package enginehttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

const (
	stressed = 16  // goroutines
	each     = 200 // requests of each
)

// alongside runs f in many goroutines while look runs over and over.
func alongside(f func(g int), look func()) {
	var running sync.WaitGroup
	for g := range stressed {
		running.Go(func() { f(g) })
	}
	var over atomic.Bool
	var looking sync.WaitGroup
	looking.Go(func() {
		for !over.Load() {
			look()
		}
	})
	running.Wait()
	over.Store(true)
	looking.Wait()
}

// TestAHandlerCountsEachOfManyRequests once, and shows no impossible figures meanwhile.
func TestAHandlerCountsEachOfManyRequests(t *testing.T) {
	codes := []int{101, 200, 302, 404, 500}
	h := &enginehttp.Handler{Engine: guarding(t, anHourLeft()), Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var i int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &i); err != nil {
			t.Error(err)
		}
		if i%7 == 6 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(codes[i%len(codes)])
	}), Key: func(r *http.Request) string { return r.Header.Get("Key") }}
	var want enginehttp.HandlerStats
	for range stressed {
		for i := range each {
			switch {
			case i%3 == 2:
				want.Limited++
			case i%7 == 6:
				want.Aborted++
			default:
				*[]*uint64{&want.Status1xx, &want.Status2xx, &want.Status3xx, &want.Status4xx, &want.Status5xx}[i%len(codes)]++
			}
		}
	}
	h.Engine.Allow("spent")
	var last enginehttp.HandlerStats
	alongside(func(g int) {
		for i := range each {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprint("/", i), nil)
			r.Header.Set("Key", fmt.Sprint(g, "-", i))
			if i%3 == 2 {
				r.Header.Set("Key", "spent")
			}
			func() {
				defer func() { _ = recover() }()
				h.ServeHTTP(httptest.NewRecorder(), r)
			}()
		}
	}, func() {
		now := h.Stats()
		if now.InFlight < 0 || now.InFlight > stressed || sumOf(now) < sumOf(last) || sumOf(now) > sumOf(want) {
			t.Errorf("%+v after %+v", now, last)
		}
		last = now
	})
	require.Equal(t, want, h.Stats())
}

// sumOf returns the requests that have ended.
func sumOf(s enginehttp.HandlerStats) uint64 {
	return s.Status1xx + s.Status2xx + s.Status3xx + s.Status4xx + s.Status5xx + s.Limited + s.Unavailable + s.GaveUp + s.BadRequest + s.Aborted
}

// TestATransportCountsEachOfManyRequests and attempts once.
func TestATransportCountsEachOfManyRequests(t *testing.T) {
	tr := &enginehttp.Transport{
		Engine: transportEngine(t, engine.Config{Retry: thrice, Breaker: counting}),
		Base: transportFunc(func(r *http.Request) (*http.Response, error) {
			switch kind := r.Header["Kind"]; {
			case kind[0] == "panic":
				panic("fault")
			case kind[0] == "error":
				return nil, errNoUser
			case kind[0] == "second": // this goroutine's alone
				r.Header["Kind"][0] = "ok"
				return &http.Response{StatusCode: 503, Body: http.NoBody}, nil
			}
			return &http.Response{StatusCode: 204, Body: http.NoBody}, nil
		}),
	}
	kinds := []string{"ok", "second", "error", "panic"}
	const quarter = stressed * each / 4
	want := enginehttp.TransportStats{
		Status2xx: 2 * quarter, Failed: quarter, Aborted: quarter,
		Attempts2xx: 2 * quarter, Attempts5xx: quarter, AttemptsFailed: 3 * quarter, AttemptsAborted: quarter,
	}
	alongside(func(int) {
		for i := range each {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://host/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Kind", kinds[i%len(kinds)])
			func() {
				defer func() { _ = recover() }()
				if resp, err := tr.RoundTrip(r); err == nil {
					_ = resp.Body.Close()
				}
			}()
		}
	}, func() {
		if now := tr.Stats(); now.InFlight < 0 || now.InFlight > stressed || now.Status2xx > want.Status2xx || now.Aborted > now.AttemptsAborted {
			t.Errorf("%+v", now)
		}
	})
	require.Equal(t, want, tr.Stats())
}
