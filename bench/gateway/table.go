package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// table is what came of it.
type table struct {
	options options
	samples map[string][]sample
}

// median is the median of what of gives of the samples of a subject.
func (t table) median(subject string, of func(sample) float64) float64 {
	var values []float64
	for _, s := range t.samples[subject] {
		values = append(values, of(s))
	}
	return middle(values)
}

// ofPlain is the median of the ratios to plain within a round.
func (t table) ofPlain(subject string, of func(sample) float64) float64 {
	var ratios []float64
	for round, s := range t.samples[subject] {
		ratios = append(ratios, of(s)/of(t.samples["plain"][round]))
	}
	return middle(ratios)
}

func perSecond(s sample) float64 { return float64(s.requests) / s.took.Seconds() }
func p50(s sample) float64       { return float64(s.latency.ValueAtQuantile(50)) / 1000 } // milliseconds
func p99(s sample) float64       { return float64(s.latency.ValueAtQuantile(99)) / 1000 }
func cpu(s sample) float64       { return float64(s.cpu.Microseconds()) / float64(s.answered) }
func refused(s sample) float64   { return float64(s.refused) / float64(s.requests) }

// markdown is the medians, and every sample.
func (t table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d rounds of %v each, in turns of %v; ratios within a round; %d connections.\n\n",
		t.options.rounds, t.options.duration, turn, t.options.connections)
	fmt.Fprintln(&b, "| | requests/s | of plain | p50 | p99 | of plain | processor per request | of plain | refused |")
	fmt.Fprintln(&b, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, name := range t.options.subjects {
		fmt.Fprintf(&b, "| %s | %.0f | %.2f× | %.1f ms | %.1f ms | %.2f× | %.1f µs | %.2f× | %.1f %% |\n", name,
			t.median(name, perSecond), t.ofPlain(name, perSecond),
			t.median(name, p50), t.median(name, p99), t.ofPlain(name, p99),
			t.median(name, cpu), t.ofPlain(name, cpu), 100*t.median(name, refused))
	}
	fmt.Fprint(&b, "\nEvery round: requests/s, p99, processor per request, requests, refused, errors of sockets.\n\n")
	fmt.Fprint(&b, "| round |")
	for _, name := range t.options.subjects {
		fmt.Fprintf(&b, " %s |", name)
	}
	fmt.Fprint(&b, "\n|---:|"+strings.Repeat("---|", len(t.options.subjects))+"\n")
	for round := range t.options.rounds {
		fmt.Fprintf(&b, "| %d |", round+1)
		for _, name := range t.options.subjects {
			s := t.samples[name][round]
			fmt.Fprintf(&b, " %.0f/s, %.2f ms, %.1f µs, %d, %d, %d |", perSecond(s), p99(s), cpu(s), s.requests, s.refused, s.errors)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// write puts text between the marks called name of a document.
func write(path, name, text string) error {
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(doc), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s needs the marks %q and %q", path, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(path, []byte(before+begin+text+end+after), 0o644) //nolint:gosec // a document
}

// circumstances are when, of what, and on what it was measured.
func circumstances(ctx context.Context) string {
	commit := "an unknown commit"
	if out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		commit = "commit " + strings.TrimSpace(string(out))
	}
	return fmt.Sprintf("%s, %s, %s on %s/%s, %d cores", time.Now().Format(time.DateOnly), commit, runtime.Version(), runtime.GOOS,
		runtime.GOARCH, runtime.NumCPU())
}
