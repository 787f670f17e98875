package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fetch returns the status and the body of a GET.
func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}).Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// The admin address shows the gateway until after the drain, with the events of a reload and of the
// last request.
func TestAdmin(t *testing.T) {
	came, finish := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(came)
		<-finish
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer up.Close()
	end := sync.OnceFunc(func() { close(finish) })
	defer end() // or up.Close waits after a failure
	text := `{"listen": "127.0.0.1:0", "admin": ":0", "log": "off", "connection": {"rate": "1MiB/s"}, "routes": [{"name": "api", "path": "/", "upstream": "` + up.URL + `",
		"limiter": {"rate": "%s"}, "breaker": {"failures": 1, "recovery": "1h"}}]}`
	file := write(t, fmt.Sprintf(text, "10/s"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, said := io.Pipe()
	code := make(chan int, 1)
	go func() { // ends with ctx
		defer said.Close()
		code <- run(ctx, []string{"-config", file}, os.Stdout, said)
	}()
	lines := bufio.NewScanner(out)
	until := func(part string) string {
		for lines.Scan() {
			if _, rest, ok := strings.Cut(lines.Text(), part); ok {
				return rest
			}
		}
		require.FailNow(t, "the gateway has not said", part)
		return ""
	}
	url := until("gateway: 1 routes on ")
	admin := until("gateway: admin on ")
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, admin)
	answer := make(chan int, 1)
	go func() { // ends with the answer
		status, _ := fetch(t, url)
		answer <- status
	}()
	<-came
	events := make(chan string, 1)
	go func() { // ends with the gateway
		_, body := fetch(t, admin+"/debug/events?since=0")
		events <- body
	}()

	require.NoError(t, os.WriteFile(file, []byte(fmt.Sprintf(text, "20/s")), 0o600))
	until("gateway: reloaded")
	status, body := fetch(t, admin+"/debug/keys?key=127.0.0.1")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"capacity": 20,`)
	status, body = fetch(t, admin+"/metrics")
	require.Equal(t, http.StatusOK, status)
	for _, series := range []string{
		`limitpal_decisions_total{engine="client",result="admitted",route="api"} 1`,
		`limitpal_policy_revision{engine="connection",route=""} 1`,
		`limitpal_queue_wait_seconds_count{engine="upstream",route="api"} 1`,
	} {
		require.True(t, strings.Contains(body, "\n"+series+"\n"), series)
	}
	status, _ = fetch(t, admin+"/healthz")
	require.Equal(t, http.StatusOK, status)
	cancel()
	until("gateway: stopping")
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with run
	status, _ = fetch(t, admin+"/healthz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	end()
	require.Equal(t, http.StatusInternalServerError, <-answer)
	told := <-events
	require.Equal(t, 2, strings.Count(told, `"kind":"reconfigured","route":"api"`), told)
	require.Equal(t, 1, strings.Count(told, `"kind":"reconfigured","engine":"connection"`), told)
	require.Contains(t, told, `"kind":"tripped","route":"api","engine":"upstream"`)
	require.Equal(t, good, <-code)
	_, err := net.Dial("tcp", strings.TrimPrefix(admin, "http://"))
	require.Error(t, err, "nobody listens any more")
}

// An operator forces a breaker at the admin address, if the file gives leave, and the log has a line.
func TestAdminForce(t *testing.T) {
	up := httptest.NewServer(http.NotFoundHandler())
	defer up.Close()
	ctx, cancel := context.WithCancel(t.Context())
	out, said := io.Pipe()
	code := make(chan int, 1)
	file := write(t, `{"listen": "127.0.0.1:0", "admin": ":0", "admin_force": true, "routes": [{"name": "api", "path": "/", "upstream": "`+up.URL+`", "breaker": {}}]}`)
	go func() { // ends with ctx
		defer said.Close()
		code <- run(ctx, []string{"-config", file}, os.Stdout, said)
	}()
	defer func() {
		cancel()
		go func() { _, _ = io.Copy(io.Discard, out) }() // ends with run
		require.Equal(t, good, <-code)
	}()
	lines := bufio.NewScanner(out)
	until := func(part string) string {
		for lines.Scan() {
			if _, rest, ok := strings.Cut(lines.Text(), part); ok {
				return rest
			}
		}
		require.FailNow(t, "the gateway has not said", part)
		return ""
	}
	url, admin := until("gateway: 1 routes on "), until("gateway: admin on ")
	key := strings.TrimPrefix(up.URL, "http://")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	force := func(wish string) {
		resp, err := client.Post(admin+"/debug/force?engine=upstream&key="+key+wish, "", nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	force("&state=open&for=1h")
	require.Contains(t, until("level=WARN msg=forced "), "route=api engine=upstream key="+key+" from=closed to=open until=")
	status, _ := fetch(t, url)
	require.Equal(t, http.StatusServiceUnavailable, status)
	force("&for=0")
	until("msg=recovered route=api")
	status, _ = fetch(t, url)
	require.Equal(t, http.StatusNotFound, status)
}

func TestAdminAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	code, _, stderr := called(t, t.Context(), "-config", write(t, fmt.Sprintf(
		`{"listen": "127.0.0.1:0", "admin": %q, "routes": [{"path": "/", "upstream": "http://x"}]}`, taken.Addr())))
	require.Equal(t, invalid, code)
	require.Contains(t, stderr, "gateway: admin: listen tcp "+taken.Addr().String())
}
