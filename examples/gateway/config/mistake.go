package config

import (
	"cmp"
	"fmt"
	"strings"
)

// Mistake is one mistake in a file, with its place.
type Mistake struct {
	Line, Column int    // of the value, or of the object from which the value is missing; from 1, columns in characters
	Path         string // of the value, such as "routes[1].limiter.rate"; empty for the whole file, and for text that is not JSON
	Value        string // as JSON, shortened; empty if the value is missing
	Reason       string
}

// Error returns text such as `12:13: routes[1].limiter.rate = "100/x": the unit must be s, m, h or
// ms, such as "100/m"`.
func (m Mistake) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d:%d: %s", m.Line, m.Column, m.Path)
	if m.Path != "" && m.Value != "" {
		s.WriteString(" = " + m.Value)
	}
	if m.Path != "" {
		s.WriteString(": ")
	}
	return s.String() + m.Reason
}

func (m Mistake) compare(other Mistake) int {
	return cmp.Or(cmp.Compare(m.Line, other.Line), cmp.Compare(m.Column, other.Column))
}

// Mistakes is the error of [Load]: at least one, in the order of the file.
type Mistakes []Mistake

// Error returns one line for each mistake.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i := range m {
		lines[i] = m[i].Error()
	}
	return strings.Join(lines, "\n")
}

// nearest returns the name among known that is likely meant by name, or "".
func nearest(name string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(strings.ToLower(name), k); d < least && d <= max(1, len(k)/3) { // otherwise name is another word
			best, least = k, d
		}
	}
	return best
}

// distance returns the least number of bytes to insert, drop, replace or swap with a neighbour that
// make a into b (optimal string alignment), or more than 2 if the lengths alone say so.
func distance(a, b string) int {
	if len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 3
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
