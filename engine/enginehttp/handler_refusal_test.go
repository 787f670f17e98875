package enginehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestHandlerRetryAfter: a request that comes at exactly Retry-After is admitted, and one a second earlier is not.
func TestHandlerRetryAfter(t *testing.T) {
	bucket := func(capacity int, interval time.Duration) limiter.TokenBucket {
		return limiter.TokenBucket{Capacity: capacity, RefillRate: limiter.Per(1, interval)}
	}
	failing := func(after int) http.HandlerFunc { // requests that succeed
		return func(w http.ResponseWriter, _ *http.Request) {
			if after--; after < 0 {
				w.WriteHeader(500)
			}
		}
	}
	for _, c := range []struct {
		name       string
		cfg        engine.Config
		next       http.HandlerFunc
		retryAfter int
		status     int
	}{
		{"whole seconds", engine.Config{Limiter: bucket(1, 2*time.Second), MaxWait: engine.NoWait}, greet, 2, 429},
		{"rounded up", engine.Config{Limiter: bucket(1, 2001*time.Millisecond), MaxWait: engine.NoWait}, greet, 3, 429},
		{"by a nanosecond", engine.Config{Limiter: bucket(1, 2*time.Second+1), MaxWait: engine.NoWait}, greet, 3, 429},
		{"less than a second", engine.Config{Limiter: bucket(1, time.Millisecond), MaxWait: engine.NoWait}, greet, 1, 429},
		{"a leaky bucket", engine.Config{
			Limiter: limiter.LeakyBucket{Capacity: 3, LeakRate: limiter.Per(1, 4*time.Second)}, MaxWait: engine.NoWait,
		}, greet, 4, 429},
		{"the longest of several", engine.Config{
			Limiter: limiter.All(bucket(1, 2*time.Second), bucket(1, 7*time.Second), bucket(5, time.Hour)), MaxWait: engine.NoWait,
		}, greet, 7, 429},
		{"the breaker", engine.Config{
			Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 2500 * time.Millisecond},
		}, failing(0), 3, 503},
		{"the breaker, and then the limiter", engine.Config{
			Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 2500 * time.Millisecond},
			Limiter: bucket(1, 9*time.Second), MaxWait: engine.NoWait,
		}, failing(0), 9, 503},
	} {
		for i, fields := range []enginehttp.Fields{enginehttp.Draft10, enginehttp.XRateLimit, enginehttp.NoFields, enginehttp.NoFields} {
			dispatch := []engine.Dispatch{engine.Published, engine.Mailbox}[i%2]
			t.Run(fmt.Sprint(c.name, "/", dispatch, "/", fields), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cfg, admitted, next := c.cfg, 0, c.next
					cfg.Dispatch = dispatch
					h := &enginehttp.Handler{Engine: guarding(t, cfg), Fields: fields, Next: http.HandlerFunc(
						func(w http.ResponseWriter, r *http.Request) {
							admitted++
							next(w, r)
						})}
					for admitted < 1 {
						ask(t, h)
					}
					refused := ask(t, h)
					require.Equal(t, c.status, refused.status)
					require.Equal(t, strconv.Itoa(c.retryAfter), refused.header.Get("Retry-After"))

					next = greet
					time.Sleep(time.Duration(c.retryAfter-1) * time.Second)
					again := ask(t, h)
					require.NotEqual(t, http.StatusOK, again.status)
					require.Equal(t, "1", again.header.Get("Retry-After"))
					time.Sleep(time.Second)
					require.Equal(t, http.StatusOK, ask(t, h).status)
				})
			})
		}
	}
}

// hasty is a clock that moves by step whenever it is read.
type hasty struct {
	clock.Clock
	now, step atomic.Int64 // ns
}

func (h *hasty) Now() time.Time { return time.Unix(1, h.now.Add(h.step.Load())) }

