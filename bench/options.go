package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
)

// options are what the command was asked to do.
type options struct {
	full       bool
	rounds     int
	cores      []int
	workloads  []string // empty: all
	contenders []contender.Contender
	baseline   string
	out        string
	from       string
	docs       string
	trial      int // -1, or the only trial to sample; see elsewhere
}

func parse(args []string, status io.Writer) (options, error) {
	var o options
	var cores, workloads, contenders string
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(status)
	fs.BoolVar(&o.full, "full", false, "measure everything, in under twenty minutes and with about 8 GB of memory")
	fs.IntVar(&o.rounds, "rounds", 10, "interleaved `rounds`, each a sample of everything")
	fs.StringVar(&cores, "cores", "", "how many `cores` to use, separated by commas (default: 2, and with -full 1,2)")
	fs.StringVar(&workloads, "workload", "", "`names` of workloads, separated by commas (default: all): "+strings.Join(workloadNames, ", "))
	fs.StringVar(&contenders, "contender", "", "`names` of contenders, separated by commas (default: all): "+strings.Join(names(contender.All()), ", "))
	fs.StringVar(&o.baseline, "baseline", "per-key-mutex", "the `contender` that ratios are against")
	fs.StringVar(&o.out, "out", "bench/out", "the `folder` for the results")
	fs.StringVar(&o.from, "from", "", "measure nothing: make the results from this raw `file`")
	fs.StringVar(&o.docs, "docs", "", "with -from: write docs/contention.md and README's table in this `folder`")
	fs.IntVar(&o.trial, "trial", -1, "sample one trial of the plan and print its samples, which is how trials run in a process of their own")
	if err := fs.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			err = fmt.Errorf("%w: see above", err)
		}
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag: see -help", fs.Arg(0))
	}
	if o.rounds < 1 {
		return o, fmt.Errorf("-rounds %d: must be at least 1", o.rounds)
	}
	if o.docs != "" && o.from == "" {
		return o, errors.New("-docs needs -from: what is in the documents comes from a raw file")
	}
	var err error
	if o.cores, err = parseCores(cores, o.full); err != nil {
		return o, err
	}
	if o.workloads, err = choose("-workload", workloads, workloadNames); err != nil {
		return o, err
	}
	all := contender.All()
	chosen, err := choose("-contender", contenders, names(all))
	if err != nil {
		return o, err
	}
	if _, err := choose("-baseline", o.baseline, names(all)); err != nil {
		return o, err
	}
	for _, c := range all {
		if len(chosen) == 0 || slices.Contains(chosen, c.Name) || c.Name == o.baseline {
			o.contenders = append(o.contenders, c)
		}
	}
	return o, nil
}

func names(all []contender.Contender) []string {
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	return names
}

// choose splits a list of names and checks them.
func choose(flag, list string, known []string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	chosen := strings.Split(list, ",")
	for _, name := range chosen {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%s %s: there is no %q; known are %s", flag, list, name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

func parseCores(list string, full bool) ([]int, error) {
	if list == "" {
		most := min(2, runtime.NumCPU())
		if full && most == 2 {
			return []int{1, 2}, nil
		}
		return []int{most}, nil
	}
	var cores []int
	for part := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > runtime.NumCPU() {
			return nil, fmt.Errorf("-cores %s: %q is not a number from 1 to the %d of this machine", list, part, runtime.NumCPU())
		}
		cores = append(cores, n)
	}
	return cores, nil
}

// settings are the head of the record: what was measured on what.
func (o options) settings(ctx context.Context, now time.Time) []record.Setting {
	mode := "quick"
	if o.full {
		mode = "full"
	}
	s := []record.Setting{
		{Key: "goos", Value: runtime.GOOS},
		{Key: "goarch", Value: runtime.GOARCH},
		{Key: "cpu", Value: processor()},
		{Key: "machine-cores", Value: strconv.Itoa(runtime.NumCPU())},
		{Key: "go", Value: runtime.Version()},
		{Key: "commit", Value: commit(ctx)},
		{Key: "date", Value: now.Format(time.DateOnly)},
		{Key: "mode", Value: mode},
		{Key: "rounds", Value: strconv.Itoa(o.rounds)},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		var modules []string
		for _, m := range info.Deps {
			if slices.Contains(peerModules, m.Path) {
				modules = append(modules, m.Path+" "+m.Version)
			}
		}
		s = append(s, record.Setting{Key: "modules", Value: strings.Join(modules, ", ")})
	}
	return s
}

// peerModules are the libraries among the contenders.
var peerModules = []string{
	"github.com/cenkalti/backoff/v5", "github.com/failsafe-go/failsafe-go", "github.com/puzpuzpuz/xsync/v4", "github.com/sethvargo/go-limiter",
	"github.com/sony/gobreaker/v2", "github.com/throttled/throttled/v2", "go.uber.org/ratelimit", "golang.org/x/time",
}

// processor is the name of the processor, as far as the system tells.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// commit is the commit that is measured, as far as git tells.
func commit(ctx context.Context) string {
	hash, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no").Output()
	if err != nil || len(changed) > 0 {
		return strings.TrimSpace(string(hash)) + " and changes"
	}
	return strings.TrimSpace(string(hash))
}
