package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// An upstream that answers 503 with Retry-After is left alone for that time, if the file has a
// max_recovery, and for max_recovery at most.
func TestRetryAfterOpensTheBreaker(t *testing.T) {
	for fields, want := range map[string]time.Duration{
		``:                         0,
		`"max_recovery": "5m"`:     time.Minute,
		`"max_recovery": "30s"`:    30 * time.Second,
		`"recovery_jitter": 0.999`: 0,
	} {
		for _, retry := range []string{"", `, "retry": {"attempts": 3, "max_delay": "1s"}`} {
			inBubble(t, func(t *bubble) {
				asked := 0
				up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
					asked++
					w.Header().Set("Retry-After", "60")
					w.WriteHeader(http.StatusServiceUnavailable)
				})
				s := serve(t, "", route("/", up, `, "breaker": {`+fields+`}, "limiter": {"rate": "100/s"}`+retry))
				r := get(t, client(t), s.URL())
				require.Equal(t, http.StatusServiceUnavailable, r.status)
				require.Equal(t, "60", r.header.Get("Retry-After"))
				status := s.Status()[0]
				require.Equal(t, want, status.OpenFor, fields)
				require.Equal(t, 1, asked)
				if want == 0 {
					return
				}
				time.Sleep(want - time.Second) // of the bubble
				r = get(t, client(t), s.URL())
				require.Equal(t, http.StatusServiceUnavailable, r.status)
				require.Equal(t, "1", r.header.Get("Retry-After"))
				require.Equal(t, 1, asked)
				time.Sleep(time.Second) // of the bubble
				get(t, client(t), s.URL())
				require.Equal(t, 2, asked)
			})
		}
	}
}

// A breaker goes by the shares of failures and of slow requests, by the time of the upstream.
func TestSharesOpenTheBreaker(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/fails"):
				w.WriteHeader(http.StatusInternalServerError)
			case strings.HasSuffix(r.URL.Path, "/slow"):
				time.Sleep(time.Second) // of the bubble
			}
		})
		s := serve(t, "",
			route("/failures", up, `, "breaker": {"failure_rate": 0.5, "window_calls": 10, "min_calls": 8}`),
			route("/slow", up, `, "breaker": {"slow_rate": 0.5, "slow_after": "1s", "window": "1m", "min_calls": 4}`))
		cl := client(t)
		ask := func(path string) { get(t, cl, s.URL()+path) }
		for range 7 {
			ask("/failures/fails")
		}
		require.Equal(t, breaker.Closed, s.Status()[0].Breaker, "too few requests")
		ask("/failures/fails")
		require.Equal(t, breaker.Open, s.Status()[0].Breaker)

		ask("/slow/quick")
		ask("/slow/quick")
		ask("/slow/slow")
		require.Equal(t, breaker.Closed, s.Status()[1].Breaker)
		ask("/slow/slow")
		require.Equal(t, breaker.Open, s.Status()[1].Breaker)
	})
}

// judging is a route whose breaker opens with the first slow request, and with the first failure.
const judging = `, "breaker": {"failures": 1, "slow_rate": 0.01, "slow_after": "2s", "min_calls": 1}`

// A client that takes its time to send a body is not an upstream that is slow, and an upstream that
// is slow beside such a client is.
func TestSlowClientsDoNotOpenTheBreaker(t *testing.T) {
	for _, row := range []struct {
		client, upstream time.Duration
		want             breaker.State
	}{{3 * time.Second, time.Second, breaker.Closed}, {0, time.Second, breaker.Closed}, {3 * time.Second, 2 * time.Second, breaker.Open},
		{0, 2 * time.Second, breaker.Open}} {
		inBubble(t, func(t *bubble) {
			up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				time.Sleep(row.upstream) // of the bubble
			})
			s := serve(t, "", route("/", up, judging))
			body, in := io.Pipe()
			go func() { // ends with the request
				_, _ = io.WriteString(in, "hello")
				time.Sleep(row.client) // of the bubble
				_ = in.Close()
			}()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(), body)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, send(t, client(t), req).status)
			require.Equal(t, row.want, s.Status()[0].Breaker, "%v", row)
		})
	}
}

