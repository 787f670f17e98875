package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// reload puts a configuration into force; settings and routes are as for serve.
func reload(t testing.TB, s *proxy.Server, settings string, routes ...string) {
	t.Helper()
	cfg, err := config.Load(fmt.Appendf(nil, `{"listen": "127.0.0.1:0", "log": "off", %s "routes": [%s]}`, settings, strings.Join(routes, ",")))
	require.NoError(t, err)
	require.NoError(t, s.Reload(cfg))
}

// A client whose limit changes keeps the tokens, and no more, and so does its address.
func TestReloadKeepsTokens(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, name("up"))
		limit := func(client, address string) string {
			return route("/", up, fmt.Sprintf(`, "key": {"header": "X-API-Key"}, "limiter": {"rate": %q}, "address_limiter": {"rate": %q}`, client, address))
		}
		s := serve(t, "", limit("10/m", "20/h"))
		cl := client(t)
		ask := func(key string) reply { return get(t, cl, s.URL(), "X-API-Key", key) }
		for range 4 {
			require.Equal(t, http.StatusOK, ask("one").status)
		}
		reload(t, s, "", limit("20/m", "20/h"))
		r := ask("one")
		require.Equal(t, `"default";q=20;w=60`, r.header.Get("RateLimit-Policy"))
		require.Equal(t, 5, remaining(t, r), "4 of 10 were spent, so 6 were left, and this request takes one")
		require.Equal(t, 9, remaining(t, ask("two")), "a client that is new has no more than a client of before")
		reload(t, s, "", limit("3/m", "20/h"))
		require.Equal(t, 2, remaining(t, ask("one")), "no more than the new burst")
		for _, rate := range []string{"1000/m", "3/m", "1000/m"} { // back and forth makes no token
			reload(t, s, "", limit(rate, "20/h"))
		}
		require.Equal(t, 1, remaining(t, ask("one")))
		reload(t, s, "", limit("1000/m", "9/h"))
		for i := range 9 { // the address had 12 tokens left, and has 9
			require.Equal(t, http.StatusOK, ask(fmt.Sprint("new ", i)).status)
		}
		require.Equal(t, `"default";q=9;w=3600`, ask("one more").header.Get("RateLimit-Policy"))
	})
}

// Limits whose keys mean something else, and limits of a route with another name, begin anew.
func TestReloadOfOtherKeysBeginsAnew(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, name("up"))
		s := serve(t, "", route("/", up, `, "limiter": {"rate": "1/h"}`))
		cl := client(t)
		for _, change := range []string{
			`, "limiter": {"rate": "1/h"}, "key": {"header": "X-API-Key"}`, `, "limiter": {"rate": "1/h"}, "name": "other"`,
		} {
			require.Equal(t, http.StatusOK, get(t, cl, s.URL()).status)
			require.Equal(t, http.StatusTooManyRequests, get(t, cl, s.URL()).status)
			reload(t, s, "", route("/", up, change))
		}
		require.Equal(t, http.StatusOK, get(t, cl, s.URL()).status)
		require.Equal(t, []proxy.Status{{Name: "other", Requests: 1}}, s.Status())
		reload(t, s, "", route("/", up, ""))
		for range 3 {
			require.Equal(t, http.StatusOK, get(t, cl, s.URL()).status)
		}
	})
}

// A client that waits for its turn is served by the limit that comes.
func TestReloadServesClientsThatWait(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, name("up"))
		s := serve(t, "", route("/", up, `, "limiter": {"rate": "1/h", "max_wait": "2h"}`))
		require.Equal(t, http.StatusOK, get(t, client(t), s.URL()).status)
		waiting := asked(t, s)
		synctest.Wait()
		require.Empty(t, waiting)
		begun := time.Now()
		reload(t, s, "", route("/", up, `, "limiter": {"rate": "1/s", "max_wait": "2h"}`))
		require.Equal(t, http.StatusOK, receive(t, waiting).status)
		require.Equal(t, time.Second, time.Since(begun))
	})
}

