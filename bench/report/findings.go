package report

import (
	"cmp"
	"slices"

	"github.com/limitpal/limitpal-go/bench/record"
)

// Finding compares engine-published with another contender under one load, where their quartiles do not overlap.
type Finding struct {
	Row    record.Row // of engine-published
	Unit   record.Unit
	Ours   record.Summary
	Rival  string
	Theirs record.Summary
	// Factor is by how much engine-published is the worse in a loss, and the better in a win; always above 1.
	Factor float64
}

// Losses are the loads under which a rival beats engine-published in a unit for which less, or more, is better: the medians
// say so and the quartiles do not overlap. Rivals are all hand-written designs and libraries that take part and look keys up;
// for memory, only those that keep the state of the whole pipeline. Worst first.
func Losses(r *record.Results) []Finding { return newView(r, Baseline).losses() }

// Wins are the opposite of Losses, greatest first.
func Wins(r *record.Results) []Finding { return newView(r, Baseline).wins() }

func (v *view) compare(losses bool) []Finding {
	var all []Finding
	for _, row := range v.Rows(record.Row{Contender: ours}) {
		for _, u := range v.Units(row) {
			m, ok := measureOf(row.Study, u)
			if !ok || m.order == 0 {
				continue
			}
			for _, c := range contenders() {
				if !rival(c.Name) || row.Study == "Memory" && !complete(c.Name) {
					continue
				}
				if f, ok := v.duel(row, c.Name, m, losses); ok {
					all = append(all, f)
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Factor, a.Factor), compareRows(a.Row, b.Row), cmp.Compare(a.Unit, b.Unit), cmp.Compare(place(a.Rival), place(b.Rival)))
	})
	return all
}

// duel reports whether ours loses to, or wins against, a rival.
func (v *view) duel(row record.Row, name string, m measure, lose bool) (Finding, bool) {
	a, okA := v.Summary(row, m.unit)
	b, okB := v.Summary(row.Of(name), m.unit)
	if !okA || !okB {
		return Finding{}, false
	}
	more, less := a, b // a loss is where ours is more of what should be less
	if lose != (m.order < 0) {
		more, less = b, a
	}
	if more.Median <= less.Median || more.Low <= less.High || less.Median <= 0 {
		return Finding{}, false
	}
	return Finding{Row: row, Unit: m.unit, Ours: a, Rival: name, Theirs: b, Factor: more.Median / less.Median}, true
}

// tally counts in how many loads of a study ours was compared with a rival in a unit, and how often it lost or won.
type tally struct {
	loads, lost, won int
	worst, best      Finding
}

func (v *view) tally(study string, u record.Unit, rival string) tally {
	var t tally
	for _, row := range v.Rows(record.Row{Study: study, Contender: ours}) {
		_, okA := v.Summary(row, u)
		_, okB := v.Summary(row.Of(rival), u)
		if okA && okB {
			t.loads++
		}
	}
	of := func(all []Finding) (n int, first Finding) {
		for _, f := range all {
			if f.Row.Study == study && f.Unit == u && f.Rival == rival {
				if n == 0 {
					first = f
				}
				n++
			}
		}
		return n, first
	}
	t.lost, t.worst = of(v.losses())
	t.won, t.best = of(v.wins())
	return t
}

// tallyTables are one table of how often ours was slower and faster than each rival, over all loads of calls.
func (v *view) tallyTables() []table {
	t := table{
		title: "Calls, rival by rival: " + ours + " against",
		about: "In how many loads of calls both were measured, in how many " + ours + " was slower or faster with quartiles that do not " +
			"overlap, and by how much at the most.",
		heads: []head{{"", []string{"loads", "slower", "by up to", "faster", "by up to"}}},
	}
	for _, c := range contenders() {
		one := v.tally("Calls", record.PerCall, c.Name)
		if !rival(c.Name) || one.loads == 0 {
			continue
		}
		t.lines = append(t.lines, line{name: c.Name, kind: c.Kind, cells: []cell{
			{value: count(float64(one.loads))}, {value: count(float64(one.lost))}, atMost(one.worst), {value: count(float64(one.won))}, atMost(one.best),
		}})
	}
	if len(t.lines) == 0 {
		return nil
	}
	return []table{t}
}

func atMost(f Finding) cell {
	if f.Factor == 0 {
		return cell{value: missing}
	}
	return cell{value: times(f.Factor)}
}

// strongest keeps, of several findings about one load and unit, the one with the largest factor.
func strongest(all []Finding) []Finding {
	type load struct {
		row  record.Row
		unit record.Unit
	}
	seen := map[load]bool{}
	var kept []Finding
	for _, f := range all {
		if l := (load{f.Row, f.Unit}); !seen[l] {
			seen[l] = true
			kept = append(kept, f)
		}
	}
	return kept
}
