// Package record keeps what was measured, as text in the format of Go benchmarks: one line for every sample, so that
// benchstat reads it and every table, chart and sentence can be made from it again.
package record

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// Row is what was measured: a contender under one load. Fields that do not apply are zero.
type Row struct {
	Study     string // Calls, Latency, Waiting, Overload, Memory or Excess
	Workload  string // which calls
	Keys      string // the population of keys
	PerCore   int    // goroutines per core
	Contender string
	Cores     int // GOMAXPROCS
}

// Of is the row of another contender under the same load.
func (r Row) Of(contender string) Row {
	r.Contender = contender
	return r
}

// String is the name of the row's benchmark, without the prefix "Benchmark".
func (r Row) String() string {
	var b strings.Builder
	b.WriteString(r.Study)
	part := func(key, value string) {
		if value != "" {
			b.WriteString("/" + key + "=" + value)
		}
	}
	part("workload", r.Workload)
	part("keys", r.Keys)
	if r.PerCore > 0 {
		part("percore", strconv.Itoa(r.PerCore))
	}
	part("contender", r.Contender)
	return b.String() + "-" + strconv.Itoa(r.Cores)
}

// parseRow is the inverse of String.
func parseRow(name string) (Row, error) {
	var r Row
	cut := strings.LastIndexByte(name, '-')
	if cut < 0 {
		return r, fmt.Errorf("record: %q does not end with the number of cores", name)
	}
	var err error
	if r.Cores, err = strconv.Atoi(name[cut+1:]); err != nil {
		return r, fmt.Errorf("record: %q does not end with the number of cores", name)
	}
	parts := strings.Split(name[:cut], "/")
	r.Study = parts[0]
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "workload":
			r.Workload = value
		case "keys":
			r.Keys = value
		case "percore":
			if r.PerCore, err = strconv.Atoi(value); err != nil {
				return r, fmt.Errorf("record: %q: percore=%s is no number", name, value)
			}
		case "contender":
			r.Contender = value
		default:
			return r, fmt.Errorf("record: %q: unknown part %q", name, part)
		}
	}
	return r, nil
}

// Unit is what a value counts. Units that end in "ns" are nanoseconds.
type Unit string

// The units.
const (
	PerCall       Unit = "ns/op"          // time between calls of all goroutines together
	Bytes         Unit = "B/op"           // allocated by one call
	Allocs        Unit = "allocs/op"      // allocations of one call
	P50           Unit = "p50-ns"         // latency from the intended start, as all of these
	P90           Unit = "p90-ns"         //
	P99           Unit = "p99-ns"         //
	P999          Unit = "p99.9-ns"       //
	P9999         Unit = "p99.99-ns"      //
	Max           Unit = "max-ns"         //
	OfRate        Unit = "of-rate"        // grants per second, as a fraction of the limit
	LateP50       Unit = "late-p50-ns"    // how much later than its due instant a grant came
	LateP99       Unit = "late-p99-ns"    //
	Misplaced     Unit = "places"         // how far from its place in the order of arrival a caller was served, on average
	Goodput       Unit = "goodput"        // grants before the caller's deadline, as a fraction of what the limit has to give
	RefusedP50    Unit = "refused-p50-ns" // how long a caller that was refused had waited for the answer
	RefusedP99    Unit = "refused-p99-ns" //
	BytesPerKey   Unit = "B/key"          // heap and stacks in use, the key's own 16 bytes included
	Goroutines    Unit = "goroutines"     // that the guard runs
	Collection    Unit = "ns/gc"          // time of a forced garbage collection
	OfBound       Unit = "of-bound"       // calls admitted, as a multiple of capacity + rate × time
	AskedCalls    Unit = "asked"          // calls made to find OfBound
	AdmittedCalls Unit = "admitted"       // of them
)

// Value is an amount of a unit.
type Value struct {
	Amount float64
	Unit   Unit
}

// Sample is one measurement of a row.
type Sample struct {
	Row
	N      int // calls, or whatever was counted
	Values []Value
}

// Setting is one line of configuration at the head of a record, such as "goos: linux".
type Setting struct{ Key, Value string }

// Writer writes samples as they come.
type Writer struct{ w *benchfmt.Writer }

