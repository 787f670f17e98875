package enginehttp_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// ended runs f to its end, which may be a panic or runtime.Goexit.
func ended(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		f()
	}()
	<-done
}

// endingsOfNext are the ways in which a Next ends, and what a Handler is to count.
var endingsOfNext = map[string]struct {
	next http.HandlerFunc
	want enginehttp.HandlerStats
}{
	"101":     {status(101), enginehttp.HandlerStats{Status1xx: 1}},
	"200":     {status(200), enginehttp.HandlerStats{Status2xx: 1}},
	"299":     {status(299), enginehttp.HandlerStats{Status2xx: 1}},
	"304":     {status(304), enginehttp.HandlerStats{Status3xx: 1}},
	"400":     {status(400), enginehttp.HandlerStats{Status4xx: 1}},
	"429":     {status(429), enginehttp.HandlerStats{Status4xx: 1}},
	"503":     {status(503), enginehttp.HandlerStats{Status5xx: 1}},
	"599":     {status(599), enginehttp.HandlerStats{Status5xx: 1}},
	"600":     {status(600), enginehttp.HandlerStats{Status5xx: 1}},
	"999":     {status(999), enginehttp.HandlerStats{Status5xx: 1}},
	"body":    {greet, enginehttp.HandlerStats{Status2xx: 1}},
	"nothing": {func(http.ResponseWriter, *http.Request) {}, enginehttp.HandlerStats{Status2xx: 1}},
	"hints": {func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		w.WriteHeader(http.StatusNotFound)
	}, enginehttp.HandlerStats{Status4xx: 1}},
	"two statuses": {func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		w.WriteHeader(http.StatusBadGateway)
	}, enginehttp.HandlerStats{Status4xx: 1}},
	"Refuse": {func(w http.ResponseWriter, r *http.Request) {
		enginehttp.Refuse(w, r, engine.ErrClosed)
	}, enginehttp.HandlerStats{Status5xx: 1}},
	"panic": {func(http.ResponseWriter, *http.Request) { panic("fault") }, enginehttp.HandlerStats{Aborted: 1}},
	"abort after a status": {func(w http.ResponseWriter, r *http.Request) {
		greet(w, r)
		panic(http.ErrAbortHandler)
	}, enginehttp.HandlerStats{Aborted: 1}},
	"Goexit": {func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, enginehttp.HandlerStats{Aborted: 1}},
}

// TestStatsOfAHandlersNext: each end counts once, whichever way the request takes through the Handler.
func TestStatsOfAHandlersNext(t *testing.T) {
	for name, row := range endingsOfNext {
		t.Run(name, func(t *testing.T) {
			eng := guarding(t, engine.Config{Breaker: counting})
			for _, h := range []*enginehttp.Handler{
				{Engine: eng, Next: row.next},
				{Chain: func(*http.Request) (engine.Key, error) { return eng.Key("k"), nil }, Next: row.next},
			} {
				require.Zero(t, h.Stats())
				for i, method := range []string{http.MethodGet, http.MethodPut} {
					ended(func() { sendTo(t, h, method) })
					require.Equal(t, times(i+1, row.want), h.Stats(), method)
				}
			}
		})
	}
}

// times returns n times s.
func times(n int, s enginehttp.HandlerStats) enginehttp.HandlerStats {
	m := uint64(n) //nolint:gosec // a small number
	return enginehttp.HandlerStats{
		InFlight:  n * s.InFlight,
		Status1xx: m * s.Status1xx, Status2xx: m * s.Status2xx, Status3xx: m * s.Status3xx, Status4xx: m * s.Status4xx, Status5xx: m * s.Status5xx,
		Limited: m * s.Limited, Unavailable: m * s.Unavailable, GaveUp: m * s.GaveUp, BadRequest: m * s.BadRequest,
		Aborted: m * s.Aborted,
	}
}

