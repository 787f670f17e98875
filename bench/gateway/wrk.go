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
)

// sample is what wrk says of one run.
type sample struct {
	perSecond float64
	p50, p99  time.Duration
	requests  int
	refused   int // answered with neither 2xx nor 3xx
	errors    int // of sockets, and timeouts
}

// load has wrk put load on url.
func load(ctx context.Context, url string, connections int, d time.Duration) (sample, error) {
	out, err := exec.CommandContext(ctx, "wrk", "--latency", "-t2", fmt.Sprintf("-c%d", connections),
		fmt.Sprintf("-d%ds", int(d.Seconds())), url+"/").CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	return read(string(out))
}

var (
	rateLine    = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	p50Line     = regexp.MustCompile(`\s50%\s+([0-9.]+[a-z]+)`)
	p99Line     = regexp.MustCompile(`\s99%\s+([0-9.]+[a-z]+)`)
	countLine   = regexp.MustCompile(`\s([0-9]+) requests in `)
	refusedLine = regexp.MustCompile(`Non-2xx or 3xx responses: ([0-9]+)`)
	errorLine   = regexp.MustCompile(`Socket errors: connect ([0-9]+), read ([0-9]+), write ([0-9]+), timeout ([0-9]+)`)
)

// read reads the report of wrk.
func read(report string) (s sample, err error) {
	find := func(line *regexp.Regexp) string {
		if m := line.FindStringSubmatch(report); m != nil {
			return m[1]
		}
		err = fmt.Errorf("wrk's report has no %v:\n%s", line, report)
		return "0"
	}
	s.perSecond, _ = strconv.ParseFloat(find(rateLine), 64)
	s.p50, _ = time.ParseDuration(find(p50Line))
	s.p99, _ = time.ParseDuration(find(p99Line))
	s.requests, _ = strconv.Atoi(find(countLine))
	if m := refusedLine.FindStringSubmatch(report); m != nil {
		s.refused, _ = strconv.Atoi(m[1])
	}
	if m := errorLine.FindStringSubmatch(report); m != nil {
		for _, text := range m[1:] {
			n, _ := strconv.Atoi(text)
			s.errors += n
		}
	}
	return s, err
}

// signalled is ctx until the process is told to end.
func signalled(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGTERM)
}
