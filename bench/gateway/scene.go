package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// scene is the processes that take part.
type scene struct {
	dir      string
	self     string // this command
	gateway  string // the command
	before   string // the command of another build; may be empty
	upstream string // its URL
	script   string // for wrk
	limit    int    // requests per second of the refusing gateway
	running  []*exec.Cmd
}

// unguarded is what a gateway is configured with that only passes on, to the address of the upstream.
const unguarded = `{"listen": "127.0.0.1:0", "log": "off", "routes": [{"path": "/", "upstream": %q}]}`

// guarded is what the others are configured with, but for the address and the limit.
const guarded = `{
  "listen": "127.0.0.1:0", "log": "off",
  "routes": [{
    "path": "/", "upstream": %q,
    "limiter": {"rate": "%d/s", "burst": %d},
    "breaker": {"failures": 5, "recovery": "5s"},
    "retry": {"attempts": 3}
  }]
}`

// admitting is a limit in requests per second that nobody reaches.
const admitting = 10_000_000

// staged calls f with the gateway built and the upstream started, which answers with so many bytes.
func staged(ctx context.Context, bytes int, f func(*scene) error) error {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s := &scene{dir: dir, gateway: filepath.Join(dir, "gateway"), script: filepath.Join(dir, "done.lua"), limit: 1000}
	defer s.clear()
	if err := os.WriteFile(s.script, []byte(done), 0o600); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", s.gateway, "github.com/limitpal/limitpal-go/examples/gateway")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	if s.self, err = os.Executable(); err != nil {
		return err
	}
	if s.upstream, err = s.start(s.self, "-role", "upstream", "-answer", strconv.Itoa(bytes)); err != nil {
		return err
	}
	return f(s)
}

// begin starts a subject.
func (s *scene) begin(subject string) (string, error) {
	limited := func(gateway string, limit int) (string, error) {
		return s.configured(gateway, "guarded.json", fmt.Appendf(nil, guarded, s.upstream, limit, max(1, limit/10)))
	}
	switch subject {
	case "unguarded":
		return s.configured(s.gateway, "unguarded.json", fmt.Appendf(nil, unguarded, s.upstream))
	case "gateway":
		return limited(s.gateway, admitting)
	case before:
		return limited(s.before, admitting)
	case "refusing":
		return limited(s.gateway, s.limit)
	default:
		return s.start(s.self, "-role", subject, "-upstream", s.upstream)
	}
}

// configured starts a gateway, a command, with a configuration, whose file is called name.
func (s *scene) configured(gateway, name string, config []byte) (string, error) {
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return "", err
	}
	return s.start(gateway, "-config", path)
}

// load starts a subject, puts load on it, and ends it.
func (s *scene) load(ctx context.Context, subject string, connections int, d time.Duration) (sample, error) {
	at, err := s.begin(subject)
	if err != nil {
		return sample{}, err
	}
	warm, err := load(ctx, s.script, at, connections, time.Second) // dials the upstream
	var got sample
	if err == nil {
		got, err = load(ctx, s.script, at, connections, d)
	}
	got.cpu, got.answered = s.endLast(), warm.requests+got.requests
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", subject, err)
	}
	if subject == "refusing" { // next time admit as many as a tenth of those that came
		s.limit = max(1, s.limit*got.requests/10/max(1, got.requests-got.refused))
	}
	return got, nil
}

// calibrate looks for the limit of which nine of ten requests are refused, as far as can be told.
func (s *scene) calibrate(ctx context.Context, o options, status io.Writer) error {
	const tries = 5
	if !slices.Contains(o.subjects, "refusing") {
		return nil
	}
	for try := range tries {
		fmt.Fprintf(status, "looking for the limit that refuses nine of ten, try %d of %d: %d per second\n", try+1, tries, s.limit)
		if _, err := s.load(ctx, "refusing", o.connections, turn); err != nil {
			return err
		}
	}
	return nil
}

// where is how a process says where it serves.
var where = regexp.MustCompile(`http://[0-9.:]+`)

// start starts a process and returns where it serves.
func (s *scene) start(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...) //nolint:noctx // ended by clear, with a signal on which it drains
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		return "", err
	}
	s.running = append(s.running, cmd)
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }() // ends with this process
	at := where.FindString(line)
	if at == "" {
		return "", fmt.Errorf("%s: %s", name, line)
	}
	return at, nil
}

// clear ends all processes.
func (s *scene) clear() {
	for _, cmd := range s.running {
		s.end(cmd)
	}
}

// endLast ends the process that was started last, and returns the time of the processor that it took.
func (s *scene) endLast() time.Duration {
	last := len(s.running) - 1
	cmd := s.running[last]
	s.end(cmd)
	s.running = s.running[:last]
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func (s *scene) end(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
}

// play is a child: an upstream that answers at once, or a reverse proxy without an engine.
func play(ctx context.Context, o options, out io.Writer) error {
	var h http.Handler
	switch o.role {
	case "upstream":
		body := make([]byte, o.answer)
		h = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body)
		})
	case "plain", "ceiling":
		to, err := url.Parse(o.upstream)
		if err != nil {
			return err
		}
		if h = plain(to); o.role == "ceiling" {
			h = oneOfTen(h)
		}
	default:
		return fmt.Errorf("-role %q: must be upstream, plain or ceiling", o.role)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%v\n", listener.Addr())
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute} // the defaults of the gateway
	ctx, stop := signalled(ctx)
	defer stop()
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	if err := srv.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// plain is the reverse proxy of the gateway without an engine: the same connections, buffers and, in play, timeouts of the server.
func plain(to *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.SetXForwarded()
		},
		Transport: &http.Transport{
			ResponseHeaderTimeout: 30 * time.Second,
			MaxIdleConnsPerHost:   1024,
			ReadBufferSize:        32 << 10,
			IdleConnTimeout:       90 * time.Second,
			DisableCompression:    true,
			ForceAttemptHTTP2:     true,
		},
		BufferPool: new(buffers),
	}
}

// oneOfTen passes one of ten requests on and refuses the others as cheaply as net/http can, with an answer of the fields and the size that the
// gateway's has: what a limiter that costs nothing would come to.
func oneOfTen(next http.Handler) http.Handler {
	var came atomic.Uint64
	body := []byte(`{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded",` +
		`"title":"Request cannot be satisfied as assigned quota has been exceeded","status":429,"violated-policies":["default"]}` + "\n")
	fields := http.Header{
		"Content-Type": {"application/problem+json"}, "Content-Length": {strconv.Itoa(len(body))}, "Cache-Control": {"no-store"},
		"Retry-After": {"1"}, "Ratelimit-Policy": {`"default";q=4000;w=1`}, "Ratelimit": {`"default";r=0;t=1`},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if came.Add(1)%10 == 0 {
			next.ServeHTTP(w, r)
			return
		}
		maps.Copy(w.Header(), fields)
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write(body)
	})
}

// buffers is a httputil.BufferPool.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return buf[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buf []byte) { b.pool.Put((*[32 << 10]byte)(buf)) }
