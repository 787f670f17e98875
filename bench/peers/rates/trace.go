package rates

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The settings that all traces share: the defaults of breaker.Policy.
const (
	Slice     = time.Second // a tenth of the window of time
	parts     = 10
	OpenTime  = 5 * time.Second
	ProbeTime = 30 * time.Second
	Grid      = 250 * time.Millisecond // every instant of a trace is a multiple
)

// third is a rate that no number of percents equals.
const third = 1. / 3

// Kind is how a breaker judges.
type Kind uint8

// The kinds.
const (
	OfTime  Kind = iota // by the share of failures in a window of time
	OfCalls             // by the failures among the last calls
	InARow              // by failures in a row
)

// Setting is what differs between the breakers of two traces.
type Setting struct {
	Kind
	Rate     float64 // of time: the share of failures that opens the breaker
	MinCalls int     // of time
	Failures int     // of calls, in a row: the number of failures that opens the breaker
	Of       int     // of calls: the number of calls in the window
}

func (s Setting) String() string {
	switch s.Kind {
	case OfTime:
		rate := fmt.Sprint(s.Rate)
		if s.Rate == third {
			rate = "1/3"
		}
		return fmt.Sprintf("FailureRate %s, MinCalls %d", rate, s.MinCalls)
	case OfCalls:
		return fmt.Sprintf("FailureRate %d/%d, WindowCalls %d, MinCalls %d", s.Failures, s.Of, s.Of, s.Of)
	default:
		return fmt.Sprintf("FailureThreshold %d", s.Failures)
	}
}

// Call is a call that somebody would like to make.
type Call struct {
	At    time.Duration // since an instant at which a slice begins
	Took  time.Duration
	Fails bool
}

// Trace is a setting and calls in the order in which they begin. The breakers of a trace are made
// when the first call begins.
type Trace struct {
	Setting
	Calls []Call
}

// event is the beginning or the end of a call.
type event struct {
	at   time.Duration
	call int
	ends bool
}

// events returns the beginnings and ends in their order. Of one instant, ends of calls from before
// come first, and then the calls that begin, each with its end if it takes no time.
func (t Trace) events() []event {
	var all []event
	for i, c := range t.Calls {
		all = append(all, event{c.At, i, false}, event{c.At + c.Took, i, true})
	}
	begins := func(e event) int {
		if e.ends && t.Calls[e.call].At < e.at {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(all, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), begins(a)-begins(b), a.call-b.call)
	})
	return all
}

// Random returns a trace of a kind, which is a function of seed.
func Random(kind Kind, seed uint64) Trace {
	r := rand.New(rand.NewPCG(seed, uint64(kind)))
	t := Trace{Setting: randomSetting(kind, r)}
	at := Grid * time.Duration(r.IntN(4))
	fails := []float64{0.2, 0.35, 0.5, 0.8}[r.IntN(4)]
	gap := []int{2, 4, 8, 20}[r.IntN(4)]
	long := []float64{0, 0.2, 0.5}[r.IntN(3)]
	for range 2 + r.IntN(40) {
		c := Call{At: at, Fails: r.Float64() < fails}
		if r.Float64() < long {
			c.Took = Grid * time.Duration(r.IntN([]int{4, 4, 20, 60, 200}[r.IntN(5)]))
		}
		t.Calls = append(t.Calls, c)
		at += Grid * time.Duration(r.IntN(gap))
		if r.IntN(16) == 0 {
			at += Slice * time.Duration(r.IntN(13))
		}
	}
	return t
}

func randomSetting(kind Kind, r *rand.Rand) Setting {
	switch kind {
	case OfTime:
		return Setting{Kind: kind, Rate: []float64{0.25, third, 0.5, 0.5, 0.67, 0.8, 1}[r.IntN(7)], MinCalls: 1 + r.IntN(8)}
	case OfCalls:
		of := 1 + r.IntN(10)
		return Setting{Kind: kind, Failures: 1 + r.IntN(of), Of: of}
	default:
		return Setting{Kind: kind, Failures: 1 + r.IntN(4)}
	}
}

// Cells returns the trace up to the first call that ours and theirs decide differently, as cells of
// a Markdown table: the setting, the calls, and both decisions.
func (t Trace) Cells(ours, theirs []bool) []string {
	var calls []string
	for i, c := range t.Calls {
		if ours[i] != theirs[i] {
			calls = append(calls, seconds(c.At))
			return []string{t.Setting.String(), strings.Join(calls, ", "), decision(ours[i]), decision(theirs[i])}
		}
		calls = append(calls, c.end(ours[i]))
	}
	return nil
}

func decision(passes bool) string {
	if passes {
		return "passes"
	}
	return "refused"
}

func (c Call) end(passes bool) string {
	end := "succeeds"
	switch {
	case !passes:
		return seconds(c.At) + " refused"
	case c.Fails:
		end = "fails"
	}
	if c.Took > 0 {
		return seconds(c.At) + "–" + seconds(c.At+c.Took) + " " + end
	}
	return seconds(c.At) + " " + end
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s" }