// TestHandlerRetryAfterIsAtLeastASecond: also when the instant has come before the answer is written.
func TestHandlerRetryAfterIsAtLeastASecond(t *testing.T) {
	now := &hasty{Clock: clock.System()}
	cfg := oneIn(time.Minute)
	cfg.Clock = now
	h := &enginehttp.Handler{Engine: guarding(t, cfg), Next: http.HandlerFunc(greet)}
	require.Equal(t, http.StatusOK, ask(t, h).status)
	now.step.Store(int64(40 * time.Second)) // too early when it is decided, and late when it is told
	refused := ask(t, h)
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.Equal(t, "1", refused.header.Get("Retry-After"))
	require.Equal(t, `"default";r=0;t=1`, refused.header.Get("RateLimit"))
}

// TestHandlerQueue: a request waits for its token, the next finds the queue full, and one that leaves makes room.
func TestHandlerQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &enginehttp.Handler{
			Engine: guarding(t, engine.Config{Limiter: oneIn(5 * time.Second).Limiter, MaxQueue: 1}),
			Next:   http.HandlerFunc(greet),
			Wait:   time.Minute,
		}
		require.Equal(t, http.StatusOK, ask(t, h).status)
		ctx, leave := context.WithCancel(t.Context())
		replies := make(chan reply, 2)
		go func() { replies <- askWith(ctx, h) }()
		synctest.Wait()

		full := ask(t, h)
		require.Equal(t, http.StatusServiceUnavailable, full.status)
		require.Equal(t, problemTypes+"temporary-reduced-capacity", problemOf(t, full)["type"])
		require.Equal(t, "10", full.header.Get("Retry-After"), "behind the one that waits")
		require.Equal(t, `"default";r=0;t=10`, full.header.Get("RateLimit"))

		leave()
		gone := <-replies
		require.Equal(t, http.StatusServiceUnavailable, gone.status, "not 200 in a log")
		require.Empty(t, gone.header.Values("Retry-After"))

		go func() { replies <- ask(t, h) }()
		begun := time.Now()
		require.Equal(t, http.StatusOK, (<-replies).status)
		require.Equal(t, 5*time.Second, time.Since(begun))
	})
}

// TestHandlerClientGoneWhileQueued: over a socket, Next is not called for a client that has left.
func TestHandlerClientGoneWhileQueued(t *testing.T) {
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		asked, ended := make(chan struct{}, 1), make(chan int, 1)
		called := 0
		h := &enginehttp.Handler{
			Engine: guarding(t, engine.Config{Limiter: oneIn(time.Hour).Limiter}),
			Key:    func(*http.Request) string { asked <- struct{}{}; return "k" },
			Wait:   2 * time.Hour,
			Next:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }),
		}
		srv := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			ended <- rec.Code
		}))
		answered(t, srv, http.MethodGet)
		<-asked
		require.Equal(t, http.StatusOK, <-ended)

		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() {
			resp, err := srv.Client().Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			done <- err
		}()
		<-asked
		leave()
		require.ErrorIs(t, <-done, context.Canceled)
		require.Equal(t, http.StatusServiceUnavailable, <-ended)
		require.Equal(t, 1, called)
		s, known := h.Engine.Inspect("k")
		require.True(t, known)
		require.Zero(t, s.Waiting)
	})
}

func TestHandlerDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &enginehttp.Handler{
			Engine: guarding(t, engine.Config{Limiter: oneIn(time.Hour).Limiter}), Next: http.HandlerFunc(greet), Wait: 2 * time.Hour,
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Equal(t, http.StatusOK, askWith(ctx, h).status)
		require.Equal(t, http.StatusTooManyRequests, askWith(ctx, h).status, "its token would come too late")
		<-ctx.Done()
		late := askWith(ctx, h)
		require.Equal(t, http.StatusServiceUnavailable, late.status)
		require.Empty(t, late.header.Values("Retry-After"))
		problemOf(t, late)
	})
}

func TestHandlerOfAClosedEngine(t *testing.T) {
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		h := &enginehttp.Handler{Engine: guarding(t, oneIn(time.Hour)), Next: http.HandlerFunc(greet)}
		srv := serve(h)
		require.Equal(t, http.StatusOK, answered(t, srv, http.MethodGet).status)
		require.NoError(t, h.Engine.Close(t.Context()))
		closed := answered(t, srv, http.MethodGet)
		require.Equal(t, http.StatusServiceUnavailable, closed.status)
		require.Empty(t, closed.header.Values("Retry-After"), "nothing is known")
		require.Empty(t, closed.header.Values("RateLimit"))
		require.NotEmpty(t, closed.header.Get("RateLimit-Policy"))
		require.Equal(t, problemTypes+"temporary-reduced-capacity", problemOf(t, closed)["type"])
	})
}

func TestHandlerNamesTheLimitsThatRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &enginehttp.Handler{
			Engine: guarding(t, engine.Config{MaxWait: engine.NoWait, Limiter: limiter.All(
				limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 2*time.Second)},
				limiter.TokenBucket{Capacity: 9, RefillRate: limiter.Per(9, time.Hour)},
				limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Minute)},
			)}),
			Next: http.HandlerFunc(greet),
		}
		require.Equal(t, http.StatusOK, ask(t, h).status)
		refused := ask(t, h)
		require.Equal(t, []any{"limit-1", "limit-3"}, problemOf(t, refused)["violated-policies"])
		require.Equal(t, `"limit-1";q=1;w=2, "limit-2";q=9;w=3600, "limit-3";q=1;w=60`, refused.header.Get("RateLimit-Policy"))
		require.Equal(t, `"limit-1";r=0;t=2, "limit-2";r=8;t=400, "limit-3";r=0;t=60`, refused.header.Get("RateLimit"))

		time.Sleep(10 * time.Second)
		refused = ask(t, h)
		require.Equal(t, []any{"limit-3"}, problemOf(t, refused)["violated-policies"])
		require.Equal(t, `"limit-1";r=1;t=0, "limit-2";r=8;t=390, "limit-3";r=0;t=50`, refused.header.Get("RateLimit"))
		require.Equal(t, "50", refused.header.Get("Retry-After"))
	})
}

// TestHandlerRefuse: it answers in place of the handler, with the fields there already.
func TestHandlerRefuse(t *testing.T) {
	h := &enginehttp.Handler{
		Engine: guarding(t, anHourLeft()),
		Next:   http.HandlerFunc(greet),
		Refuse: func(w http.ResponseWriter, r *http.Request, refusal *engine.Rejection) {
			if !errors.Is(refusal, limiter.ErrLimited) || refusal.Key != "192.0.2.1" || r.Method != http.MethodGet {
				t.Errorf("%v", refusal)
			}
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "wait "+w.Header().Get("Retry-After"))
		},
	}
	require.Equal(t, http.StatusOK, ask(t, h).status)
	refused := ask(t, h)
	require.Equal(t, http.StatusTeapot, refused.status)
	require.Equal(t, "wait 3600", refused.body)
	require.Equal(t, "text/plain", refused.header.Get("Content-Type"))
	require.Equal(t, `"default";r=0;t=3600`, refused.header.Get("RateLimit"))

	ctx, leave := context.WithCancel(t.Context())
	leave()
	require.Equal(t, http.StatusServiceUnavailable, askWith(ctx, h).status, "that is no refusal")
}

// ticking is a clock that goes on by a millisecond whenever it is read.
type ticking struct {
	clock.Clock
	readings atomic.Int64
	begun    time.Time
}

func (c *ticking) Now() time.Time {
	return c.begun.Add(time.Duration(c.readings.Add(1)) * time.Millisecond)
}

// The instant at which a breaker lets a call through may come between the refusal and the answer. It is known all the same.
func TestAnOpenBreakerAlwaysSaysWhen(t *testing.T) {
	for recovery := 20 * time.Millisecond; recovery < 30*time.Millisecond; recovery += time.Millisecond {
		h := &enginehttp.Handler{
			Engine: guarding(t, engine.Config{
				Clock: &ticking{Clock: clock.System(), begun: time.Now()}, Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: recovery},
			}),
			Next: status(http.StatusInternalServerError),
		}
		refused := 0
		for range 100 {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			if w.Code == http.StatusServiceUnavailable {
				refused++
				require.Equal(t, "1", w.Header().Get("Retry-After"))
			}
		}
		require.Positive(t, refused)
	}
}
