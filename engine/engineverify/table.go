package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// table holds the results of all checks.
type table struct {
	results       []result
	circumstances string
	took          time.Duration
}

// text returns the table for a terminal.
func (t table) text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "check\tresult\ttime\tfigures")
	for _, r := range t.results {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.check, verdict(r), r.took.Round(time.Second), r.summary())
	}
	_ = w.Flush() // a strings.Builder takes everything
	fmt.Fprintf(&b, "\n%s; %s in all\n", t.circumstances, t.took.Round(time.Second))
	return b.String()
}

// markdown returns the table for the documentation.
func (t table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| check | result | time | figures |\n|---|---|---:|---|\n")
	for _, r := range t.results {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.check, verdict(r), r.took.Round(time.Second), r.summary())
	}
	fmt.Fprintf(&b, "\n%s; %s in all.\n", t.circumstances, t.took.Round(time.Second))
	return b.String()
}

func verdict(r result) string {
	if len(r.faults) > 0 {
		return "FAILED"
	}
	return "ok"
}

// failed returns the names of the checks that failed.
func (t table) failed() (names []string) {
	for _, r := range t.results {
		if len(r.faults) > 0 {
			names = append(names, r.check)
		}
	}
	return names
}

// number returns v with commas between thousands, and with two decimals if v is no whole number.
func number(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if v != float64(int64(v)) {
		s = strconv.FormatFloat(v, 'f', 2, 64)
	}
	whole, fraction, _ := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}

// writeSection replaces the section of the document at path between the two marks of that name.
func writeSection(path, name, text string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
	before, rest, ok := strings.Cut(string(doc), begin)
	if !ok {
		return fmt.Errorf("%s has no mark %q", path, strings.TrimSpace(begin))
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return fmt.Errorf("%s has no mark %q", path, end)
	}
	return os.WriteFile(path, []byte(before+begin+text+end+after), 0o644) //nolint:gosec // a document
}
