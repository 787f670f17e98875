package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// asProgram in the environment makes the test binary the program.
const asProgram = "GATEWAY_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// write makes a file that is gone after the test.
func write(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gateway.json")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

// called runs the program within the test and returns its exit code and what it printed.
func called(t *testing.T, ctx context.Context, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "stdout")
	require.NoError(t, err)
	defer out.Close()
	var errs bytes.Buffer
	code = run(ctx, args, out, &errs)
	printed, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	return code, string(printed), errs.String()
}

func TestFlags(t *testing.T) {
	for _, row := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-help"}, good, "-config file"},
		{[]string{"-nonsense"}, misused, "-nonsense"},
		{[]string{"gateway.json"}, misused, `gateway: what is "gateway.json"?`},
		{[]string{"-check"}, misused, "gateway: -check needs -config"},
		{[]string{"-schema", "-check"}, misused, "gateway: -schema stands alone"},
		{[]string{"-config", "no such file"}, invalid, "gateway: open no such file"},
	} {
		code, stdout, stderr := called(t, t.Context(), row.args...)
		require.Equal(t, row.code, code, row.args)
		require.Empty(t, stdout)
		require.Contains(t, stderr, row.want)
	}
}

func TestCheckNamesMistakes(t *testing.T) {
	file := write(t, "{\n  \"lissten\": \":80\",\n  \"routes\": [{\"path\": \"/\"}]\n}")
	code, stdout, stderr := called(t, t.Context(), "-check", "-config", file)
	require.Equal(t, invalid, code)
	require.Empty(t, stdout)
	require.Equal(t, file+`:2:3: lissten = ":80": unknown field; did you mean "listen"?`+"\n"+
		file+`:3:14: routes[0].upstream: missing, such as "http://127.0.0.1:9000"`+"\n", stderr)
}

// A mistake is told in the same words by -check, at the start and by a reload.
func TestMistakesAreToldEverywhere(t *testing.T) {
	const text = `{"listen": "127.0.0.1:0", "routes": [{"path": "/", "upstream": "http://x", "breaker": {"failure_rate": 2, "min_call": 5}}]}`
	file := write(t, text)
	want := file + `:1:104: routes[0].breaker.failure_rate = 2: must be above 0 and at most 1; leave it out to judge no share` + "\n" +
		file + `:1:107: routes[0].breaker.min_call = 5: unknown field; did you mean "min_calls"?`
	for _, args := range [][]string{{"-check", "-config", file}, {"-config", file}} {
		code, stdout, stderr := called(t, t.Context(), args...)
		require.Equal(t, invalid, code)
		require.Empty(t, stdout)
		require.Equal(t, want+"\n", stderr)
	}
	before, err := config.Load([]byte(`{"listen": "127.0.0.1:0", "routes": [{"path": "/", "upstream": "http://x"}]}`))
	require.NoError(t, err)
	require.EqualError(t, (&follower{file: file, config: before}).take([]byte(text)), want)
}

func TestCheckDescribes(t *testing.T) {
	code, stdout, stderr := called(t, t.Context(), "-check", "-config", "gateway.json")
	require.Equal(t, good, code, stderr)
	require.Equal(t, strings.Join([]string{
		"listen           :8080",
		"admin            off",
		"trusted proxies  0",
		"timeouts         header 10s, request unbounded, answer unbounded, idle 2m, stall 30s, half-closed 3s",
		"header           at most 64KiB",
		"connections      unbounded",
		"each connection  10MiB/s, burst 1MiB",
		"access log       text",
		"shutdown         within 10s",
		"exempt           nothing",
		"",
		"route       api",
		"  host      any",
		"  path      /api (stripped)",
		"  upstream  http://127.0.0.1:9001",
		"  timeout   2s",
		"  limiter   100/m per header X-Api-Key, burst 20, waits 100ms, queue 1024",
		"  breaker   opens after 5 or by share, tries after 5s to 1m, up to 20% earlier, closes after 1, probes within 30s, forgets after 1m",
		"  shares    50% failed, 80% took 1s or longer; among at least 20 requests in 10s",
		"  retry     3 attempts, 50ms to 1s apart",
		"",
		"route       site",
		"  host      any",
		"  path      /",
		"  upstream  http://127.0.0.1:9000",
		"  timeout   30s",
		"  limiter   20/s per ip, burst 100",
		"  breaker   opens after 5, tries after 5s, closes after 1, probes within 1m, forgets after 1m",
		"  retry     off",
		""}, "\n"), stdout)
}

func TestCheckDescribesBounds(t *testing.T) {
	code, stdout, stderr := called(t, t.Context(), "-check", "-config", write(t, `{"max_client_connections": 1000, "max_header_bytes": "8KiB", "admin": ":9090",
		"exempt": {"addresses": ["10.0.0.0/8", "192.0.2.1"], "paths": ["/health"]},
		"timeouts": {"stall": "1m", "half_closed": "1s"}, "routes": [{"path": "/", "upstream": "http://x", "key": {"header": "X-Key"},
		"limiter": {"rate": "1/s", "tenants": {"b": {"rate": "5/s"}, "a": {"rate": "9/s", "burst": 2}}}, "address_limiter": {"rate": "9/s", "burst": 20, "max_wait": "1s", "shadow": true}},
		{"path": "/quota", "upstream": "http://x", "limiter": {"rate": "9000/24h", "fixed_window": true, "offset": "5h", "tenants": {"c": {"rate": "5/m"}}}}]}`))
	require.Equal(t, good, code, stderr)
	for _, line := range []string{
		"timeouts         header 10s, request unbounded, answer unbounded, idle 2m, stall 1m, half-closed 1s\n",
		"admin            127.0.0.1:9090\n",
		"header           at most 8KiB\n",
		"connections      at most 1000\n",
		"exempt           10.0.0.0/8, 192.0.2.1/32, /health\n",
		"  limiter   1/s per header X-Key, burst 1\n",
		"  tenant    \"a\": 9/s, burst 2\n  tenant    \"b\": 5/s, burst 5\n",
		"  and       9/s per ip, burst 20, waits 1s, queue 1024, on trial: refuses nothing\n",
		"  limiter   9000/24h per ip, in fixed windows that begin 5h later\n  tenant    \"c\": 5/m, in fixed windows that begin 5h later\n",
	} {
		require.Contains(t, stdout, line)
	}
}

