package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// check is one row of the table: a run of `go test`, and the bars for its figures.
type check struct {
	name   string
	dir    string   // of the module, from the root of the repository
	args   []string // of go test -json
	env    []string // for go test, beside the environment of engineverify
	want   []bar
	brief  bool // show only the figures of want: the others have a table of their own
	single bool // the run can use one processor only
}

// bar is the bound that one figure must meet.
type bar struct {
	figure string
	least  float64 // lower bound, if atMost is false
	most   float64 // upper bound, if atMost is true
	atMost bool
}

// atLeast returns the bar for a volume.
func atLeast(n float64, figure string) bar { return bar{figure: figure, least: n} }

// atMost returns the bar for a figure that must stay low; most such figures must be 0.
func atMost(n float64, figure string) bar { return bar{figure: figure, most: n, atMost: true} }

// figure is a number that a test reported by testing.T.Attr.
type figure struct {
	name  string
	value float64
}

// result is the outcome of a check.
type result struct {
	check   string
	figures []figure
	took    time.Duration
	faults  []string // reasons to fail; none: the check passed
}

func (r result) String() string {
	s := r.summary()
	if s == "" {
		s = "no figures"
	}
	s = fmt.Sprintf("%s (%s)", s, r.took.Round(time.Second))
	if len(r.faults) > 0 {
		s += "\n        FAILED: " + strings.Join(r.faults, "; ")
	}
	return s
}

// summary returns the figures in a line.
func (r result) summary() string {
	var parts []string
	for _, f := range r.figures {
		parts = append(parts, number(f.value)+" "+strings.ReplaceAll(f.name, "-", " "))
	}
	return strings.Join(parts, ", ")
}

// run makes one run of c and calls tell with the progress at most every heartbeat.
func (c check) run(ctx context.Context, tell func(far string)) result {
	begin := time.Now()
	var p parser
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, c.args...)...)
	cmd.Dir = c.dir
	cmd.Env = append(cmd.Environ(), c.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		p.read(pipe, func() { tell(fmt.Sprintf("%s%s", time.Since(begin).Round(time.Second), p.far())) })
		err = cmd.Wait()
	}
	r := result{check: c.name, figures: c.shown(p.figures), took: time.Since(begin), faults: p.faults}
	if err != nil {
		r.faults = append(r.faults, strings.TrimSpace(fmt.Sprintf("%v\n%s%s", err, p.tail(), stderr.String())))
	}
	r.faults = append(r.faults, c.judge(p.figures)...)
	return r
}

// shown returns the figures for the table.
func (c check) shown(figures []figure) []figure {
	if !c.brief {
		return figures
	}
	return slices.DeleteFunc(slices.Clone(figures), func(f figure) bool {
		return !slices.ContainsFunc(c.want, func(b bar) bool { return b.figure == f.name })
	})
}

// judge returns a fault for each bar that the figures miss.
func (c check) judge(figures []figure) (faults []string) {
	for _, b := range c.want {
		found := false
		for _, f := range figures {
			if f.name != b.figure {
				continue
			}
			found = true
			switch {
			case b.atMost && f.value > b.most:
				faults = append(faults, fmt.Sprintf("%s %s: at most %s", number(f.value), f.name, number(b.most)))
			case !b.atMost && f.value < b.least:
				faults = append(faults, fmt.Sprintf("%s %s: at least %s", number(f.value), f.name, number(b.least)))
			}
		}
		if !found {
			faults = append(faults, "no figure "+b.figure)
		}
	}
	return faults
}

// parser reads the output of `go test -json`.
type parser struct {
	figures []figure
	faults  []string
	output  []string // the last lines
}

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action, Test, Output, Key, Value string
}

// fuzzed matches the progress of a fuzz target.
var fuzzed = regexp.MustCompile(`^fuzz: elapsed: .*, execs: (\d+) `)

const (
	heartbeat = 20 * time.Second
	kept      = 200 // lines of output
)

// read takes in events until r ends, and calls beat at most every heartbeat.
func (p *parser) read(r io.Reader, beat func()) {
	last := time.Now()
	for d := json.NewDecoder(r); ; {
		var e event
		if err := d.Decode(&e); err != nil {
			if err != io.EOF {
				p.faults = append(p.faults, "the output of go test: "+err.Error())
			}
			return
		}
		p.take(e)
		if time.Since(last) >= heartbeat {
			last = time.Now()
			beat()
		}
	}
}

func (p *parser) take(e event) {
	switch {
	case e.Action == "attr":
		value, err := strconv.ParseFloat(e.Value, 64)
		switch {
		case err != nil:
			p.faults = append(p.faults, fmt.Sprintf("figure %s = %q of %s is no number", e.Key, e.Value, e.Test))
		default:
			p.add(e.Key, value)
		}
	case e.Action == "output" && !strings.HasPrefix(e.Output, "=== "):
		if m := fuzzed.FindStringSubmatch(e.Output); m != nil {
			n, _ := strconv.ParseFloat(m[1], 64)
			p.figures = []figure{{"executions", n}}
		}
		if len(p.output) == kept {
			p.output = p.output[1:]
		}
		p.output = append(p.output, e.Output)
	}
}

// add takes in a figure. Figures of one name, from several tests of a check, are added up.
func (p *parser) add(name string, value float64) {
	for i := range p.figures {
		if p.figures[i].name == name {
			p.figures[i].value += value
			return
		}
	}
	p.figures = append(p.figures, figure{name, value})
}

// far returns the last line of output, for the progress.
func (p *parser) far() string {
	if len(p.output) == 0 {
		return ""
	}
	return "  " + strings.TrimSpace(p.output[len(p.output)-1])
}

// tail returns the end of the output, for the reason of a failure.
func (p *parser) tail() string { return strings.Join(p.output, "") }