// An upstream that gives a request up whose client sends nothing has not failed, also if the breaker
// judges slow requests. An upstream that fails without a wait for a client has.
func TestUpstreamGivesASlowClientUp(t *testing.T) {
	for wait, want := range map[time.Duration]breaker.State{1500 * time.Millisecond: breaker.Closed, 0: breaker.Open} {
		inBubble(t, func(t *bubble) {
			up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).EnableFullDuplex() // or the answer waits for the body
				time.Sleep(wait)                                     // of the bubble
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			s := serve(t, "", route("/", up, judging))
			conn := dial(t, s)
			fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
			answer := make([]byte, 12)
			_, err := io.ReadFull(conn, answer)
			require.NoError(t, err)
			require.Equal(t, "HTTP/1.1 503", string(answer))
			require.Equal(t, want, s.Status()[0].Breaker)
		})
	}
}

// The wait for one of max_connections is no time of the upstream.
func TestWaitForAConnectionIsNotSlow(t *testing.T) {
	for _, each := range []time.Duration{1500 * time.Millisecond, 2 * time.Second} {
		inBubble(t, func(t *bubble) {
			up := upstream(t, func(w http.ResponseWriter, r *http.Request) { time.Sleep(each) }) // of the bubble
			s := serve(t, "", route("/", up, judging+`, "max_connections": 1`))
			var group sync.WaitGroup
			cl := client(t)
			for range 2 {
				group.Go(func() { get(t, cl, s.URL()) })
			}
			group.Wait()
			synctest.Wait()
			require.Equal(t, each >= 2*time.Second, s.Status()[0].Breaker == breaker.Open)
		})
	}
}

// A key that a person has forced open is refused with the end of that state, whatever engine has the
// key; and a breaker that is forced closed lets a sick upstream be asked, also after a reload.
func TestForce(t *testing.T) {
	inBubble(t, func(t *bubble) {
		asked := 0
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			w.WriteHeader(http.StatusInternalServerError)
		})
		file := func(rate, recovery string) string {
			return route("/", up, fmt.Sprintf(`, "key": {"header": "X-Key"}, "limiter": {"rate": %q}, "breaker": {"failures": 1, "recovery": %q}`, rate, recovery))
		}
		s := serve(t, "", file("100/s", "1h"))
		cl := client(t)
		for _, g := range s.Guards() {
			key := map[string]string{"client": "a", "upstream": strings.TrimPrefix(up.URL, "http://")}[g.Engine.Name()]
			require.NoError(t, g.Engine.Force(key, breaker.Open, time.Minute))
			r := get(t, cl, s.URL(), "X-Key", "a")
			require.Equal(t, http.StatusServiceUnavailable, r.status)
			require.Equal(t, "60", r.header.Get("Retry-After"))
			require.Zero(t, asked, g.Engine.Name())
			require.NoError(t, g.Engine.Force(key, breaker.Closed, 0))
		}
		calls := s.Guards()[1]
		key := strings.TrimPrefix(up.URL, "http://")
		require.NoError(t, calls.Engine.Force(key, breaker.Closed, time.Minute))
		for n := range 3 {
			require.Equal(t, http.StatusInternalServerError, get(t, cl, s.URL(), "X-Key", "a").status)
			require.Equal(t, n+1, asked)
		}
		reload(t, s, "", file("90/s", "2h"))
		require.Equal(t, http.StatusInternalServerError, get(t, cl, s.URL(), "X-Key", "a").status)
		time.Sleep(time.Minute) // of the bubble
		require.Equal(t, http.StatusInternalServerError, get(t, cl, s.URL(), "X-Key", "a").status)
		require.Equal(t, http.StatusServiceUnavailable, get(t, cl, s.URL(), "X-Key", "a").status, "the breaker counts again")
	})
}