// A route that is gone answers 404, and a request that was running is answered all the same.
func TestReloadLetsRequestsEnd(t *testing.T) {
	inBubble(t, func(t *bubble) {
		came, proceed := make(chan struct{}), make(chan struct{})
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			close(came)
			<-proceed
			w.WriteHeader(http.StatusAccepted)
		})
		stages := `, "limiter": {"rate": "10/s"}, "breaker": {}, "retry": {}, "max_connections": 3`
		s := serve(t, "", route("/", up, stages))
		running := asked(t, s)
		receive(t, came)
		reload(t, s, "", route("/other", upstream(t, name("other")), stages))
		cl := client(t)
		require.Equal(t, http.StatusNotFound, get(t, cl, s.URL()).status)
		require.Equal(t, http.StatusOK, get(t, cl, s.URL()+"/other").status)
		close(proceed)
		require.Equal(t, http.StatusAccepted, receive(t, running).status)
	})
}

// Another upstream is used from the next request on, with a breaker of its own.
func TestReloadChangesTheUpstream(t *testing.T) {
	inBubble(t, func(t *bubble) {
		bad := upstream(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
		const stages = `, "breaker": {"failures": 1, "recovery": "1h"}, "limiter": {"rate": "10/h"}`
		s := serve(t, "", route("/", bad, stages))
		cl := client(t)
		for range 2 {
			get(t, cl, s.URL())
		}
		require.Equal(t, breaker.Open, s.Status()[0].Breaker)
		reload(t, s, "", route("/", upstream(t, name("good")), stages))
		r := get(t, cl, s.URL())
		require.Equal(t, "good /", r.body)
		require.Equal(t, 8, remaining(t, r), "the limit is that of before")
		require.Equal(t, []proxy.Status{{Name: "/", Requests: 3, Failed: 1, Unavailable: 1}}, s.Status())
	})
}

// A breaker that is open stays open if its policy changes, until the instant of the old policy.
func TestReloadKeepsABreakerOpen(t *testing.T) {
	inBubble(t, func(t *bubble) {
		var asked atomic.Int64
		up := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) <= 3 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		s := serve(t, "", route("/", up, `, "breaker": {"failures": 3, "recovery": "10m"}`))
		cl := client(t)
		for range 3 {
			require.Equal(t, http.StatusInternalServerError, get(t, cl, s.URL()).status)
		}
		time.Sleep(4 * time.Minute) // of the bubble
		reload(t, s, "", route("/", up, `, "breaker": {"failures": 9, "recovery": "1h"}, "retry": {}`))
		require.Equal(t, breaker.Open, s.Status()[0].Breaker)
		require.Equal(t, 6*time.Minute, s.Status()[0].OpenFor)
		r := get(t, cl, s.URL())
		require.Equal(t, http.StatusServiceUnavailable, r.status)
		require.Equal(t, "360", r.header.Get("Retry-After"))
		require.EqualValues(t, 3, asked.Load())
		settle(6 * time.Minute)
		require.Equal(t, http.StatusOK, get(t, cl, s.URL()).status)
		require.Equal(t, breaker.Closed, s.Status()[0].Breaker)
	})
}

// Connections to an upstream count for the bound that comes.
func TestReloadCountsConnectionsOfBefore(t *testing.T) {
	inBubble(t, func(t *bubble) {
		came, proceed := make(chan struct{}, 10), make(chan struct{})
		up := upstream(t, func(http.ResponseWriter, *http.Request) {
			came <- struct{}{}
			<-proceed
		})
		s := serve(t, "", route("/", up, `, "max_connections": 1`))
		answers := []<-chan reply{asked(t, s)}
		receive(t, came)
		reload(t, s, "", route("/", up, `, "max_connections": 2`))
		for range 2 {
			answers = append(answers, asked(t, s))
		}
		receive(t, came)
		synctest.Wait()
		require.Empty(t, came, "a third connection")
		close(proceed)
		for _, answer := range answers {
			require.Equal(t, http.StatusOK, receive(t, answer).status)
		}
	})
}

