// Command bench is the contention study: this module's engine beside the designs that it competes with and the libraries
// that people use today.
//
//	go run ./bench            quick: the hot key and a thousand keys, on all cores asked for, in under two minutes
//	go run ./bench -full      everything, in under twenty minutes; it takes about 8 GB of memory
//
// It checks first that contenders admit what they must, then measures them in interleaved rounds, and leaves a folder with
// the raw samples (raw.txt, for benchstat), the latency histograms, tables, charts and a page that opens offline.
// With -from it measures nothing and makes all that from a raw file; with -docs it writes docs/contention.md and the table
// of README, which is `make report`.
//
// It is a module of its own, so that the rivals never reach the go.sum of a user. Package contender holds them all, package
// conformance shows that they do the same work, package workload says which calls they make, package measure how they are
// timed, package record how samples are kept, and package report what is made of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/limitpal/limitpal-go/bench/conformance"
	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/measure"
	"github.com/limitpal/limitpal-go/bench/record"
	"github.com/limitpal/limitpal-go/bench/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the command. Results go to out; what is going on, to status.
func run(ctx context.Context, args []string, out, status io.Writer) error {
	o, err := parse(args, status)
	if err != nil {
		return err
	}
	if o.from != "" {
		return again(o, out)
	}
	trials, histograms, err := o.plan()
	if err != nil {
		return err
	}
	if o.trial >= 0 {
		return one(trials, o.trial, out)
	}
	if err := conform(o, status); err != nil {
		return err
	}
	results, err := take(ctx, args, o, trials, histograms, status)
	if err != nil {
		return err
	}
	if err := report.Text(out, results, o.baseline); err != nil {
		return err
	}
	if err := report.Write(o.out, results, o.baseline); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nCharts and tables: %s\nRaw samples, for benchstat: %s\n",
		filepath.Join(o.out, "index.html"), filepath.Join(o.out, "raw.txt"))
	return err
}

// again makes everything from a raw file.
func again(o options, out io.Writer) error {
	f, err := os.Open(o.from)
	if err != nil {
		return err
	}
	defer f.Close()
	results, err := record.Read(f, o.from)
	if err != nil {
		return err
	}
	if o.docs != "" {
		return report.Docs(o.docs, results, o.from)
	}
	if err := report.Text(out, results, o.baseline); err != nil {
		return err
	}
	return report.Write(o.out, results, o.baseline)
}

// conform holds every contender to what it documents, as far as that can be done in real time.
func conform(o options, status io.Writer) error {
	var faults []string
	for _, c := range o.contenders {
		if c.Does.Has(contender.Limits | contender.Refuses) {
			faults = append(faults, conformance.Capacity(c)...)
		}
		if c.Does.Has(contender.Breaks) {
			faults = append(faults, conformance.Threshold(c)...)
		}
	}
	for _, f := range faults {
		fmt.Fprintln(status, f)
	}
	if len(faults) > 0 {
		return fmt.Errorf("nothing was timed: contenders do not admit what they must (%d faults)", len(faults))
	}
	_, err := fmt.Fprintf(status, "conformance: %d contenders admit what they must; schedules in simulated time: go test ./bench/conformance\n", len(o.contenders))
	return err
}

// take measures, and writes every sample down as it comes. What was measured before ctx ended is kept in the file.
func take(ctx context.Context, args []string, o options, trials []*measure.Trial, histograms *measure.Histograms, status io.Writer) (results *record.Results, err error) {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(o.out, "raw.txt"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	began := time.Now()
	results = &record.Results{Settings: o.settings(ctx, began)}
	w, err := record.NewWriter(f, results.Settings)
	if err != nil {
		return nil, err
	}
	p := newProgress(status)
	emit := func(s record.Sample) error {
		results.Add(s)
		return w.Write(s)
	}
	err = measure.Run(ctx, trials, o.rounds, p, elsewhere(ctx, args, trials, emit), emit)
	p.end(err)
	if errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("interrupted; what was measured is in %s", f.Name())
	}
	if err != nil {
		return nil, err
	}
	return results, writeHistograms(filepath.Join(o.out, "latency.hlog"), histograms, began)
}

func writeHistograms(name string, h *measure.Histograms, began time.Time) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return h.Write(f, began, time.Now())
}
