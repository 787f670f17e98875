package proxy_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestABoundOnRequestsInFlight: an upstream that hangs has no more requests than in_flight says, the others are refused at
// once, or wait for as long as they may, and another route does not notice.
func TestABoundOnRequestsInFlight(t *testing.T) {
	inBubble(t, func(t *bubble) {
		sick := &patient{seen: make(chan string, 1000), freed: make(chan struct{})}
		state := "hangs"
		sick.state.Store(&state)
		up, healthy := upstream(t, sick.ServeHTTP), upstream(t, name("healthy"))
		s := serve(t, "", route("/healthy", healthy, `, "breaker": {}`),
			fmt.Sprintf(`{"path": "/sick", "upstream": %q, "timeout": "8s", "in_flight": {"max": 20}}`, up.URL),
			fmt.Sprintf(`{"path": "/waits", "upstream": %q, "timeout": "8s", "in_flight": {"max": 20, "max_wait": "5s", "max_queue": 3}}`, up.URL))
		stop := use(t, s.URL()+"/healthy")
		for path, refused := range map[string]struct {
			at   time.Duration
			more int // requests
		}{"/sick": {0, 30}, "/waits": {5 * time.Second, 3}} {
			var mu sync.Mutex
			statuses := map[int]int{}
			var requests sync.WaitGroup
			ask := func(n int, in time.Duration) {
				for range n {
					requests.Go(func() {
						begun := time.Now()
						status := get(t, client(t), s.URL()+path).status
						mu.Lock()
						defer mu.Unlock()
						statuses[status]++
						if status == http.StatusServiceUnavailable && time.Since(begun).Truncate(time.Millisecond) != in {
							t.Errorf("%s refused after %v", path, time.Since(begun))
						}
					})
				}
			}
			ask(20, 0)
			for range 20 {
				require.Equal(t, "hangs", receive(t, sick.seen))
			}
			ask(refused.more, refused.at)
			requests.Wait() // 20 of them until the timeout
			require.Empty(t, sick.seen)
			require.Equal(t, map[int]int{http.StatusServiceUnavailable: refused.more, http.StatusGatewayTimeout: 20}, statuses)
		}
		close(sick.freed)
		state = "is well"
		sick.state.Store(&state)
		require.Equal(t, http.StatusOK, get(t, client(t), s.URL()+"/sick").status, "every place is free again")
		n := stop()
		require.Positive(t, n.good)
		require.Zero(t, n.bad)
	})
}
