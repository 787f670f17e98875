package report

import (
	"math"
	"strconv"
	"strings"
)

// missing stands where nothing was measured.
const missing = "–"

// amount writes a number with the digits that can mean something: two decimals below 1, one below 10, none above, and a
// comma between thousands.
func amount(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return missing
	case math.IsInf(v, 0):
		return "∞"
	case v == 0:
		return "0"
	case a < 0.00995:
		return strconv.FormatFloat(v, 'g', 2, 64)
	case a < 0.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a < 9.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return count(v)
}

// count writes a whole number with a comma between thousands.
func count(v float64) string {
	s := strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	digits, sign := strings.TrimPrefix(s, "-"), ""
	if len(digits) < len(s) {
		sign = "-"
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// factor writes a ratio with two decimals, one from 10 on and none from 100 on, without the sign of multiplication.
func factor(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return missing
	case v != 0 && v < 0.00995:
		return strconv.FormatFloat(v, 'g', 1, 64)
	case v < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return count(v)
}

// times is a factor with the sign of multiplication.
func times(v float64) string { return suffix(factor(v), "×") }

// fraction writes a fraction of 1 with three decimals.
func fraction(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }

// percent writes a fraction of 1 in per cent.
func percent(v float64) string {
	switch p := 100 * v; {
	case math.IsNaN(p) || math.IsInf(p, 0):
		return missing
	case math.Abs(p) < 0.05:
		return "0%"
	case math.Abs(p) < 9.95:
		return strconv.FormatFloat(p, 'f', 1, 64) + "%"
	default:
		return count(p) + "%"
	}
}

// digits writes a number with three digits that count, and a comma between thousands.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0) || a < 0.00995 || a >= 99.95:
		return amount(v)
	case a < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// nanos writes a duration in nanoseconds in the unit that suits it: nanoseconds up to 10 µs, because that is how the costs
// of calls are compared.
func nanos(ns float64) string {
	switch a := math.Abs(ns); {
	case a < 1e4:
		return amount(ns) + " ns"
	case a < 999.5e3:
		return digits(ns/1e3) + " µs"
	case a < 999.5e6:
		return digits(ns/1e6) + " ms"
	}
	return digits(ns/1e9) + " s"
}

// tick writes a round number.
func tick(v float64) string {
	s := amount(v)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// tickNanos writes a round duration.
func tickNanos(ns float64) string {
	switch {
	case ns < 0.999e3:
		return tick(ns) + " ns"
	case ns < 0.999e6:
		return tick(ns/1e3) + " µs"
	case ns < 0.999e9:
		return tick(ns/1e6) + " ms"
	}
	return tick(ns/1e9) + " s"
}

// inBytes writes an amount of memory.
func inBytes(v float64) string { return amount(v) + " B" }

// suffix appends to what is not missing.
func suffix(s, end string) string {
	if s == missing {
		return s
	}
	return s + end
}

// plural is n with a noun in the right number.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(float64(n)) + " " + many
}

// listed joins words as in a sentence.
func listed(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
