package report

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
)

// table is contenders against conditions, all cells written. Only the first of the tables of a workload says what it is about.
type table struct {
	group string // which tables belong together
	title string
	about string
	heads []head
	lines []line
}

// head is one of the rows above the lines: a label and what it says of every column.
type head struct {
	label string
	cells []string
}

// line is what was measured of one contender.
type line struct {
	name  string
	kind  contender.Kind
	cells []cell
}

// cell is a median, its spread and its ratio to the baseline; each is empty if it does not apply.
type cell struct{ value, spread, ratio string }

// width is the widest that a table may be, in characters.
const width = 120

// allTables are all tables of a record.
func (v *view) allTables() []table {
	var all []table
	add := func(name string, group []table) {
		for i, t := range group {
			t.group = name
			if i > 0 {
				t.about = ""
			}
			all = append(all, t)
		}
	}
	for _, s := range studies {
		for _, w := range v.workloadsOf(s.name) {
			title, about := workloadText(w)
			if w == "" {
				title = ""
			}
			about = strings.TrimSpace(about + " " + s.about)
			name := strings.TrimSuffix(s.title+": "+title, ": ")
			if !s.each {
				add(name, v.split(name, about, v.columns(s.name, w, s.measures...)))
				continue
			}
			var group []table
			for _, m := range s.measures {
				of := name
				if len(s.measures) > 1 {
					of += ", " + m.plain
				}
				group = append(group, v.split(of, about, v.columns(s.name, w, m))...)
			}
			add(name, group)
		}
		if s.name == "Calls" {
			add("Allocations per call", v.allocationTables())
		}
	}
	add("Calls, rival by rival", v.tallyTables())
	for _, t := range v.growthTables() {
		add(t.group, []table{t})
	}
	return all
}

func (v *view) workloadsOf(study string) []string {
	var names []string
	for _, r := range v.Rows(record.Row{Study: study}) {
		if !slices.Contains(names, r.Workload) {
			names = append(names, r.Workload)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(workloadPlace(a), workloadPlace(b)), strings.Compare(a, b))
	})
	return names
}

// allocationTables have one column per workload and unit, on all cores with many goroutines and the second smallest
// population of keys, because a single key is no usual load.
func (v *view) allocationTables() []table {
	var columns []column
	for _, w := range v.workloadsOf("Calls") {
		like := v.call(w, "")
		keys := v.keysOf(like)
		if len(keys) == 0 {
			continue
		}
		like.Keys = keys[min(1, len(keys)-1)]
		for _, c := range v.columns("Calls", w, allocations...) {
			if c.row == like {
				columns = append(columns, c)
			}
		}
	}
	return v.split("Allocations per call", "Allocations of one call, on average over many.", columns)
}

// split makes one table of columns, or, if that is too wide, one for every number of cores, then one for every number of
// goroutines per core, and then as many of equal width as it takes.
func (v *view) split(title, about string, columns []column) []table {
	if len(columns) == 0 {
		return nil
	}
	whole := v.table(title, about, columns)
	if whole.width() <= width || len(columns) == 1 {
		return []table{whole}
	}
	for _, dimension := range []func(column) int{
		func(c column) int { return c.row.Cores },
		func(c column) int { return c.row.PerCore },
	} {
		parts := chunk(columns, dimension)
		if len(parts) > 1 {
			var all []table
			for _, part := range parts {
				all = append(all, v.split(title, about, part)...)
			}
			return all
		}
	}
	for n := 2; ; n++ {
		var all []table
		fits := true
		for i := range n {
			t := v.table(title, about, columns[i*len(columns)/n:(i+1)*len(columns)/n])
			fits = fits && t.width() <= width
			if i > 0 {
				t.title += ", continued"
			}
			all = append(all, t)
		}
		if fits || n == len(columns) {
			return all
		}
	}
}

// table writes the cells. What all columns have in common is in the title, the rest is in the heads.
func (v *view) table(title, about string, columns []column) table {
	t := table{title: title, about: about}
	var common []string
	for _, d := range dimensions {
		h := head{label: d.label}
		for _, c := range columns {
			h.cells = append(h.cells, d.of(c))
		}
		same := !slices.ContainsFunc(h.cells, func(s string) bool { return s != h.cells[0] })
		switch {
		case same && d.constant != nil:
			if text := d.constant(columns[0]); text != "" {
				common = append(common, text)
			}
		case same && d.label == "calls":
		default:
			t.heads = append(t.heads, h)
		}
	}
	if len(common) > 0 {
		t.title += " (" + strings.Join(common, ", ") + ")"
	}
	for _, name := range v.order(columns) {
		l := line{name: name, kind: find(name).Kind}
		for _, c := range columns {
			l.cells = append(l.cells, v.cell(c, name))
		}
		t.lines = append(t.lines, l)
	}
	return t
}

// order sorts contenders by their medians in the first column; those without one come last, by the next column.
func (v *view) order(columns []column) []string {
	medians := map[string][]float64{}
	for i, c := range columns {
		for _, name := range v.named(c.row, c.unit) {
			if medians[name] == nil {
				medians[name] = slices.Repeat([]float64{math.Inf(1)}, len(columns))
			}
			medians[name][i], _ = v.median(c.row.Of(name), c.unit)
		}
	}
	var names []string
	for name := range medians {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(slices.Compare(medians[a], medians[b]), cmp.Compare(place(a), place(b)), strings.Compare(a, b))
	})
	return names
}

// cell writes one median. The spread is the distance of the farther quartile.
func (v *view) cell(c column, name string) cell {
	s, ok := v.Summary(c.row.Of(name), c.unit)
	if !ok {
		return cell{value: missing}
	}
	out := cell{value: c.write(s.Median / c.scale)}
	if s.Samples > 1 && s.Median != 0 && c.order != 0 {
		if far := 100 * max(s.High-s.Median, s.Median-s.Low) / math.Abs(s.Median); far < 999.5 {
			out.spread = "±" + count(far) + "%"
		} else {
			out.spread = ">999%"
		}
	}
	if c.ratio {
		if x, ok := v.ratio(c.row, c.unit, name, v.baseline); ok {
			out.ratio = times(x)
		}
	}
	return out
}
