package report

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
)

// dots is a chart with one row for every contender, in the order given from the top down.
type dots struct {
	axis  string // title of the horizontal axis, with its unit
	ticks func(float64) string
	log   bool
	mark  float64 // draws a line there unless it is 0
	rows  []dotRow
	notes []string // what filled and hollow markers and bands are, if rows have more than one
}

// dotRow is what is shown of one contender.
type dotRow struct {
	name  string
	marks []mark
	band  [2]float64 // a range beside the marks; none if both are 0
	label string     // to the right of all
}

// mark is one value with its quartiles.
type mark struct {
	record.Summary
	hollow bool
}

// chartWidth is the width of every chart in points, rowHeight that of a row of dots.
const (
	chartWidth vg.Length = 420
	rowHeight  vg.Length = 19
)

func (d dots) svg(title string) []byte {
	height := rowHeight*vg.Length(len(d.rows)) + 78
	if len(d.notes) > 0 {
		height += 16
	}
	return render(chartWidth, height, title, d.draw)
}

func (d dots) draw(c draw.Canvas) {
	top := drawKinds(c, d.kinds())
	for i, note := range d.notes {
		x := c.Min.X + 8 + vg.Length(i)*(chartWidth-16)/vg.Length(len(d.notes))
		c.FillText(sans(small, quiet, draw.XLeft, draw.YTop), vg.Point{X: x, Y: c.Max.Y - top}, note)
		if i == len(d.notes)-1 {
			top += 16
		}
	}
	p := newPlot()
	low, high := d.bounds()
	if d.log {
		logAxis(&p.X, low, high, d.ticks, 6)
	} else {
		p.X.Min, p.X.Max = min(0, low), high*1.04
		p.X.Tick.Marker = evenTicks{d.ticks, 5}
	}
	p.X.Label.Text = d.axis
	p.HideY()
	p.Y.Min, p.Y.Max = -float64(len(d.rows))+0.5, 0.5
	p.Add(rules{vertical: true}, d)
	names, labels := vg.Length(0), vg.Length(0)
	for _, r := range d.rows {
		names = max(names, nameStyle(r.name).Width(r.name))
		labels = max(labels, sans(small, ink, 0, 0).Width(r.label))
	}
	p.Draw(draw.Crop(c, names+18, -labels-18, 6, -top-4))
}

func nameStyle(name string) draw.TextStyle {
	s := sans(normal, ink, draw.XRight, draw.YCenter)
	if isOurs(name) {
		s.Color = orange
		return bold(s)
	}
	return s
}

// Plot implements plot.Plotter.
func (d dots) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	if d.mark != 0 {
		c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1.25}, x(d.mark), c.Min.Y, x(d.mark), c.Max.Y)
	}
	for i, r := range d.rows {
		at := y(-float64(i))
		kind := find(r.name).Kind
		c.FillText(nameStyle(r.name), vg.Point{X: c.Min.X - 10, Y: at + 0.5}, r.name)
		rightmost := c.Min.X
		if r.band != [2]float64{} {
			c.StrokeLine2(draw.LineStyle{Color: pale(colour(kind)), Width: 7}, x(r.band[0]), at, x(r.band[1]), at)
			rightmost = x(r.band[1])
		}
		if n := len(r.marks); n > 1 {
			c.StrokeLine2(draw.LineStyle{Color: colour(kind), Width: 0.75}, x(r.marks[0].Median), at, x(r.marks[n-1].Median), at)
		}
		for _, m := range r.marks {
			center := vg.Point{X: x(m.Median), Y: at}
			quartiles(c, colour(kind), center, vg.Point{X: x(m.Low), Y: at}, vg.Point{X: x(m.High), Y: at})
			c.DrawGlyphNoClip(glyph(kind, m.hollow), center)
			rightmost = max(rightmost, x(m.High), x(m.Median)+5)
		}
		c.FillText(sans(small, ink, draw.XLeft, draw.YCenter), vg.Point{X: rightmost + 6, Y: at + 0.5}, r.label)
	}
}

// quartiles draws the spread around a marker: a bar with an end on each side on which it goes further than the marker.
func quartiles(c draw.Canvas, of color.Color, at vg.Point, ends ...vg.Point) {
	const hidden = 6
	s := draw.LineStyle{Color: of, Width: 1.25}
	for _, end := range ends {
		d := end.Sub(at)
		if max(d.X, -d.X) <= hidden && max(d.Y, -d.Y) <= hidden {
			continue
		}
		across := vg.Point{X: 0, Y: 4}
		if d.X == 0 {
			across = vg.Point{X: 4, Y: 0}
		}
		c.StrokeLines(s, []vg.Point{at, end}, []vg.Point{end.Add(across), end.Sub(across)})
	}
}

func (d dots) bounds() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	see := func(v float64) {
		if v > 0 || !d.log {
			low, high = min(low, v), max(high, v)
		}
	}
	for _, r := range d.rows {
		for _, m := range r.marks {
			see(m.Low)
			see(m.High)
			see(m.Median)
		}
		if r.band != [2]float64{} {
			see(r.band[0])
			see(r.band[1])
		}
	}
	if d.mark != 0 {
		see(d.mark)
	}
	if low == high {
		return low / 2, high * 2
	}
	return low, high
}

// kinds are the kinds of contender that the rows have.
func (d dots) kinds() map[contender.Kind]bool {
	set := map[contender.Kind]bool{}
	for _, r := range d.rows {
		set[find(r.name).Kind] = true
	}
	return set
}

// drawKinds explains the markers in a line at the top, and returns its height.
func drawKinds(c draw.Canvas, set map[contender.Kind]bool) vg.Length {
	x := c.Min.X + 14
	style := sans(small, ink, draw.XLeft, draw.YCenter)
	for _, k := range []contender.Kind{contender.Ours, contender.Model, contender.Peer, contender.Baseline} {
		if !set[k] {
			continue
		}
		at := vg.Point{X: x, Y: c.Max.Y - 11}
		c.DrawGlyphNoClip(glyph(k, false), at)
		c.FillText(style, vg.Point{X: x + 9, Y: at.Y + 0.5}, kindName(k))
		x += style.Width(kindName(k)) + 34
	}
	return 24
}
