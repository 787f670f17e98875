package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
)

// Text writes a record as aligned tables of at most 120 columns, one for every study and workload, or several where one
// would be wider. Contenders are rows, sorted by the median of the first column. Ratios are to the contender baseline; if
// the record does not have it, they are left out.
func Text(w io.Writer, r *record.Results, baseline string) error {
	return newView(r, baseline).writeText(w)
}

func (v *view) writeText(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, l := range v.preamble() {
		fmt.Fprintln(out, l)
	}
	for _, t := range v.tables() {
		fmt.Fprintf(out, "\n%s\n", wrap(t.title))
		if t.about != "" {
			fmt.Fprintln(out, wrap(t.about))
		}
		fmt.Fprintln(out)
		for _, l := range t.text() {
			fmt.Fprintln(out, l)
		}
	}
	return out.Flush()
}

// preamble says what was measured on what, and how to read the tables.
func (v *view) preamble() []string {
	var where []string
	for _, key := range []string{"cpu", "machine-cores", "goos", "goarch", "go", "commit"} {
		value := v.Setting(key)
		switch {
		case value == "":
		case key == "machine-cores":
			where = append(where, value+" cores")
		case key == "commit":
			where = append(where, "commit "+value)
		default:
			where = append(where, value)
		}
	}
	lines := []string{strings.TrimSpace("Contention study " + v.Setting("date"))}
	if len(where) > 0 {
		lines = append(lines, wrap(strings.Join(where, ", ")))
	}
	return append(lines, wrap(v.legend()))
}

// legend says how to read a cell.
func (v *view) legend() string {
	text := "Cells are medians"
	if rounds := v.Setting("rounds"); rounds != "" {
		text += " of " + rounds + " rounds"
	}
	text += "; ± is the distance of the farther quartile; "
	if v.hasBaseline() {
		text += "× is the ratio to " + v.baseline + "; "
	} else {
		text += "there are no ratios, because the record does not have " + v.baseline + "; "
	}
	return text + "– was not measured; * is this module."
}

func (v *view) hasBaseline() bool { return len(v.Rows(record.Row{Contender: v.baseline})) > 0 }

// text is the table in lines of the same width.
func (t table) text() []string {
	name, columns := t.layout()
	var lines []string
	total := 0
	add := func(label string, cells []string) {
		var b strings.Builder
		b.WriteString(left(label, name))
		for _, c := range cells {
			b.WriteString(gap + c)
		}
		lines = append(lines, b.String())
		total = utf8.RuneCountInString(b.String())
	}
	for _, h := range t.heads {
		cells := make([]string, len(h.cells))
		for i, c := range h.cells {
			cells[i] = columns[i].head(c)
		}
		add(h.label, cells)
	}
	lines = append(lines, strings.Repeat("─", total))
	for _, l := range t.lines {
		cells := make([]string, len(l.cells))
		for i, c := range l.cells {
			cells[i] = columns[i].write(c)
		}
		add(l.label(), cells)
	}
	return lines
}

// gap is between columns.
const gap = "   "

func (l line) label() string {
	if l.kind == contender.Ours {
		return "* " + l.name
	}
	return "  " + l.name
}

// layout is the width of the names and of the parts of every column.
func (t table) layout() (name int, columns []parts) {
	for _, h := range t.heads {
		name = max(name, utf8.RuneCountInString(h.label))
	}
	columns = make([]parts, len(t.heads[0].cells))
	for _, l := range t.lines {
		name = max(name, utf8.RuneCountInString(l.label()))
		for i, c := range l.cells {
			columns[i].fit(c)
		}
	}
	for _, h := range t.heads {
		for i, c := range h.cells {
			columns[i].least = max(columns[i].least, utf8.RuneCountInString(c))
		}
	}
	return name, columns
}

func (t table) width() int {
	total, columns := t.layout()
	for _, c := range columns {
		total += len(gap) + c.total()
	}
	return total
}

// parts is the width of a column: of its value, spread and ratio, and of its head.
type parts struct{ value, spread, ratio, least int }

func (p *parts) fit(c cell) {
	p.value = max(p.value, utf8.RuneCountInString(c.value))
	p.spread = max(p.spread, utf8.RuneCountInString(c.spread))
	p.ratio = max(p.ratio, utf8.RuneCountInString(c.ratio))
}

func (p parts) inner() int {
	n := p.value
	for _, w := range []int{p.spread, p.ratio} {
		if w > 0 {
			n += 1 + w
		}
	}
	return n
}

func (p parts) total() int { return max(p.inner(), p.least) }

// head centres what stands above a column.
func (p parts) head(s string) string {
	free := p.total() - utf8.RuneCountInString(s)
	return left(right(s, p.total()-free/2), p.total())
}

// write aligns the parts of a cell with those above and below.
func (p parts) write(c cell) string {
	s := right(c.value, p.value)
	if p.spread > 0 {
		s += " " + right(c.spread, p.spread)
	}
	if p.ratio > 0 {
		s += " " + right(c.ratio, p.ratio)
	}
	return right(s, p.total())
}

func left(s string, width int) string { return s + blanks(s, width) }

func right(s string, width int) string { return blanks(s, width) + s }

func blanks(s string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// wrap breaks text into lines no wider than tables.
func wrap(text string) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > width:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
