package report

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
)

// curves is a chart with a line for every contender, named at its end.
type curves struct {
	xAxis, yAxis string
	ticks        []plot.Tick // of the horizontal axis
	logX         bool
	write        func(float64) string // labels of the vertical axis
	left         bool                 // names stand at the left ends
	all          []curve
}

// curve is a contender's line from left to right.
type curve struct {
	name   string
	points []curvePoint
	dashes []vg.Length
}

type curvePoint struct {
	x float64
	record.Summary
}

// dashes tell lines of the same kind apart.
var dashes = [][]vg.Length{nil, {6, 3}, {2, 2.5}, {9, 3, 2, 3}}

// dashed gives every curve a pattern that no other of its kind has, as far as there are enough.
func dashed(all []curve) []curve {
	used := map[contender.Kind]int{}
	for i := range all {
		k := find(all[i].name).Kind
		all[i].dashes = dashes[used[k]%len(dashes)]
		used[k]++
	}
	return all
}

func (d curves) svg(title string) []byte { return render(chartWidth, 340, title, d.draw) }

func (d curves) draw(c draw.Canvas) {
	set := map[contender.Kind]bool{}
	names := vg.Length(0)
	low, high := math.Inf(1), math.Inf(-1)
	for _, l := range d.all {
		set[find(l.name).Kind] = true
		names = max(names, endStyle(l.name).Width(l.name))
		for _, p := range l.points {
			high = max(high, p.High)
			if p.Low > 0 {
				low = min(low, p.Low)
			}
		}
	}
	top := drawKinds(c, set)
	p := newPlot()
	logAxis(&p.Y, low, high, d.write, 8)
	p.X.Min, p.X.Max = d.ticks[0].Value, d.ticks[len(d.ticks)-1].Value
	if d.logX {
		p.X.Scale = plot.LogScale{}
	}
	p.X.Tick.Marker = plot.ConstantTicks(d.ticks)
	p.X.Label.Text, p.Y.Label.Text = d.xAxis, d.yAxis
	p.Y.Padding = 8
	edge := names + 34
	if d.left {
		p.Y.Padding, edge = names+30, 24
	}
	p.Add(rules{}, d)
	p.Draw(draw.Crop(c, 6, -edge, 6, -top-6))
}

func endStyle(name string) draw.TextStyle {
	s := sans(small, colour(find(name).Kind), draw.XLeft, draw.YCenter)
	if isOurs(name) {
		return bold(s)
	}
	return s
}

// Plot implements plot.Plotter.
func (d curves) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, l := range slices.Backward(d.all) { // the first on top
		kind := find(l.name).Kind
		style := draw.LineStyle{Color: colour(kind), Width: 1.4, Dashes: l.dashes}
		if kind == contender.Ours {
			style.Width = 2.2
		}
		var points []vg.Point
		for _, q := range l.points {
			points = append(points, vg.Point{X: x(q.x), Y: y(q.Median)})
		}
		c.StrokeLines(style, points)
		for i, q := range l.points {
			quartiles(c, pale(colour(kind)), points[i], vg.Point{X: points[i].X, Y: y(max(q.Low, p.Y.Min))}, vg.Point{X: points[i].X, Y: y(q.High)})
			c.DrawGlyphNoClip(glyph(kind, false), points[i])
		}
	}
	d.nameEnds(c, y)
}

// nameEnds writes the names beside one end of the lines, moved apart where they would overlap.
func (d curves) nameEnds(c draw.Canvas, y func(float64) vg.Length) {
	all := slices.Clone(d.all)
	end := func(l curve) float64 {
		if d.left {
			return l.points[0].Median
		}
		return l.points[len(l.points)-1].Median
	}
	slices.SortStableFunc(all, func(a, b curve) int { return cmp.Compare(end(a), end(b)) })
	at := make([]vg.Length, len(all))
	for i, l := range all {
		at[i] = y(end(l))
	}
	spread(at, small*1.3, c.Min.Y, c.Max.Y)
	tip, gap := c.Max.X+7, vg.Length(14)
	if d.left {
		tip, gap = c.Min.X-7, -14
	}
	for i, l := range all {
		style := endStyle(l.name)
		if d.left {
			style.XAlign = draw.XRight
		}
		c.StrokeLine2(draw.LineStyle{Color: style.Color, Width: 0.6}, tip, y(end(l)), tip+gap, at[i])
		c.FillText(style, vg.Point{X: tip + gap*1.2, Y: at[i] + 0.5}, l.name)
	}
}