func TestCheckDescribesBreakers(t *testing.T) {
	for fields, want := range map[string]string{
		`"failure_rate": 0.125, "window_calls": 50, "half_open_failures": 2, "probes": 3`: "  breaker   opens by share, tries after 5s, closes after 1, " +
			"3 probes at a time, 2 probes may fail, probes within 1m, forgets after 1m\n  shares    12.5% failed; among at least 20 of the last 50 requests\n",
		`"slow_rate": 1, "slow_after": "2m", "failures": 7, "window": "1m", "min_calls": 3, "probe_timeout": "4s", "forget_after": "2h"`: "  breaker   opens after 7 or by share, " +
			"tries after 5s, closes after 1, probes within 4s, forgets after 2h\n  shares    100% took 2m or longer; among at least 3 requests in 1m\n",
	} {
		code, stdout, stderr := called(t, t.Context(), "-check", "-config", write(t, `{"admin": ":9090", "admin_force": true,
			"routes": [{"path": "/", "upstream": "http://x", "breaker": {`+fields+`}}]}`))
		require.Equal(t, good, code, stderr)
		require.Contains(t, stdout, want)
		require.Contains(t, stdout, "admin            127.0.0.1:9090, may force breakers\n")
	}
}

func TestSchemaIsPrinted(t *testing.T) {
	code, stdout, _ := called(t, t.Context(), "-schema")
	require.Equal(t, good, code)
	require.Equal(t, schema, stdout)
}

func TestServeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, _, stderr := called(t, ctx, "-config", write(t, `{"listen": "127.0.0.1:0", "routes": [{"path": "/", "upstream": "http://x"}]}`))
	require.Equal(t, good, code, stderr)
	require.Contains(t, stderr, "gateway: 1 routes on http://127.0.0.1:")
	require.Contains(t, stderr, "gateway: stopping, within 10s")
}

// program is the gateway in a process of its own, with a request that is running.
type program struct {
	*exec.Cmd
	url    string
	file   string // of the configuration
	up     string // the URL of the upstream
	stderr io.Closer
	lines  *bufio.Scanner // of standard error
	answer chan string    // the body of the answer to the request
	finish chan struct{}  // when closed, the upstream answers it
}

// startProgram starts it, as the argument of what comes before it.
func startProgram(t *testing.T, before ...string) *program {
	t.Helper()
	came, once := make(chan struct{}), sync.Once{}
	p := &program{answer: make(chan string, 1), finish: make(chan struct{})}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(came) })
		select {
		case <-p.finish:
		case <-r.Context().Done():
		}
		fmt.Fprint(w, "late")
	}))
	t.Cleanup(up.Close)
	file := write(t, fmt.Sprintf(`{"listen": "127.0.0.1:0", "shutdown": "1h",
		"routes": [{"path": "/", "upstream": %q, "breaker": {}}]}`, up.URL))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	args := append(before, os.Args[0], "-config", file)
	p.Cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	p.file, p.up = file, up.URL
	p.Env = append(os.Environ(), asProgram+"=1")
	stderr, err := p.StderrPipe()
	require.NoError(t, err)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // else the program would inherit that hangups are ignored, if these tests run under nohup
	require.NoError(t, p.Start())
	signal.Stop(hangups)
	t.Cleanup(func() { _ = p.Process.Kill() })
	p.stderr, p.lines = stderr, bufio.NewScanner(stderr)
	url := p.line(t)
	url = url[strings.Index(url, "http://"):]
	p.url = url
	go func() { // ends with the program
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Get(url)
		if err != nil {
			p.answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		p.answer <- string(body)
	}()
	select {
	case <-came:
	case <-time.After(time.Minute):
		require.FailNow(t, "the request did not come")
	}
	return p
}

func (p *program) line(t *testing.T) string {
	t.Helper()
	require.True(t, p.lines.Scan(), "the program has ended")
	return p.lines.Text()
}

func TestSignalDrains(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := startProgram(t)
		require.NoError(t, p.Process.Signal(signal))
		require.Equal(t, "gateway: stopping, within 1h; again to stop now", p.line(t))
		close(p.finish)
		require.Equal(t, "late", <-p.answer)
		require.Contains(t, p.line(t), "status=200")
		require.NoError(t, p.Wait())
	}
}

// A program that was started with nohup outlives its terminal, and one whose log nobody reads any
// more goes on.
func TestHangupAndBrokenPipeAreOutlived(t *testing.T) {
	p := startProgram(t, "sh", "-c", `trap "" HUP; exec "$@"`, "sh")
	require.NoError(t, p.Process.Signal(syscall.SIGHUP))
	require.NoError(t, p.stderr.Close())
	close(p.finish)
	require.Equal(t, "late", <-p.answer)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(p.url + "/nowhere") // after a line that could not be written
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.Wait())
}

func TestSecondSignalEnds(t *testing.T) {
	p := startProgram(t)
	require.NoError(t, p.Process.Signal(os.Interrupt))
	p.line(t)
	require.NoError(t, p.Process.Signal(os.Interrupt))
	require.EqualError(t, p.Wait(), "signal: interrupt")
	require.Contains(t, <-p.answer, "EOF")
}
