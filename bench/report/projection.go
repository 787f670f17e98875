package report

import (
	"fmt"
	"math"
	"strconv"

	"github.com/limitpal/limitpal-go/bench/record"
)

// projected is the number of cores to which throughput is projected.
const projected = 64

// overKeys fits the cost of an admitted pipeline call against the logarithm of the number of keys.
func (v *view) overKeys(name string) (Line, bool) {
	var x, y []float64
	for _, keys := range v.keysOf(v.call("pipeline", "")) {
		n, uniform := population(keys)
		if ns, ok := v.median(v.call("pipeline", keys).Of(name), record.PerCall); ok && uniform {
			x, y = append(x, math.Log10(n)), append(y, ns)
		}
	}
	return FitLine(x, y)
}

// overGoroutines fits the cost of an admitted pipeline call on one key against the logarithm of the number of goroutines.
func (v *view) overGoroutines(name string) (Line, bool) {
	row := v.call("pipeline", "1").Of(name)
	like := row
	like.PerCore = 0
	var x, y []float64
	for _, n := range v.perCoreOf(like) {
		row.PerCore = n
		if ns, ok := v.median(row, record.PerCall); ok && n > 0 {
			x, y = append(x, math.Log10(float64(n*row.Cores))), append(y, ns)
		}
	}
	return FitLine(x, y)
}

// overCores is the projection of admitted pipeline calls, in calls per second.
func (v *view) overCores(keys, name string) (Projection, error) {
	row := v.call("pipeline", keys).Of(name)
	like := row
	like.Cores = 0
	var points []Point
	for _, n := range v.coresOf(like) {
		row.Cores = n
		if ns, ok := v.median(row, record.PerCall); ok && ns > 0 {
			points = append(points, Point{float64(n), 1e9 / ns})
		}
	}
	return FitUSL(points)
}

// growthTables are the fits, one line for every contender. The first column decides the order.
func (v *view) growthTables() []table {
	fits := table{
		group: "Growth",
		title: fmt.Sprintf("Growth: admitted by the pipeline (%s, %s)", plural(v.cores, "core", "cores"),
			plural(v.many, "goroutine per core", "goroutines per core")),
		about: "Least squares. Left: cost of a call with one key, and the cost that ten times as many keys add. Right: on one key, the cost that ten times as many goroutines add, from one per core on.",
		heads: []head{{"", []string{"line at 1 key, ns", "ns per 10× keys", "R²", "ns per 10× goroutines", "R²"}}},
	}
	usl := table{
		group: "Projection",
		title: fmt.Sprintf("Projection: millions of calls a second on %d cores (%s)", projected, plural(v.many, "goroutine per core", "goroutines per core")),
		about: v.projectionNote(),
		heads: []head{{"keys", nil}, {"", nil}},
	}
	var keys []string
	for _, k := range v.keysOf(record.Row{Study: "Calls", Workload: "pipeline", PerCore: v.many}) {
		if k == "1" || k == "1k" || k == "100k" {
			keys = append(keys, k)
			usl.heads[0].cells = append(usl.heads[0].cells, keysLabel(k), keysLabel(k), keysLabel(k))
			usl.heads[1].cells = append(usl.heads[1].cells, "1 core", plural(v.cores, "core", "cores"), strconv.Itoa(projected)+" cores")
		}
	}
	for _, name := range v.order(v.columns("Calls", "pipeline", studies[0].measures...)) {
		l := line{name: name, kind: find(name).Kind}
		if cells, ok := v.fitCells(name); ok {
			l.cells = cells
			fits.lines = append(fits.lines, l)
		}
		if cells, ok := v.projectionCells(keys, name); ok {
			l.cells = cells
			usl.lines = append(usl.lines, l)
		}
	}
	var all []table
	for _, t := range []table{fits, usl} {
		if len(t.lines) > 0 {
			all = append(all, t)
		}
	}
	return all
}

func (v *view) fitCells(name string) ([]cell, bool) {
	keys, okKeys := v.overKeys(name)
	routines, okRoutines := v.overGoroutines(name)
	cells := []cell{{value: missing}, {value: missing}, {value: missing}, {value: missing}, {value: missing}}
	if okKeys {
		cells[0].value, cells[1].value, cells[2].value = amount(keys.Intercept), amount(keys.Slope), fmt.Sprintf("%.2f", keys.R2)
	}
	if okRoutines {
		cells[3].value, cells[4].value = amount(routines.Slope), fmt.Sprintf("%.2f", routines.R2)
	}
	return cells, okKeys || okRoutines
}

func (v *view) projectionCells(keys []string, name string) ([]cell, bool) {
	var cells []cell
	measured := false
	for _, k := range keys {
		p, err := v.overCores(k, name)
		if err != nil {
			cells = append(cells, cell{value: missing}, cell{value: missing}, cell{value: missing})
			continue
		}
		measured = true
		now, _ := v.median(v.call("pipeline", k).Of(name), record.PerCall)
		cells = append(cells, cell{value: amount(p.Low.Lambda / 1e6)}, cell{value: amount(1e3 / now)}, cell{value: p.at(projected)})
	}
	return cells, measured
}

// at writes the range of throughputs on n cores in millions a second.
func (p Projection) at(n float64) string {
	low, high := amount(p.Low.At(n)/1e6), amount(p.High.At(n)/1e6)
	if low == high {
		return low
	}
	return low + "–" + high
}

// projectionNote says what kind of statement a projection is.
func (v *view) projectionNote() string {
	const law = "A projection, not a measurement, by the universal scalability law (N. J. Gunther, Guerrilla Capacity Planning, 2007). "
	if len(v.coresOf(record.Row{Study: "Calls"})) > 2 {
		return law + "Contention and coherency are fitted to all numbers of cores that were measured."
	}
	return law + "Two numbers of cores give one equation for two unknowns, so it is a range: from all that is lost being " +
		"coherency (each pair of cores has to agree) to as much of it as possible being contention (one core at a time)."
}
