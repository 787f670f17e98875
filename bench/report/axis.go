package report

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// logTicks are the ticks of a logarithmic axis: at 1, 2 and 5 times the powers of ten if they are few, else at the powers.
type logTicks struct {
	write func(float64) string
	room  int // how many labels fit
}

// Ticks implements plot.Ticker.
func (t logTicks) Ticks(low, high float64) []plot.Tick {
	for _, steps := range [][]float64{{1, 2, 5}, {1, 3}, {1}} {
		if ticks := t.at(low, high, steps, 1); len(ticks) <= t.room {
			return ticks
		}
	}
	return t.at(low, high, []float64{1}, 2)
}

// at labels the steps of every n-th power of ten.
func (t logTicks) at(low, high float64, steps []float64, n int) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, s := range steps {
			x := s * math.Pow(10, e)
			if x < low*(1-1e-9) || x > high*(1+1e-9) || int(e)%n != 0 {
				continue
			}
			ticks = append(ticks, plot.Tick{Value: x, Label: t.write(x)})
		}
	}
	return ticks
}

// evenTicks are the ticks of a linear axis, at a round distance.
type evenTicks struct {
	write func(float64) string
	room  int
}

// Ticks implements plot.Ticker.
func (t evenTicks) Ticks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(t.room))))
	for _, f := range []float64{1, 2, 5, 10} {
		if (high-low)/(f*step) <= float64(t.room) {
			step *= f
			break
		}
	}
	var ticks []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+1e-9*step; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: t.write(i * step)})
	}
	return ticks
}

// logAxis sets an axis up for values from low to high, with some air.
func logAxis(a *plot.Axis, low, high float64, write func(float64) string, room int) {
	air := math.Pow(high/low, 0.04) * 1.05
	a.Min, a.Max = low/air, high*air
	a.Scale = plot.LogScale{}
	a.Tick.Marker = logTicks{write, room}
}

// rules are lines across the data at the ticks of an axis.
type rules struct{ vertical bool }

// Plot implements plot.Plotter.
func (g rules) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.LineStyle{Color: rule, Width: 0.6}
	if g.vertical {
		for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
			c.StrokeLine2(style, x(t.Value), c.Min.Y, x(t.Value), c.Max.Y)
		}
		return
	}
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		c.StrokeLine2(style, c.Min.X, y(t.Value), c.Max.X, y(t.Value))
	}
}

// spread moves positions apart, so that each is at least apart from the next, and keeps them within low and high as far as
// there is room. They must be sorted.
func spread(at []vg.Length, apart, low, high vg.Length) {
	for i := range at {
		at[i] = max(at[i], low)
		if i > 0 {
			at[i] = max(at[i], at[i-1]+apart)
		}
	}
	for i := len(at) - 1; i >= 0; i-- {
		limit := high - vg.Length(len(at)-1-i)*apart
		if i < len(at)-1 {
			limit = min(high, at[i+1]-apart)
		}
		at[i] = min(at[i], limit)
	}
}
