package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/limitpal/limitpal-go/bench/record"
)

// view is a record with the conditions that tables, charts and sentences show when they show one: all cores, and many
// goroutines per core.
type view struct {
	*record.Results
	baseline string
	cores    int // the most cores in the record
	many     int // goroutines per core: 32 if that was measured, else the most

	contenders map[record.Row][]string // by load, a row without a contender

	// These are computed once.
	losses, wins func() []Finding
	tables       func() []table
	summaries    map[sampled]summary
}

// sampled is what has a summary.
type sampled struct {
	row  record.Row
	unit record.Unit
}

type summary struct {
	record.Summary
	ok bool
}

// Summary is that of the record, remembered.
func (v *view) Summary(row record.Row, u record.Unit) (record.Summary, bool) {
	key := sampled{row, u}
	s, seen := v.summaries[key]
	if !seen {
		s.Summary, s.ok = v.Results.Summary(row, u)
		v.summaries[key] = s
	}
	return s.Summary, s.ok
}

func newView(r *record.Results, baseline string) *view {
	v := &view{Results: r, baseline: baseline, contenders: map[record.Row][]string{}, summaries: map[sampled]summary{}}
	v.losses = sync.OnceValue(func() []Finding { return v.compare(true) })
	v.wins = sync.OnceValue(func() []Finding { return v.compare(false) })
	v.tables = sync.OnceValue(v.allTables)
	for _, row := range r.Rows(record.Row{}) {
		v.contenders[row.Of("")] = append(v.contenders[row.Of("")], row.Contender)
		v.cores = max(v.cores, row.Cores)
		if v.many != 32 && (row.PerCore == 32 || row.PerCore > v.many) {
			v.many = row.PerCore
		}
	}
	return v
}

// call is the row of a call with many goroutines on all cores, without a contender. If the workload was not measured with
// many, it is the most with which it was.
func (v *view) call(workload, keys string) record.Row {
	row := record.Row{Study: "Calls", Workload: workload, Keys: keys, Cores: v.cores}
	if steps := v.perCoreOf(row); len(steps) > 0 && !slices.Contains(steps, v.many) {
		row.PerCore = steps[len(steps)-1]
		return row
	}
	row.PerCore = v.many
	return row
}

// other is the row of a study other than Calls under one load, on the most cores with which it was measured, without a
// contender. An empty workload or population is whichever was measured first.
func (v *view) other(study, workload, keys string) record.Row {
	like := record.Row{Study: study, Workload: workload, Keys: keys}
	for _, r := range v.Rows(like) {
		if r.Cores > like.Cores {
			like = r.Of("")
		}
	}
	return like
}

// median is the median of a row, and whether there is one.
func (v *view) median(row record.Row, u record.Unit) (float64, bool) {
	s, ok := v.Summary(row, u)
	return s.Median, ok
}

// ratio is the median of a contender as a multiple of another's under the same load.
func (v *view) ratio(row record.Row, u record.Unit, of, to string) (float64, bool) {
	a, okA := v.median(row.Of(of), u)
	b, okB := v.median(row.Of(to), u)
	return a / b, okA && okB && b != 0
}

// named are the contenders under a load in which u was measured, cheapest first.
func (v *view) named(row record.Row, u record.Unit) []string {
	var names []string
	for _, name := range v.contenders[row.Of("")] {
		if _, ok := v.Summary(row.Of(name), u); ok {
			names = append(names, name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		x, _ := v.median(row.Of(a), u)
		y, _ := v.median(row.Of(b), u)
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(place(a), place(b)), strings.Compare(a, b))
	})
	return names
}

// keysOf are the populations of keys for which a study has rows, in order.
func (v *view) keysOf(like record.Row) []string {
	set := map[string]bool{}
	for _, r := range v.Rows(like) {
		set[r.Keys] = true
	}
	return slices.SortedFunc(maps.Keys(set), compareKeys)
}

// perCoreOf are the goroutines per core for which a study has rows, in order.
func (v *view) perCoreOf(like record.Row) []int {
	set := map[int]bool{}
	for _, r := range v.Rows(like) {
		set[r.PerCore] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// coresOf are the numbers of cores for which a study has rows, in order.
func (v *view) coresOf(like record.Row) []int {
	set := map[int]bool{}
	for _, r := range v.Rows(like) {
		set[r.Cores] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// population is the number of keys of a uniform population such as "100k".
func population(keys string) (float64, bool) {
	digits, unit := keys, 1.0
	if cut, ok := strings.CutSuffix(keys, "k"); ok {
		digits, unit = cut, 1e3
	} else if cut, ok := strings.CutSuffix(keys, "M"); ok {
		digits, unit = cut, 1e6
	}
	n, err := strconv.Atoi(digits)
	return float64(n) * unit, err == nil && n > 0
}

// keysLabel names a population of keys.
func keysLabel(keys string) string {
	if n, ok := population(keys); ok {
		return count(n)
	}
	if n, ok := population(strings.TrimPrefix(keys, "zipf")); ok {
		return "zipf " + count(n)
	}
	if keys == "own" {
		return "their own"
	}
	return keys
}

// compareKeys orders populations: uniform ones by size, then the zipfian ones by size, then the rest.
func compareKeys(a, b string) int {
	class := func(keys string) (int, float64) {
		if n, ok := population(keys); ok {
			return 0, n
		}
		if n, ok := population(strings.TrimPrefix(keys, "zipf")); ok {
			return 1, n
		}
		return 2, 0
	}
	classA, sizeA := class(a)
	classB, sizeB := class(b)
	return cmp.Or(cmp.Compare(classA, classB), cmp.Compare(sizeA, sizeB), strings.Compare(a, b))
}

// compareRows orders rows by study, workload, cores, goroutines per core, keys and contender.
func compareRows(a, b record.Row) int {
	return cmp.Or(
		cmp.Compare(studyPlace(a.Study), studyPlace(b.Study)), strings.Compare(a.Study, b.Study),
		cmp.Compare(workloadPlace(a.Workload), workloadPlace(b.Workload)), strings.Compare(a.Workload, b.Workload),
		cmp.Compare(a.Cores, b.Cores), cmp.Compare(a.PerCore, b.PerCore), compareKeys(a.Keys, b.Keys),
		cmp.Compare(place(a.Contender), place(b.Contender)), strings.Compare(a.Contender, b.Contender),
	)
}
