package report

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// Line is a straight line, y = Intercept + Slope × x.
type Line struct {
	Intercept, Slope float64
	R2               float64 // the part of y's variance that the line explains, from 0 to 1
	Points           int
}

// FitLine fits a line by least squares. It reports false if there are fewer than three points, which a line could only miss
// by chance, or if all have the same x.
func FitLine(x, y []float64) (Line, bool) {
	if len(x) < 3 || len(x) != len(y) {
		return Line{}, false
	}
	mx, my := mean(x), mean(y)
	var xx, xy, yy float64
	for i := range x {
		xx += (x[i] - mx) * (x[i] - mx)
		xy += (x[i] - mx) * (y[i] - my)
		yy += (y[i] - my) * (y[i] - my)
	}
	if xx == 0 {
		return Line{}, false
	}
	l := Line{Slope: xy / xx, R2: 1, Points: len(x)}
	l.Intercept = my - l.Slope*mx
	if yy > 0 {
		l.R2 = xy * xy / (xx * yy)
	}
	return l, true
}

func mean(all []float64) float64 {
	var sum float64
	for _, v := range all {
		sum += v
	}
	return sum / float64(len(all))
}

// USL is the universal scalability law: X(N) = λN / (1 + σ(N−1) + κN(N−1)), the throughput of N cores. N. J. Gunther,
// "Guerrilla Capacity Planning", Springer 2007.
type USL struct {
	Lambda float64 // λ: throughput of one core
	Sigma  float64 // σ: contention, the part that only one core can do at a time
	Kappa  float64 // κ: coherency, the cost of every pair of cores agreeing
}

// At is the throughput of n cores.
func (u USL) At(n float64) float64 {
	return u.Lambda * n / (1 + u.Sigma*(n-1) + u.Kappa*n*(n-1))
}

// Peak is the number of cores with the highest throughput; more make it fall. It is infinite if κ is 0.
func (u USL) Peak() float64 {
	if u.Kappa == 0 {
		return math.Inf(1)
	}
	return math.Sqrt(max(0, 1-u.Sigma) / u.Kappa)
}

// Projection is what measured throughputs say under the universal scalability law: two laws between which the truth lies if
// the law holds. They are the same if there were enough points to tell contention from coherency.
type Projection struct {
	Low, High USL
	Points    int
}

// Fitted reports whether contention and coherency could be told apart.
func (p Projection) Fitted() bool { return p.Points > 2 }

// Point is the throughput of a number of cores.
type Point struct{ Cores, Throughput float64 }

// errPoints is returned by FitUSL.
var errPoints = errors.New("report: the scalability law needs the throughput of one core and of at least one other number of cores")

// FitUSL fits the universal scalability law to points, one of which must be of one core. With C(N) = X(N)/X(1) the law reads
// N/C(N) − 1 = σ(N−1) + κN(N−1), which is solved by least squares with σ and κ not below 0.
//
// Two points are one equation for two unknowns. Then Low explains everything by coherency (σ = 0) and High as much as possible
// by contention: κ is 0 unless σ would have to exceed 1, above which serial work alone cannot slow things down.
func FitUSL(points []Point) (Projection, error) {
	points = slices.SortedFunc(slices.Values(points), func(a, b Point) int { return cmp.Compare(a.Cores, b.Cores) })
	points = slices.CompactFunc(points, func(a, b Point) bool { return a.Cores == b.Cores })
	if len(points) < 2 || points[0].Cores != 1 {
		return Projection{}, errPoints
	}
	for _, p := range points {
		if !(p.Throughput > 0) || math.IsInf(p.Throughput, 0) {
			return Projection{}, errPoints
		}
	}
	lambda := points[0].Throughput
	n := points[1].Cores
	excess := max(0, n*lambda/points[1].Throughput-1)
	if len(points) == 2 {
		sigma := min(1, excess/(n-1))
		return Projection{
			Low:    USL{lambda, 0, excess / (n * (n - 1))},
			High:   USL{lambda, sigma, (excess - sigma*(n-1)) / (n * (n - 1))},
			Points: 2,
		}, nil
	}
	var a, b, y []float64
	for _, p := range points[1:] {
		a = append(a, p.Cores-1)
		b = append(b, p.Cores*(p.Cores-1))
		y = append(y, p.Cores*lambda/p.Throughput-1)
	}
	sigma, kappa := nonNegative(a, b, y)
	u := USL{lambda, sigma, kappa}
	return Projection{Low: u, High: u, Points: len(points)}, nil
}

// nonNegative finds s, k ≥ 0 with the least squares of y − s·a − k·b. If the minimum of the plane lies outside, the best
// point is on one of its edges.
func nonNegative(a, b, y []float64) (s, k float64) {
	aa, ab, bb, ay, by := dot(a, a), dot(a, b), dot(b, b), dot(a, y), dot(b, y)
	if det := aa*bb - ab*ab; det > 1e-12*aa*bb {
		s, k = (ay*bb-by*ab)/det, (by*aa-ay*ab)/det
		if s >= 0 && k >= 0 {
			return s, k
		}
	}
	onlyS, onlyK := max(0, ay/aa), max(0, by/bb)
	rest := func(s, k float64) float64 {
		var sum float64
		for i := range y {
			d := y[i] - s*a[i] - k*b[i]
			sum += d * d
		}
		return sum
	}
	if rest(onlyS, 0) <= rest(0, onlyK) {
		return onlyS, 0
	}
	return 0, onlyK
}

func dot(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