// TestStatsOfAHandlersRefusals: the second of two requests is not for Next.
func TestStatsOfAHandlersRefusals(t *testing.T) {
	full := engine.Config{Limiter: oneIn(time.Hour).Limiter, Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour}}
	for name, row := range map[string]struct {
		cfg    engine.Config
		before func(t *testing.T, h *enginehttp.Handler, r *http.Request) *http.Request
		want   enginehttp.HandlerStats
	}{
		"limited": {anHourLeft(), nil, enginehttp.HandlerStats{Limited: 1}},
		"limited, with a Refuse": {anHourLeft(), func(_ *testing.T, h *enginehttp.Handler, r *http.Request) *http.Request {
			h.Refuse = func(w http.ResponseWriter, _ *http.Request, _ *engine.Rejection) { w.WriteHeader(http.StatusOK) }
			return r
		}, enginehttp.HandlerStats{Limited: 1}},
		"limited, with a Refuse that panics": {anHourLeft(), func(_ *testing.T, h *enginehttp.Handler, r *http.Request) *http.Request {
			h.Refuse = func(http.ResponseWriter, *http.Request, *engine.Rejection) { panic("fault") }
			return r
		}, enginehttp.HandlerStats{Aborted: 1}},
		"open": {full, func(t *testing.T, h *enginehttp.Handler, r *http.Request) *http.Request {
			h.Engine.Reset("k") // the token
			require.Error(t, h.Engine.Run(t.Context(), "k", func(context.Context) error { return errors.New("fault") }))
			return r
		}, enginehttp.HandlerStats{Unavailable: 1}},
		"closed": {full, func(t *testing.T, h *enginehttp.Handler, r *http.Request) *http.Request {
			require.NoError(t, h.Engine.Close(t.Context()))
			return r
		}, enginehttp.HandlerStats{Unavailable: 1}},
		"gave up": {full, func(t *testing.T, h *enginehttp.Handler, r *http.Request) *http.Request {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return r.WithContext(ctx)
		}, enginehttp.HandlerStats{GaveUp: 1}},
		"several lines": {full, func(_ *testing.T, h *enginehttp.Handler, r *http.Request) *http.Request {
			r.Header.Add("User", "a")
			r.Header.Add("User", "b")
			return r
		}, enginehttp.HandlerStats{BadRequest: 1}},
		"configuration": {full, func(t *testing.T, h *enginehttp.Handler, r *http.Request) *http.Request {
			require.NoError(t, h.Engine.Reconfigure(engine.Config{Classify: func(error) engine.Outcome { return engine.Success }}))
			return r
		}, enginehttp.HandlerStats{Aborted: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, chain := range []bool{false, true} {
				for _, body := range []string{"", "body"} {
					h := &enginehttp.Handler{Engine: guarding(t, row.cfg), Next: status(http.StatusNoContent)}
					h.Key = func(r *http.Request) string {
						if key := enginehttp.Header("User")(r); key != "" {
							return key
						}
						return "k"
					}
					guard := h
					if chain {
						guard = chainedHandler(h)
					}
					r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/", strings.NewReader(body))
					if body == "" {
						r.Body = http.NoBody
					}
					guard.ServeHTTP(httptest.NewRecorder(), r)
					if row.before != nil {
						r = row.before(t, h, r)
						guard.Refuse = h.Refuse
					}
					ended(func() { guard.ServeHTTP(httptest.NewRecorder(), r) })
					want := row.want
					want.Status2xx = 1
					require.Equal(t, want, guard.Stats(), "chain: %v, body: %q", chain, body)
				}
			}
		})
	}
}

// chainedHandler returns h with a Chain in place of Engine and Key.
func chainedHandler(h *enginehttp.Handler) *enginehttp.Handler {
	return &enginehttp.Handler{Next: h.Next, Chain: func(r *http.Request) (engine.Key, error) { return h.Engine.Key(h.Key(r)), nil }}
}

// TestStatsOfAHandlerThatCannotServe: fields, keys and functions at fault.
func TestStatsOfAHandlerThatCannotServe(t *testing.T) {
	eng := guarding(t, engine.Config{})
	for name, row := range map[string]struct {
		h    *enginehttp.Handler
		want enginehttp.HandlerStats
	}{
		"no Engine":   {&enginehttp.Handler{Next: status(200)}, enginehttp.HandlerStats{Aborted: 2}},
		"Key panics":  {&enginehttp.Handler{Engine: eng, Key: func(*http.Request) string { panic("fault") }, Next: status(200)}, enginehttp.HandlerStats{Aborted: 2}},
		"Chain fails": {&enginehttp.Handler{Chain: func(*http.Request) (engine.Key, error) { return engine.Key{}, errNoUser }, Next: status(200)}, enginehttp.HandlerStats{BadRequest: 2}},
		"zero Key":    {&enginehttp.Handler{Chain: func(*http.Request) (engine.Key, error) { return engine.Key{}, nil }, Next: status(200)}, enginehttp.HandlerStats{Aborted: 2}},
		"an engine twice": {&enginehttp.Handler{Chain: func(*http.Request) (engine.Key, error) {
			return engine.Chain(eng.Key("a"), eng.Key("b")), nil
		}, Next: status(200)}, enginehttp.HandlerStats{Aborted: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				ended(func() { ask(t, row.h) })
			}
			require.Equal(t, row.want, row.h.Stats())
		})
	}
}

// TestARequestIsInFlightUntilServeHTTPEnds, in the queue too.
func TestARequestIsInFlightUntilServeHTTPEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := make(chan int)
		h := &enginehttp.Handler{
			Engine: guarding(t, engine.Config{Limiter: oneIn(time.Minute).Limiter}), Wait: time.Hour,
			Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-next) }),
		}
		ctx, leave := context.WithCancel(t.Context())
		go ask(t, h)
		synctest.Wait()
		require.Equal(t, enginehttp.HandlerStats{InFlight: 1}, h.Stats())
		go askWith(ctx, h)
		synctest.Wait()
		require.Equal(t, enginehttp.HandlerStats{InFlight: 2}, h.Stats())
		leave() // the queue
		synctest.Wait()
		require.Equal(t, enginehttp.HandlerStats{InFlight: 1, GaveUp: 1}, h.Stats())
		next <- http.StatusTeapot
		synctest.Wait()
		require.Equal(t, enginehttp.HandlerStats{GaveUp: 1, Status4xx: 1}, h.Stats())
	})
}
