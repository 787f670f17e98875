package proxy_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// patient is a server that is sick or well, and notes its state at each request.
type patient struct {
	state atomic.Pointer[string]
	seen  chan string // the states, for each request one
	freed chan struct{}
}

func (p *patient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	state := *p.state.Load()
	p.seen <- state
	switch state {
	case "hangs":
		select {
		case <-r.Context().Done():
		case <-p.freed:
		}
	case "resets":
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.(duplex).SetLinger(0) // so that Close is a reset
			_ = conn.Close()
		}
	case "answers 503":
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// An upstream hangs, then resets connections, then answers 503, and then is well again. The other
// route does not notice, few requests reach the sick upstream, and the upstream is let back in
// after its recovery time.
func TestSickUpstream(t *testing.T) {
	inBubble(t, func(t *bubble) {
		const recovery = 100 * time.Millisecond
		sick := &patient{seen: make(chan string, 10_000), freed: make(chan struct{})}
		turn := func(state string) { sick.state.Store(&state) }
		turn("is well")
		up, healthy := upstream(t, sick.ServeHTTP), upstream(t, name("healthy"))
		defer close(sick.freed)
		s := serve(t, "", route("/healthy", healthy, `, "breaker": {}, "retry": {}`),
			fmt.Sprintf(`{"path": "/sick", "upstream": %q, "timeout": "1s", "breaker": {"failures": 3, "recovery": %q}}`, up.URL, recovery))
		cl := client(t)
		stop := use(t, s.URL()+"/healthy")

		require.Equal(t, http.StatusOK, get(t, cl, s.URL()+"/sick").status)
		require.Equal(t, "is well", receive(t, sick.seen))
		turn("hangs")
		for range 3 {
			require.Equal(t, http.StatusGatewayTimeout, get(t, cl, s.URL()+"/sick").status)
			require.Equal(t, "hangs", receive(t, sick.seen))
		}
		require.Equal(t, http.StatusServiceUnavailable, get(t, cl, s.URL()+"/sick").status)
		require.Equal(t, breaker.Open, s.Status()[1].Breaker)

		for _, want := range []sight{
			{"hangs", http.StatusGatewayTimeout, recovery},
			{"resets", http.StatusBadGateway, recovery},
			{"answers 503", http.StatusServiceUnavailable, recovery},
			{"is well", http.StatusOK, recovery},
		} {
			turn(want.state)
			require.Equal(t, want, askUntilSeen(t, s, cl, sick))
			require.Empty(t, sick.seen, "more than one probe when the upstream %s", want.state)
		}
		require.Equal(t, breaker.Closed, s.Status()[1].Breaker)
		require.Equal(t, http.StatusOK, get(t, cl, s.URL()+"/sick").status)

		n := stop()
		require.Positive(t, n.good)
		require.Zero(t, n.bad, "requests of the healthy route that went wrong, of %d", n.good)
		require.EqualValues(t, n.good, s.Status()[0].Requests)
		require.EqualValues(t, 3+3, s.Status()[1].Failed)
	})
}

// tally counts requests, by whether the answer was 200.
type tally struct{ good, bad int }

// use sends one request after the other to url, until stop is called. No request takes any time.
func use(t *bubble, url string) (stop func() tally) {
	t.Helper()
	stopped, told, cl := make(chan struct{}), make(chan tally, 1), client(t)
	go func() { // ends with stop, or with the test
		var n tally
		for {
			select {
			case <-stopped:
				told <- n
				return
			case <-t.Context().Done():
				return
			case <-time.After(time.Millisecond): // of the bubble
			}
			begun := time.Now()
			resp, err := cl.Get(url)
			if err == nil && resp.StatusCode == http.StatusOK && time.Since(begun) == 0 {
				n.good++
			} else {
				n.bad++
			}
			if err == nil {
				_ = resp.Body.Close()
			}
		}
	}()
	return func() tally {
		close(stopped)
		return receive(t, told)
	}
}

// sight is a request that a sick upstream has seen.
type sight struct {
	state  string
	status int
	after  time.Duration // the time until the request was sent
}

// askUntilSeen sends a request each millisecond until the sick upstream sees one. The requests
// before are refused.
func askUntilSeen(t *bubble, s *proxy.Server, cl *http.Client, sick *patient) sight {
	t.Helper()
	for after := time.Duration(0); after < patience; after += time.Millisecond {
		r := get(t, cl, s.URL()+"/sick")
		if len(sick.seen) > 0 {
			return sight{receive(t, sick.seen), r.status, after}
		}
		require.Equal(t, http.StatusServiceUnavailable, r.status)
		require.Equal(t, "1", r.header.Get("Retry-After"))
		time.Sleep(time.Millisecond) // of the bubble
	}
	require.FailNow(t, "the sick upstream was never asked again")
	return sight{}
}
