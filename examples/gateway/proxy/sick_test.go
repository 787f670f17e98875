package proxy_test

import (
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// patient is a server that has something, and says in what state each request finds it.
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
			_ = conn.(*net.TCPConn).SetLinger(0) // so that Close sends RST
			_ = conn.Close()
		}
	case "answers 503":
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// An upstream hangs, then resets connections, then answers 503, and then is well again. The other
// route does not notice, few requests reach the sick one, and it is let back in after its recovery
// time.
func TestSickUpstream(t *testing.T) {
	const recovery = 100 * time.Millisecond
	sick := &patient{seen: make(chan string, 10_000), freed: make(chan struct{})}
	turn := func(state string) { sick.state.Store(&state) }
	turn("is well")
	up, healthy := upstream(t, sick.ServeHTTP), upstream(t, name("healthy"))
	defer close(sick.freed)
	s := serve(t, "", route("/healthy", healthy, `, "breaker": {}, "retry": {}`),
		fmt.Sprintf(`{"path": "/sick", "upstream": %q, "timeout": "1s", "breaker": {"failures": 3, "recovery": %q}}`, up.URL, recovery))
	cl := client(t)

	// Somebody uses the healthy route all the time.
	type tally struct{ good, bad int }
	stop, told := make(chan struct{}), make(chan tally, 1)
	go func() {
		var n tally
		other := client(t)
		for {
			select {
			case <-stop:
				told <- n
				return
			default:
			}
			if resp, err := other.Get(s.URL() + "/healthy"); err == nil && resp.StatusCode == http.StatusOK {
				n.good++
				_ = resp.Body.Close()
			} else {
				n.bad++
			}
		}
	}()

	require.Equal(t, http.StatusOK, get(t, cl, s.URL()+"/sick").status)
	require.Equal(t, "is well", receive(t, sick.seen))
	turn("hangs")
	for range 3 {
		require.Equal(t, http.StatusGatewayTimeout, get(t, cl, s.URL()+"/sick").status)
		require.Equal(t, "hangs", receive(t, sick.seen))
	}
	require.Equal(t, http.StatusServiceUnavailable, get(t, cl, s.URL()+"/sick").status)
	require.Equal(t, breaker.Open, s.Status()[1].Breaker)

	for _, row := range []struct {
		state  string
		status int
	}{
		{"hangs", http.StatusGatewayTimeout},
		{"resets", http.StatusBadGateway},
		{"answers 503", http.StatusServiceUnavailable},
		{"is well", http.StatusOK},
	} {
		turn(row.state)
		r := askUntilSeen(t, s, cl, sick)
		require.Equal(t, row.state, r.state)
		require.Equal(t, row.status, r.status, row.state)
		require.Empty(t, sick.seen, "more than one probe when it %s", row.state)
	}
	require.Equal(t, breaker.Closed, s.Status()[1].Breaker)
	require.Equal(t, http.StatusOK, get(t, cl, s.URL()+"/sick").status)

	close(stop)
	n := receive(t, told)
	require.Positive(t, n.good)
	require.Zero(t, n.bad, "requests of the healthy route that went wrong, of %d", n.good)
	require.EqualValues(t, n.good, s.Status()[0].Requests)
	require.EqualValues(t, 3+3, s.Status()[1].Failed)
}

type sight struct {
	state  string
	status int
}

// askUntilSeen sends requests until one reaches the sick upstream; before that they are refused.
func askUntilSeen(t *testing.T, s *proxy.Server, cl *http.Client, sick *patient) sight {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		r := get(t, cl, s.URL()+"/sick")
		select {
		case state := <-sick.seen:
			return sight{state, r.status}
		default:
		}
		if r.status != http.StatusServiceUnavailable { // on a busy machine it is seen after the gateway has given it up
			return sight{receive(t, sick.seen), r.status}
		}
		require.Equal(t, "1", r.header.Get("Retry-After"))
	}
	require.FailNow(t, "the sick upstream was never asked again")
	return sight{}
}