// NewWriter returns a Writer that begins with settings.
func NewWriter(w io.Writer, settings []Setting) (*Writer, error) {
	for _, s := range settings {
		if _, err := fmt.Fprintf(w, "%s: %s\n", s.Key, s.Value); err != nil {
			return nil, err
		}
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return nil, err
	}
	return &Writer{benchfmt.NewWriter(w)}, nil
}

// Write appends a sample.
func (w *Writer) Write(s Sample) error {
	r := &benchfmt.Result{Name: benchfmt.Name(s.String()), Iters: s.N}
	for _, v := range s.Values {
		r.Values = append(r.Values, benchfmt.Value{Value: v.Amount, Unit: string(v.Unit)})
	}
	return w.w.Write(r)
}

// Results are the samples of a run.
type Results struct {
	Settings []Setting
	samples  []Sample // in the order in which they were taken
	rows     []Row    // in the order of their first samples
	amounts  map[Row]map[Unit][]float64
}

// Samples are all samples, in the order in which they were taken.
func (r *Results) Samples() iter.Seq[Sample] { return slices.Values(r.samples) }

// Add counts a sample in.
func (r *Results) Add(s Sample) {
	r.samples = append(r.samples, s)
	if r.amounts == nil {
		r.amounts = map[Row]map[Unit][]float64{}
	}
	of := r.amounts[s.Row]
	if of == nil {
		of = map[Unit][]float64{}
		r.amounts[s.Row] = of
		r.rows = append(r.rows, s.Row)
	}
	for _, v := range s.Values {
		of[v.Unit] = append(of[v.Unit], v.Amount)
	}
}

// Read parses what a Writer wrote.
func Read(from io.Reader, name string) (*Results, error) {
	in := benchfmt.NewReader(from, name)
	out := &Results{}
	for in.Scan() {
		switch rec := in.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, fmt.Errorf("record: %w", rec)
		case *benchfmt.Result:
			if len(out.rows) == 0 {
				for _, c := range rec.Config {
					if c.File {
						out.Settings = append(out.Settings, Setting{c.Key, string(c.Value)})
					}
				}
			}
			row, err := parseRow(string(rec.Name))
			if err != nil {
				return nil, err
			}
			s := Sample{Row: row, N: rec.Iters}
			for _, v := range rec.Values {
				if v.OrigUnit != "" { // the reader has turned nanoseconds into seconds
					v.Value, v.Unit = v.OrigValue, v.OrigUnit
				}
				s.Values = append(s.Values, Value{v.Value, Unit(v.Unit)})
			}
			out.Add(s)
		}
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	if len(out.rows) == 0 {
		return nil, fmt.Errorf("record: %s holds no samples", name)
	}
	return out, nil
}

// Setting is the value of a setting, "" if there is none.
func (r *Results) Setting(key string) string {
	for _, s := range r.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// Rows are the rows, in the order in which they were first measured, that match all fields of like that are not zero.
func (r *Results) Rows(like Row) []Row {
	return slices.DeleteFunc(slices.Clone(r.rows), func(row Row) bool {
		return like.Study != "" && row.Study != like.Study ||
			like.Workload != "" && row.Workload != like.Workload ||
			like.Keys != "" && row.Keys != like.Keys ||
			like.PerCore != 0 && row.PerCore != like.PerCore ||
			like.Contender != "" && row.Contender != like.Contender ||
			like.Cores != 0 && row.Cores != like.Cores
	})
}

// Units are the units in which a row was measured, sorted.
func (r *Results) Units(row Row) []Unit {
	var units []Unit
	for u := range r.amounts[row] {
		units = append(units, u)
	}
	slices.Sort(units)
	return units
}

// Amounts are the samples of a row in one unit, in the order in which they were taken.
func (r *Results) Amounts(row Row, u Unit) []float64 { return r.amounts[row][u] }

// Summary is what the samples of a row come to.
type Summary struct {
	Median    float64
	Low, High float64 // the quartiles
	Samples   int
}

// Summary reports false if there are no samples.
func (r *Results) Summary(row Row, u Unit) (Summary, bool) {
	all := slices.Sorted(slices.Values(r.amounts[row][u]))
	if len(all) == 0 {
		return Summary{}, false
	}
	return Summary{Median: quantile(all, 0.5), Low: quantile(all, 0.25), High: quantile(all, 0.75), Samples: len(all)}, true
}

// quantile interpolates between the samples next to p, as R's type 7 does.
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
