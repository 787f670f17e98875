package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"
)

// report is what wrk prints of a run, and the script at its end.
const report = `Running 2s test @ http://127.0.0.1:8080/
  2 threads and 256 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    12.25ms    6.11ms  99.81ms   79.36%
    Req/Sec    10.54k     1.01k   13.29k    69.33%
  1000 requests in 2.00s, 755.79MB read
  Socket errors: connect 0, read 1, write 2, timeout 3
  Non-2xx or 3xx responses: 100
Requests/sec:    500.00
Transfer/sec:     25.17MB
took 2000000
requests 1000
refused 100
errors 6
latency 9000 700
latency 11000 285
latency 1030000 15
`

func TestReportOfWrkIsRead(t *testing.T) {
	s, err := read(report)
	require.NoError(t, err)
	require.Equal(t, []any{2 * time.Second, 1000, 100, 6}, []any{s.took, s.requests, s.refused, s.errors})
	require.InDelta(t, 500, perSecond(s), 1e-9)
	require.InEpsilon(t, 9, p50(s), 1e-3)
	require.InEpsilon(t, 1030, p99(s), 1e-3)
	for _, wrong := range []string{"", "took 5", "took 1\nrequests 1\nlatency 1000000000000 1", "took 99999999999999999999"} {
		_, err = read(wrong)
		require.ErrorContains(t, err, "wrk", wrong)
	}
}

// TestTurnsAddUp has 15 of 1,000 requests slow, and then 15 of 10,000: no longer one of a hundred.
func TestTurnsAddUp(t *testing.T) {
	sum, err := read(report)
	require.NoError(t, err)
	more, err := read("took 2000000\nrequests 9000\nrefused 8100\nerrors 1\nlatency 11000 9000\n")
	require.NoError(t, err)
	sum.cpu, sum.answered, more.cpu, more.answered = time.Second, 1200, 2*time.Second, 1800
	sum.add(more)
	require.InEpsilon(t, 1000, cpu(sum), 1e-9)
	require.Equal(t, []any{4 * time.Second, 10000, 8200, 7}, []any{sum.took, sum.requests, sum.refused, sum.errors})
	require.InEpsilon(t, 11, p50(sum), 1e-3)
	require.InEpsilon(t, 11, p99(sum), 1e-3)
}

// TestPlainPassesOn has the two children serve, and end when they are told to.
func TestPlainPassesOn(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	begin := func(role, upstream string) (string, <-chan error) {
		out, in := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- play(ctx, options{role: role, upstream: upstream, answer: 1 << 10}, in) }()
		line := make([]byte, 64)
		n, err := out.Read(line)
		require.NoError(t, err)
		return where.FindString(string(line[:n])), ended
	}
	upstream, first := begin("upstream", "")
	proxy, second := begin("plain", upstream)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, proxy, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Len(t, body, 1<<10)
	stop()
	require.NoError(t, <-first)
	require.NoError(t, <-second)
	require.ErrorContains(t, play(t.Context(), options{role: "other"}, io.Discard), `-role "other"`)
}

// TestTheCeilingRefusesNineOfTen, and passes the tenth on.
func TestTheCeilingRefusesNineOfTen(t *testing.T) {
	h, answers := oneOfTen(http.NotFoundHandler()), map[int]int{}
	for range 100 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		answers[w.Code]++
		if w.Code == http.StatusTooManyRequests {
			require.Equal(t, w.Header().Get("Content-Length"), strconv.Itoa(w.Body.Len()))
		}
	}
	require.Equal(t, map[int]int{http.StatusTooManyRequests: 90, http.StatusNotFound: 10}, answers)
}

func TestSubjectsAreChosen(t *testing.T) {
	for _, row := range []struct {
		list, before string
		want         []string
	}{
		{"", "", subjects},
		{"", "old", []string{"plain", "unguarded", "gateway", "refusing", "ceiling", "before"}},
		{"plain,gateway", "", []string{"plain", "gateway"}},
		{"plain,before,gateway", "old", []string{"plain", "before", "gateway"}},
		{"plain,gateways", "", nil},
		{"plain,before", "", nil},
		{"plain,plain", "", nil},
		{"gateway,plain", "", nil},
	} {
		o := options{before: row.before}
		err := o.choose(row.list)
		if row.want == nil {
			require.ErrorContains(t, err, "-subjects", row.list)
			continue
		}
		require.NoError(t, err, row.list)
		require.Equal(t, row.want, o.subjects)
	}
}

func TestTableIsWrittenIntoTheDocument(t *testing.T) {
	one, err := read(report)
	require.NoError(t, err)
	one.cpu, one.answered = 150*time.Millisecond, 1500
	table := table{options{rounds: 1, connections: 256, duration: 30 * time.Second, subjects: subjects}, map[string][]sample{
		"plain": {one}, "unguarded": {one}, "gateway": {one}, "refusing": {one}, "ceiling": {one},
	}}
	path := filepath.Join(t.TempDir(), "gateway.md")
	require.ErrorIs(t, write(path, "load", table.markdown()), os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("before\n<!-- load: begin -->\nold\n<!-- load: end -->\nafter\n"), 0o600))
	require.NoError(t, write(path, "load", table.markdown()))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "before\n<!-- load: begin -->\nMedians of 1 rounds")
	require.Contains(t, string(text), "| gateway | 500 | 1.00× | 9.0 ms | 1030.1 ms | 1.00× | 100.0 µs | 1.00× | 10.0 % |")
	require.Contains(t, string(text), "<!-- load: end -->\nafter\n")
	require.NotContains(t, string(text), "old")
	require.NoError(t, os.WriteFile(path, []byte("no marks"), 0o600))
	require.ErrorContains(t, write(path, "load", ""), "needs the marks")
}

func TestTableOfTheSick(t *testing.T) {
	round := func(ms int64, back time.Duration) (s sickness) {
		for range states {
			f := phase{healthy: hdrhistogram.New(1000, int64(time.Minute), 3), sent: 1000, reached: 10}
			require.NoError(t, f.healthy.RecordValue(ms*int64(time.Millisecond)))
			s.phases, s.back = append(s.phases, f), back
			ms++
		}
		return s
	}
	text := sickTable([]sickness{round(1, time.Second), round(3, 0), round(2, time.Minute)}, 5*time.Second, "now")
	require.Contains(t, text, "| well | 2.00 ms | 2.00 ms | 1.00× | 1.00, 3.00, 2.00 | 0 | 1000 | 10 |\n")
	require.Contains(t, text, "| hangs | 3.00 ms | 3.00 ms | 1.50× | 2.00, 4.00, 3.00 | 0 | 1000 | 10 |\n")
	require.Contains(t, text, "recovery time of 1s: 1s, 0s, 1m0s.")
}
