package main

import (
	"context"
	"fmt"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// sample is what wrk says of one run, or of several.
type sample struct {
	took     time.Duration
	latency  *hdrhistogram.Histogram // in microseconds, as wrk has it
	requests int
	refused  int // answered with neither 2xx nor 3xx
	errors   int // of sockets, and timeouts

	cpu      time.Duration // of the processor, for the whole life of the subject
	answered int           // requests in that life
}

func newSample() sample {
	return sample{latency: hdrhistogram.New(1, time.Minute.Microseconds(), 3)}
}

// add adds another run.
func (s *sample) add(more sample) {
	s.took += more.took
	s.latency.Merge(more.latency)
	s.requests += more.requests
	s.refused += more.refused
	s.errors += more.errors
	s.cpu += more.cpu
	s.answered += more.answered
}

// done is the end of a run in Lua, as wrk calls it: it says what there is to say, a field in a line, and how many requests took how long.
const done = `function done(summary, latency, requests)
  local e = summary.errors
  print("took " .. summary.duration)
  print("requests " .. summary.requests)
  print("refused " .. e.status)
  print("errors " .. e.connect + e.read + e.write + e.timeout)
  for i = 1, #latency do
    local microseconds, count = latency(i)
    print("latency " .. microseconds .. " " .. count)
  end
end
`

// load has wrk, with the script done, put load on url.
func load(ctx context.Context, script, url string, connections int, d time.Duration) (sample, error) {
	out, err := exec.CommandContext(ctx, "wrk", "-t2", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%ds", int(d.Seconds())),
		"-s", script, url+"/").CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	return read(string(out))
}

// line is one that the script prints.
var line = regexp.MustCompile(`(?m)^(took|requests|refused|errors|latency) ([0-9]+)(?: ([0-9]+))?$`)

// read reads what wrk and the script print.
func read(report string) (sample, error) {
	s := newSample()
	for _, m := range line.FindAllStringSubmatch(report, -1) {
		value, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return sample{}, fmt.Errorf("wrk: %w", err)
		}
		switch m[1] {
		case "took":
			s.took = time.Duration(value) * time.Microsecond
		case "requests":
			s.requests = int(value)
		case "refused":
			s.refused = int(value)
		case "errors":
			s.errors = int(value)
		case "latency":
			count, err := strconv.ParseInt(m[3], 10, 64)
			if err == nil {
				err = s.latency.RecordValues(value, count)
			}
			if err != nil {
				return sample{}, fmt.Errorf("wrk: %s: %w", m[0], err)
			}
		}
	}
	if s.took <= 0 || s.requests == 0 || s.latency.TotalCount() == 0 {
		return sample{}, fmt.Errorf("wrk has counted nothing:\n%s", report)
	}
	return s, nil
}

// signalled is ctx until the process is told to end.
func signalled(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGTERM)
}
