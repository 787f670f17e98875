package report

import (
	"slices"
	"strconv"

	"github.com/limitpal/limitpal-go/bench/record"
)

// column is one condition in one measure.
type column struct {
	row record.Row // without a contender
	measure
}

// columns are all conditions of a workload, each in all measures that were taken of it.
func (v *view) columns(study, workload string, measures ...measure) []column {
	var rows []record.Row
	taken := map[sampled]bool{}
	for _, r := range v.Rows(record.Row{Study: study}) {
		if r.Workload != workload {
			continue
		}
		if c := r.Of(""); !slices.Contains(rows, c) {
			rows = append(rows, c)
		}
		for _, u := range v.Units(r) {
			taken[sampled{r.Of(""), u}] = true
		}
	}
	slices.SortFunc(rows, compareRows)
	var all []column
	for _, r := range rows {
		for _, m := range measures {
			if taken[sampled{r, m.unit}] {
				all = append(all, column{r, m})
			}
		}
	}
	return all
}

// chunk groups columns that agree, in the order in which they first come.
func chunk(columns []column, by func(column) int) [][]column {
	var parts [][]column
	at := map[int]int{}
	for _, c := range columns {
		i, ok := at[by(c)]
		if !ok {
			i = len(parts)
			at[by(c)] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], c)
	}
	return parts
}

// dimensions are what columns differ in.
var dimensions = []struct {
	label    string
	of       func(column) string
	constant func(column) string // what the title says if all columns agree; nil if it is always above them
}{
	{"calls", func(c column) string { return c.row.Workload }, nil},
	{"cores", func(c column) string { return strconv.Itoa(c.row.Cores) }, func(c column) string { return plural(c.row.Cores, "core", "cores") }},
	{"goroutines per core", func(c column) string { return strconv.Itoa(c.row.PerCore) }, func(c column) string {
		if c.row.PerCore == 0 {
			return ""
		}
		return plural(c.row.PerCore, "goroutine per core", "goroutines per core")
	}},
	{"keys", func(c column) string { return keysLabel(c.row.Keys) }, func(c column) string {
		switch c.row.Keys {
		case "", "new":
			return ""
		case "1":
			return "1 key"
		}
		return keysLabel(c.row.Keys) + " keys"
	}},
	{"", func(c column) string { return c.head }, nil},
}
