package peers

import (
	"fmt"
	"strconv"
	"time"
)

// Verdict is what a check came to.
type Verdict uint8

// The verdicts.
const (
	NotApplicable Verdict = iota // the subject has nothing that could have the fault
	Clean
	Faulty
	Hung // the check did not return, or brought its process down
)

// Finding is what one check found about one subject.
type Finding struct {
	Verdict Verdict
	// Text is what a table shows beyond the verdict: what was measured, or why the check does not apply.
	Text string
	// Figure is what was measured, in the unit that Fault.Figure names.
	Figure int64
}

// Bad reports whether the subject has the fault.
func (f Finding) Bad() bool { return f.Verdict == Faulty || f.Verdict == Hung }

func (f Finding) String() string {
	switch {
	case f.Text != "":
		return f.Text
	case f.Verdict == Clean:
		return "clean"
	case f.Verdict == Hung:
		return "hung"
	default:
		return "not applicable"
	}
}

func clean() Finding { return Finding{Verdict: Clean} }

func faulty(figure int64, format string, args ...any) Finding {
	return Finding{Verdict: Faulty, Figure: figure, Text: fmt.Sprintf(format, args...)}
}

// without is the finding about a subject that lacks what the check is about.
func without(what string) Finding { return Finding{Text: "not applicable: " + what} }

// broken is the finding about a subject that could not be made, or did not do what a check needs of it.
func broken(format string, args ...any) Finding {
	return Finding{Verdict: Faulty, Figure: 1, Text: "unfit: " + fmt.Sprintf(format, args...)}
}

// admissions are the instants at which a limiter admitted one call each, in their order.
type admissions []time.Duration

// worst is the window in which most was admitted in proportion to capacity + rate × time, which no window may exceed.
func (a admissions) worst(capacity int, interval time.Duration) (admitted int, bound float64) {
	bound = float64(capacity)
	for i := range a {
		for j := i; j < len(a); j++ {
			allowed := float64(capacity) + float64(a[j]-a[i])/float64(interval)
			if n := j - i + 1; float64(n)*bound > float64(admitted)*allowed {
				admitted, bound = n, allowed
			}
		}
	}
	return admitted, bound
}

// excess is the finding about a limiter that admitted so many where bound were allowed. The figure is thousandths of the bound.
func excess(admitted int, bound float64) Finding {
	factor := float64(admitted) / bound
	f := Finding{Verdict: Clean, Figure: int64(factor * 1000)}
	if factor > 1+1e-6 { // some count in floating point, which may be off by nanoseconds
		f.Verdict = Faulty
		f.Text = strconv.FormatFloat(factor, 'f', precision(factor), 64) + "x"
	}
	return f
}

// precision is the number of decimals for three digits or so, and at least the first that differs from 1.
func precision(factor float64) int {
	switch {
	case factor < 1.001:
		return 6
	case factor < 1.01:
		return 3
	case factor < 10:
		return 2
	case factor < 100:
		return 1
	default:
		return 0
	}
}
