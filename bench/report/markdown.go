package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
)

// markdown is the table with its title. Our rows are bold.
func (t table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n\n|", t.title)
	var labels []string
	unit := "" // that all columns have in common
	for i, h := range t.heads {
		if h.label != "" {
			labels = append(labels, h.label)
		}
		if len(t.heads) > 1 && i == len(t.heads)-1 && !slices.ContainsFunc(h.cells, func(s string) bool { return s != h.cells[0] }) {
			unit = h.cells[0]
			labels = append(labels, "values in "+unit)
		}
	}
	b.WriteString(" " + strings.Join(labels, "; ") + " |")
	for i := range t.heads[0].cells {
		var parts []string
		for _, h := range t.heads {
			if h.cells[i] != unit {
				parts = append(parts, h.cells[i])
			}
		}
		b.WriteString(" " + strings.Join(parts, ", ") + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(t.heads[0].cells)) + "\n")
	for _, l := range t.lines {
		name := l.name
		if l.kind == contender.Ours {
			name = "**" + name + "**"
		}
		b.WriteString("| " + name + " |")
		for _, c := range l.cells {
			text := strings.TrimSpace(c.value + " " + c.spread)
			if c.ratio != "" {
				text += " (" + c.ratio + ")"
			}
			b.WriteString(" " + text + " |")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// markdowns are several tables, one after the other.
func markdowns(all []table) string {
	var parts []string
	for _, t := range all {
		parts = append(parts, t.markdown())
	}
	return strings.TrimSpace(strings.Join(parts, "\n"))
}

// Calls is the table of a workload with many goroutines on all cores, one column for every population of keys; with perCore
// or cores above 0 that many instead.
func (w words) Calls(workload string, perCore, cores int) string {
	like := w.call(workload, "")
	if perCore > 0 {
		like.PerCore = perCore
	}
	if cores > 0 {
		like.Cores = cores
	}
	var columns []column
	for _, c := range w.columns("Calls", workload, studies[0].measures...) {
		if c.row.PerCore == like.PerCore && c.row.Cores == like.Cores {
			columns = append(columns, c)
		}
	}
	if len(columns) == 0 {
		return ""
	}
	title, _ := workloadText(workload)
	return w.table("Time per call, "+title, "", columns).markdown()
}

// Tables are all tables of a group as they are in the page.
func (w words) Tables(group string) string {
	var all []table
	for _, t := range w.tables() {
		if t.group == group {
			all = append(all, t)
		}
	}
	return markdowns(all)
}

// Beside is a table of the ratios of ours to a rival in every load of a workload. Where ours is slower, and the quartiles do
// not overlap, the ratio is bold.
func (w words) Beside(workload, name string) string {
	like := record.Row{Study: "Calls", Workload: workload, Contender: ours}
	slower := map[record.Row]bool{}
	for _, f := range w.losses() {
		if f.Rival == name && f.Unit == record.PerCall {
			slower[f.Row] = true
		}
	}
	var b strings.Builder
	b.WriteString("| keys |")
	rule, found := "|---|", false
	for _, cores := range w.coresOf(like) {
		for _, perCore := range w.perCoreOf(like) {
			fmt.Fprintf(&b, " %s, %d per core |", plural(cores, "core", "cores"), perCore)
			rule += "---:|"
		}
	}
	b.WriteString("\n" + rule + "\n")
	for _, keys := range w.keysOf(like) {
		b.WriteString("| " + keysLabel(keys) + " |")
		for _, cores := range w.coresOf(like) {
			for _, perCore := range w.perCoreOf(like) {
				row := like
				row.Keys, row.Cores, row.PerCore = keys, cores, perCore
				text := missing
				if x, ok := w.ratio(row, record.PerCall, ours, name); ok {
					text, found = times(x), true
				}
				if slower[row] {
					text = "**" + text + "**"
				}
				b.WriteString(" " + text + " |")
			}
		}
		b.WriteByte('\n')
	}
	if !found {
		return ""
	}
	return strings.TrimSpace(b.String())
}

// Cost is README's table: an admitted pipeline call for each number of keys and of goroutines per core up to many.
func (w words) Cost() string {
	names := []string{ours, mutex, textbook, tower, failsafe}
	var b strings.Builder
	b.WriteString("| keys | goroutines per core |")
	for _, name := range names {
		b.WriteString(" " + name + " |")
	}
	b.WriteString("\n|---:|---:|" + strings.Repeat("---:|", len(names)) + "\n")
	like := record.Row{Study: "Calls", Workload: "pipeline", Cores: w.cores}
	for _, keys := range w.keysOf(like) {
		if _, uniform := population(keys); !uniform {
			continue
		}
		for _, perCore := range w.perCoreOf(like) {
			if perCore > w.many {
				continue
			}
			row := like
			row.Keys, row.PerCore = keys, perCore
			if _, ok := w.median(row.Of(ours), record.PerCall); !ok {
				continue
			}
			fmt.Fprintf(&b, "| %s | %d |", keysLabel(keys), perCore)
			for _, name := range names {
				text := missing
				if ns, ok := w.median(row.Of(name), record.PerCall); ok {
					text = nanos(ns)
				}
				if x, ok := w.ratio(row, record.PerCall, name, mutex); ok && name != mutex {
					text += " (" + times(x) + ")"
				}
				b.WriteString(" " + text + " |")
			}
			b.WriteByte('\n')
		}
	}
	return strings.TrimSpace(b.String())
}