// Connections of clients count for the bound that comes, and their bytes follow the rate that
// comes.
func TestReloadOfConnections(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
			headerFirst(w)
			_, _ = w.Write(make([]byte, 64<<10))
		})
		s := serve(t, `"connection": {"rate": "256KiB/s", "burst": "4KiB"},`, route("/", up, ""))
		cl := client(t)
		for _, row := range []struct {
			settings string
			want     time.Duration
		}{
			{`"connection": {"rate": "128KiB/s", "burst": "4KiB"}, "max_client_connections": 1,`, 500 * time.Millisecond},
			{`"connection": {"rate": "512KiB/s", "burst": "4KiB"},`, 125 * time.Millisecond},
			{`"max_client_connections": 1,`, time.Millisecond},
		} {
			reload(t, s, row.settings, route("/", up, ""))
			begun := time.Now()
			require.Len(t, get(t, cl, s.URL()).body, 64<<10)
			require.InDelta(t, row.want, time.Since(begun), float64(row.want)/10+float64(time.Millisecond), row.settings)
		}
		other := asked(t, s)
		synctest.Wait()
		require.Empty(t, other, "a second connection")
		reload(t, s, "", route("/", up, ""))
		require.Equal(t, http.StatusOK, receive(t, other).status)
	})
}

// A gateway that is closed has nothing to reload.
func TestReloadAfterClose(t *testing.T) {
	cfg, err := config.Load([]byte(`{"routes": [{"path": "/", "upstream": "http://x", "limiter": {"rate": "1/s"}}]}`))
	require.NoError(t, err)
	g, err := proxy.New(cfg, nil)
	require.NoError(t, err)
	require.NoError(t, g.Close(t.Context()))
	require.EqualError(t, g.Reload(cfg), "proxy: the gateway is closed")
}

// variants are configurations that differ in everything that may change, and refuse no request.
func variants(a, b string) []string {
	return []string{
		fmt.Sprintf(`{"path": "/", "upstream": %q, "limiter": {"rate": "1000000/s"}, "breaker": {}, "retry": {}}`, a),
		fmt.Sprintf(`{"path": "/", "upstream": %q, "limiter": {"rate": "900000/s", "max_wait": "1s"}, "breaker": {"failures": 9}}`, a),
		fmt.Sprintf(`{"path": "/", "upstream": %q, "limiter": {"rate": "900000/s"}, "address_limiter": {"rate": "900000/s"}, "key": {"header": "X-A"},
			"retry": {"attempts": 2}, "max_connections": 50, "timeout": "20s"}`, a),
		fmt.Sprintf(`{"path": "/", "upstream": %q, "max_connections": 40, "breaker": {}}, {"path": "/b", "upstream": %q, "breaker": {}}`, b, a),
	}
}

// While a gateway reloads, no request goes wrong.
func TestStressOfReloads(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		slow := func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Duration(len(r.URL.RawQuery)) * time.Millisecond) // of the bubble
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Length", fmt.Sprint(len(body))) // see headerFirst
			_, _ = w.Write(body)
		}
		all := variants(upstream(t, slow).URL, upstream(t, slow).URL)
		s := serve(t, "", all[0])
		stop := make(chan struct{})
		var good, bad atomic.Int64
		ended := make(chan struct{})
		const clients = 10
		for i := range clients {
			cl := client(t)
			go func() { // ends with stop
				defer func() { ended <- struct{}{} }()
				for n := i; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					resp, err := cl.Post(s.URL()+"/b?"+strings.Repeat("x", n%5), "", strings.NewReader(strings.Repeat("y", n%5*20_000)))
					if err != nil {
						bad.Add(1)
						continue
					}
					body, err := io.ReadAll(resp.Body)
					if _ = resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK || len(body) != n%5*20_000 {
						bad.Add(1)
					} else {
						good.Add(1)
					}
				}
			}()
		}
		for i := range 100 {
			time.Sleep(time.Duration(i%3+1) * time.Millisecond) // of the bubble
			settings := ""
			if i%2 == 0 {
				settings = `"shutdown": "1h", "connection": {"rate": "1GB/s"}, "trusted_proxies": 1, "max_client_connections": 100,`
			}
			reload(t, s, settings, all[(i+1)%len(all)])
		}
		close(stop)
		for range clients {
			receive(t, ended)
		}
		require.Zero(t, bad.Load(), "of %d", good.Load())
		require.Greater(t, good.Load(), int64(100))
	})
}
