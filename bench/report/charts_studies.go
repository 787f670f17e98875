package report

import (
	"slices"
	"strconv"

	"github.com/limitpal/limitpal-go/bench/record"
)

// most is the largest population of keys for which a study has rows.
func (v *view) most(study string) string {
	keys := v.keysOf(record.Row{Study: study})
	if len(keys) == 0 {
		return ""
	}
	return keys[len(keys)-1]
}

// memory ranks contenders by what the most keys cost.
func (v *view) memory(u record.Unit) picture {
	m, _ := measureOf("Memory", u)
	keys := v.most("Memory")
	axis := map[record.Unit]string{
		record.BytesPerKey: "bytes per key",
		record.Collection:  "forced collection, ms",
	}[u]
	return v.ranked(v.other("Memory", "", keys), u, dots{axis: axis + ", " + keysLabel(keys) + " keys", ticks: tick, log: true}, m.scale, m.write)
}

// excess ranks limiters by how far they overshoot, the worst first.
func (v *view) excess() picture {
	return reversed(v.ranked(v.other("Excess", "", ""), record.OfBound, dots{
		axis: "admitted, as a multiple of the bound", ticks: tick, log: true, mark: 1,
	}, 1, factor))
}

// lateness shows the median and the 99th percentile of every contender that waits.
func (v *view) lateness() picture {
	d := dots{axis: "later than its due instant, ms", ticks: tick, log: true, notes: []string{"hollow: median of the callers; filled: 99 of 100 callers were less late"}}
	row := v.other("Waiting", "10k-callers", "")
	for _, name := range v.named(row, record.LateP99) {
		var r dotRow
		r.name = name
		p50, ok := v.Summary(row.Of(name), record.LateP50)
		if ok && p50.Median > 0 {
			r.marks = append(r.marks, mark{scaled(p50, milli), true})
		}
		p99, _ := v.Summary(row.Of(name), record.LateP99)
		if p99.Median <= 0 {
			continue
		}
		r.marks = append(r.marks, mark{scaled(p99, milli), false})
		r.label = nanos(p99.Median)
		if ok {
			r.label = nanos(p50.Median) + ", " + r.label
		}
		d.rows = append(d.rows, r)
	}
	if len(d.rows) == 0 {
		return nil
	}
	return d
}

// goodput ranks contenders by what part of the tokens was of use, the best first.
func (v *view) goodput() picture {
	return reversed(v.ranked(v.other("Overload", "", ""), record.Goodput, dots{axis: "goodput, as a part of the limit", ticks: percent}, 1, percent))
}

// reversed puts the most on top.
func reversed(p picture) picture {
	if d, ok := p.(dots); ok {
		slices.Reverse(d.rows)
	}
	return p
}

// projection shows throughput on one core and on all, and the range on many more.
func (v *view) projection() picture {
	d := dots{
		axis: "millions of calls a second, one key", ticks: tick, log: true,
		notes: []string{"hollow: 1 core; filled: " + strconv.Itoa(v.cores) + " cores; bar: projected, " + strconv.Itoa(projected) + " cores"},
	}
	row := v.call("pipeline", "1")
	for _, name := range v.named(row, record.PerCall) {
		p, err := v.overCores("1", name)
		if err != nil || name == noOp {
			continue
		}
		one := row.Of(name)
		one.Cores = 1
		before, _ := v.Summary(one, record.PerCall)
		now, _ := v.Summary(row.Of(name), record.PerCall)
		d.rows = append(d.rows, dotRow{
			name:  name,
			marks: []mark{{throughput(before), true}, {throughput(now), false}},
			band:  [2]float64{p.Low.At(projected) / 1e6, p.High.At(projected) / 1e6},
			label: p.at(projected),
		})
	}
	if len(d.rows) == 0 {
		return nil
	}
	return d
}

// throughput turns nanoseconds per call into millions of calls a second.
func throughput(s record.Summary) record.Summary {
	s.Median, s.Low, s.High = 1e3/s.Median, 1e3/s.High, 1e3/s.Low
	return s
}
