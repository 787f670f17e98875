package report

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// The colours are those of Okabe and Ito, which colour-blind readers can tell apart, and greys. The page gives each a
// counterpart for dark screens (see page.html.tmpl).
var (
	ink    = rgb(0x22, 0x22, 0x22)
	quiet  = rgb(0x59, 0x59, 0x59)
	rule   = rgb(0xDD, 0xDD, 0xDD)
	paper  = rgb(0xFF, 0xFF, 0xFF)
	orange = rgb(0xD5, 0x5E, 0x00)
	green  = rgb(0x00, 0x9E, 0x73)
	blue   = rgb(0x00, 0x72, 0xB2)
	grey   = rgb(0x77, 0x77, 0x77)
)

func rgb(r, g, b uint8) color.Color { return color.RGBA{R: r, G: g, B: b, A: 0xFF} }

// colour of a kind of contender.
func colour(k contender.Kind) color.Color {
	switch k {
	case contender.Ours:
		return orange
	case contender.Peer:
		return blue
	case contender.Baseline:
		return grey
	default:
		return green
	}
}

// pale lets what is behind a colour through.
func pale(c color.Color) color.Color {
	full := color.NRGBAModel.Convert(c).(color.NRGBA)
	full.A = 0x66
	return full
}

// glyph marks a kind of contender where colours cannot be seen. A hollow one marks the lesser of two values.
func glyph(k contender.Kind, hollow bool) draw.GlyphStyle {
	s := draw.GlyphStyle{Color: colour(k), Radius: 4}
	switch k {
	case contender.Ours:
		s.Radius = 5.5
		s.Shape = polygon{sides: diamond, hollow: hollow}
	case contender.Peer:
		s.Shape = polygon{sides: square, hollow: hollow}
	case contender.Baseline:
		s.Shape = polygon{sides: triangle, hollow: hollow}
	default:
		s.Shape = polygon{sides: circle, hollow: hollow}
	}
	return s
}

// The outlines of markers, on the unit circle.
var (
	diamond  = corners(4, 0)
	square   = corners(4, math.Pi/4)
	triangle = corners(3, math.Pi/2)
	circle   = corners(24, 0)
)

func corners(n int, turn float64) []vg.Point {
	points := make([]vg.Point, n)
	for i := range points {
		sin, cos := math.Sincos(turn + 2*math.Pi*float64(i)/float64(n))
		points[i] = vg.Point{X: vg.Length(cos), Y: vg.Length(sin)}
	}
	return points
}

// polygon is a marker with an outline, filled with its colour or with paper.
type polygon struct {
	sides  []vg.Point
	hollow bool
}

// DrawGlyph implements draw.GlyphDrawer.
func (g polygon) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	var p vg.Path
	for i, corner := range g.sides {
		to := at.Add(corner.Scale(s.Radius))
		if i == 0 {
			p.Move(to)
		} else {
			p.Line(to)
		}
	}
	p.Close()
	if g.hollow {
		c.SetColor(paper)
		c.Fill(p)
	}
	c.SetLineStyle(draw.LineStyle{Color: s.Color, Width: 1.5})
	c.Stroke(p)
	if !g.hollow {
		c.SetColor(s.Color)
		c.Fill(p)
	}
}

// Sizes of text, in points.
const (
	small  = 10
	normal = 11
)

// sans is the style of text in charts. The fonts that it is measured with have the metrics of Arial.
func sans(size float64, c color.Color, x text.XAlignment, y text.YAlignment) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(size)}
	return text.Style{Color: c, Font: f, XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
}

// bold makes text heavier.
func bold(s text.Style) text.Style {
	s.Font.Weight = xfont.WeightBold
	return s
}

// render draws a picture of a size in points and returns it as SVG, on paper, with a title for those who cannot see it.
func render(w, h vg.Length, title string, picture func(draw.Canvas)) []byte {
	svg := vgsvg.New(w, h)
	c := draw.New(svg)
	c.SetColor(paper)
	c.Fill(c.Rectangle.Path())
	picture(c)
	var b bytes.Buffer
	if _, err := svg.WriteTo(&b); err != nil {
		panic("report: writing to memory failed: " + err.Error())
	}
	s := b.String()
	s = s[strings.Index(s, "<svg"):]
	begin := strings.IndexByte(s, '>') + 1
	s = fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%.5gpt\" height=\"%.5gpt\" viewBox=\"0 0 %.5g %.5g\">\n<title>%s</title>",
		w.Points(), h.Points(), w.Points(), h.Points(), html.EscapeString(title)) + s[begin:]
	s = strings.ReplaceAll(s, "font-family:Liberation Sans;font-variant:normal;",
		"font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")
	return []byte(s)
}

// newPlot is a plot in our style, without data.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = sans(normal, ink, 0, 0).Font
		a.Label.TextStyle.Color = ink
		a.Label.Padding = 4
		a.Tick.Label.Font = sans(small, quiet, 0, 0).Font
		a.Tick.Label.Color = quiet
		a.Color, a.Width = quiet, 0.75
		a.Tick.Color, a.Tick.Width, a.Tick.Length = quiet, 0.75, 4
		a.Padding = 0
	}
	return p
}
