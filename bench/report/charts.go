package report

import (
	"strconv"

	"gonum.org/v1/plot"

	"github.com/limitpal/limitpal-go/bench/record"
)

// chart is a picture with what it says.
type chart struct {
	name    string // of its file
	title   string // its message, a sentence
	caption string
	svg     []byte
}

// picture is what a chart is drawn from.
type picture interface{ svg(title string) []byte }

// charts are all charts for which the record has rows.
func (v *view) charts() []chart {
	var all []chart
	add := func(name, title, caption string, p picture) {
		if p != nil {
			all = append(all, chart{name, title, caption, p.svg(title)})
		}
	}
	hot := v.call("pipeline", "1")
	add("calls-hot", v.saysHot(), "Admitted by breaker, limiter and retry; time between calls of all goroutines together, median and quartiles, "+
		v.conditions(hot)+". Logarithmic axis.", v.ranking(hot, record.PerCall, "time per call, ns"))
	add("calls-keys", v.saysKeys(), "Admitted pipeline calls of uniformly drawn keys, medians and quartiles, "+v.conditions(v.call("", ""))+
		". Both axes logarithmic.", v.overPopulations())
	add("calls-goroutines", v.saysGoroutines(), "Admitted pipeline calls of one key, medians and quartiles, "+plural(v.cores, "core", "cores")+
		". Both axes logarithmic.", v.overPerCore())
	for _, w := range []string{"refused-empty", "refused-open"} {
		row := v.call(w, "1")
		_, about := workloadText(w)
		add(w, v.saysRefused(w), about+" One key, median and quartiles, "+v.conditions(row)+". Logarithmic axis.",
			v.ranking(row, record.PerCall, "time per call, ns"))
	}
	for _, w := range []string{"steady", "one-slow"} {
		_, about := workloadText(w)
		add("latency-"+w, v.saysLatency(w), about+" Latency from the intended start at a fixed rate, medians and quartiles of the rounds. "+
			"The no-op is the share of machine and harness. Logarithmic axis.", v.percentiles(w))
	}
	for _, c := range memoryCharts {
		add(c.name, v.saysMemory(c.unit), c.caption, v.memory(c.unit))
	}
	add("excess", v.saysExcess(), "Calls admitted as a multiple of capacity + rate × time, under contention; median and quartiles. "+
		"Right of the line at 1 a limiter breaks its own bound. Logarithmic axis.", v.excess())
	add("lateness", v.saysLateness(), "Ten thousand callers queue on one key: how much later than its due instant a grant came. "+
		"Medians of the rounds. Logarithmic axis.", v.lateness())
	add("goodput", v.saysGoodput(), "Callers with deadlines ask for twice the rate: tokens that went to callers still in time, as a part of all that "+
		"the limit has to give. Median and quartiles.", v.goodput())
	add("projection", v.saysProjection(), "Admitted pipeline calls of one key, "+plural(v.many, "goroutine per core", "goroutines per core")+". "+
		v.projectionNote()+" Logarithmic axis.", v.projection())
	return all
}

// conditions says under which a row of Calls was measured.
func (v *view) conditions(row record.Row) string {
	return plural(row.PerCore, "goroutine per core", "goroutines per core") + ", " + plural(row.Cores, "core", "cores")
}

// ranking is one dot for every contender under a load, cheapest first.
func (v *view) ranking(row record.Row, u record.Unit, axis string) picture {
	return v.ranked(row, u, dots{axis: axis, ticks: tick, log: true}, 1, amount)
}

// ranked fills in the rows of d, in units of scale and labelled.
func (v *view) ranked(row record.Row, u record.Unit, d dots, scale float64, label func(float64) string) picture {
	for _, name := range v.named(row, u) {
		s, _ := v.Summary(row.Of(name), u)
		if d.log && s.Median <= 0 {
			continue
		}
		s = scaled(s, scale)
		d.rows = append(d.rows, dotRow{name: name, marks: []mark{{s, false}}, label: label(s.Median)})
	}
	if len(d.rows) == 0 {
		return nil
	}
	return d
}

func scaled(s record.Summary, scale float64) record.Summary {
	s.Median, s.Low, s.High = s.Median/scale, s.Low/scale, s.High/scale
	return s
}

// shown are the contenders that charts of lines show: more could not be told apart.
var shown = []string{ours, handle, mailbox, mutex, "global-mutex", textbook, tower, failsafe, floor}

// overPopulations has the cost of calls over the number of keys.
func (v *view) overPopulations() picture {
	d := curves{xAxis: "number of keys", yAxis: "time per call, ns", logX: true, write: tick}
	like := v.call("pipeline", "")
	var sizes []string
	for _, keys := range v.keysOf(like) {
		if n, ok := population(keys); ok {
			sizes = append(sizes, keys)
			d.ticks = append(d.ticks, plot.Tick{Value: n, Label: keys})
		}
	}
	for _, name := range shown {
		l := curve{name: name}
		for i, keys := range sizes {
			if s, ok := v.Summary(v.call("pipeline", keys).Of(name), record.PerCall); ok && s.Median > 0 {
				l.points = append(l.points, curvePoint{d.ticks[i].Value, s})
			}
		}
		d.all = append(d.all, l)
	}
	return d.orNil()
}

// overPerCore has the cost of calls of one key over the goroutines per core.
func (v *view) overPerCore() picture {
	d := curves{xAxis: "goroutines per core", yAxis: "time per call, ns", logX: true, write: tick}
	row := v.call("pipeline", "1")
	like := row
	like.PerCore = 0
	steps := v.perCoreOf(like)
	for _, n := range steps {
		d.ticks = append(d.ticks, plot.Tick{Value: float64(n), Label: strconv.Itoa(n)})
	}
	for _, name := range shown {
		l := curve{name: name}
		for _, n := range steps {
			row.PerCore = n
			if s, ok := v.Summary(row.Of(name), record.PerCall); ok && s.Median > 0 {
				l.points = append(l.points, curvePoint{float64(n), s})
			}
		}
		d.all = append(d.all, l)
	}
	return d.orNil()
}

// orNil drops lines without points; a chart needs two places on its axis and a line.
func (d curves) orNil() picture {
	var all []curve
	for _, l := range d.all {
		if len(l.points) > 0 {
			all = append(all, l)
		}
	}
	if len(d.ticks) < 2 || len(all) == 0 {
		return nil
	}
	d.all = dashed(all)
	return d
}

// percentile is a place on the axis of latencies.
type percentile struct {
	unit  record.Unit
	label string
}

var percentileAxis = []percentile{
	{record.P50, "50%"}, {record.P90, "90%"}, {record.P99, "99%"}, {record.P999, "99.9%"}, {record.P9999, "99.99%"}, {record.Max, "all"},
}

// percentiles has the latency of calls below which a part of them are.
func (v *view) percentiles(workload string) picture {
	d := curves{xAxis: "part of the calls that are faster", yAxis: "latency", write: tickNanos, left: true}
	row := v.other("Latency", workload, "")
	for i, p := range percentileAxis {
		if len(v.named(row, p.unit)) > 0 {
			d.ticks = append(d.ticks, plot.Tick{Value: float64(i), Label: p.label})
		}
	}
	for _, name := range append([]string{noOp}, shown...) {
		if name == floor || name == "global-mutex" {
			continue
		}
		l := curve{name: name}
		for i, p := range percentileAxis {
			if s, ok := v.Summary(row.Of(name), p.unit); ok && s.Median > 0 {
				l.points = append(l.points, curvePoint{float64(i), s})
			}
		}
		d.all = append(d.all, l)
	}
	return d.orNil()
}
