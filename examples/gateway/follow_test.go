package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// rewrite replaces the file of the program in one step.
func (p *program) rewrite(t *testing.T, content string) {
	t.Helper()
	next := p.file + ".next"
	require.NoError(t, os.WriteFile(next, []byte(content), 0o600))
	require.NoError(t, os.Rename(next, p.file))
}

// until returns the lines of the program up to the first line with part, in the order of their
// coming.
func (p *program) until(t *testing.T, part string) string {
	t.Helper()
	var all strings.Builder
	for {
		line := p.line(t)
		fmt.Fprintln(&all, line)
		if strings.Contains(line, part) {
			return all.String()
		}
	}
}

// status returns the status of a GET.
func (p *program) status(t *testing.T, path string) int {
	t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(p.url + path)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// A change of the file and a hangup reload, a wrong file changes nothing and says why, and a
// request that was running when its route went is answered.
func TestReload(t *testing.T) {
	p := startProgram(t)
	p.rewrite(t, fmt.Sprintf(`{"listen": "127.0.0.1:0", "shutdown": "1h", "routes": [{"path": "/new", "upstream": %q}]}`, p.up))
	p.until(t, `level=INFO msg="configuration reloaded"`)
	require.Equal(t, http.StatusNotFound, p.status(t, "/old"))

	p.rewrite(t, "{\n \"listen\": \":1\", \"routes\": []}")
	said := p.until(t, `level=WARN msg="configuration not reloaded"`)
	for _, line := range []string{
		p.file + `:2:12: listen = ":1": cannot change from 127.0.0.1:0 to :1 while the gateway runs; start the gateway again` + "\n",
		p.file + `:2:28: routes = []: must have at least one route` + "\n",
		"gateway: " + p.file + " not reloaded; the configuration before stays in force\n",
		" mistakes=2 ",
	} {
		require.Contains(t, said, line)
	}
	require.NoError(t, p.Process.Signal(syscall.SIGHUP)) // the same file again
	p.until(t, "configuration not reloaded")
	require.Equal(t, http.StatusNotFound, p.status(t, "/old"))

	require.NoError(t, os.Remove(p.file))
	require.Contains(t, p.until(t, "configuration not reloaded"), "gateway: open "+p.file)

	close(p.finish)
	require.Equal(t, "late", <-p.answer)
	require.Equal(t, http.StatusOK, p.status(t, "/new"))
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	p.until(t, "gateway: stopping, within 1h; again to stop now")
	require.NoError(t, p.Wait())
}

// The log has the number of requests that limits on trial would have refused since the last line.
func TestReportOfTrials(t *testing.T) {
	up := httptest.NewServer(http.NotFoundHandler())
	defer up.Close()
	cfg, err := config.Load(fmt.Appendf(nil, `{"listen": "127.0.0.1:0", "routes": [
		{"path": "/", "upstream": %q, "limiter": {"rate": "1/h", "shadow": true}}, {"path": "/quiet", "upstream": %q}]}`, up.URL, up.URL))
	require.NoError(t, err)
	var out bytes.Buffer
	server, err := proxy.Start(cfg, &out)
	require.NoError(t, err)
	f := &follower{server: server}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, requests := range []int{4, 0, 2} {
		for range requests {
			resp, err := client.Get(server.URL())
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
		}
		f.report()
	}
	require.NoError(t, server.Close(t.Context()))
	require.Equal(t, 2, strings.Count(out.String(), "limit on trial"))
	require.Contains(t, out.String(), `level=INFO msg="limit on trial" route=/ would_refuse=3 in=1m0s`)
	require.Contains(t, out.String(), `level=INFO msg="limit on trial" route=/ would_refuse=2 in=1m0s`)
}
