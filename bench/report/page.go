package report

import (
	"bytes"
	_ "embed" // for the template
	"html/template"
	"slices"
	"strings"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
)

//go:embed page.html.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is index.html: everything in one file, without scripts.
type page struct {
	Settings  []Setting
	Legend    string
	Baseline  string
	Headlines []headline
	Charts    []figure
	Losses    duelList
	Wins      duelList
	Groups    []group
	Cast      []castLine
	Rounds    string
}

// figure is a chart in the page.
type figure struct {
	Name, Title, Caption string
	SVG                  template.HTML
}

// group is the tables of one study and workload.
type group struct {
	Name, About string
	Tables      []webTable
}

// webTable is a table whose columns are cut into value, spread and ratio, so that each can be aligned.
type webTable struct {
	Title string
	Heads []webHead
	Lines []webLine
}

type webHead struct {
	Label string
	Cells []webCell
}

type webLine struct {
	Name  string
	Ours  bool
	Cells []webCell
}

// webCell is text over Span columns.
type webCell struct {
	Text, Class string
	Span        int
}

// duelLine is a Finding in words.
type duelLine struct {
	What, Where, Ours, Rival, Theirs, Factor string
}

// castLine is what there is to say about a contender.
type castLine struct {
	Name, Kind, Cannot, Excess string
	Ours                       bool
}

func (v *view) page(charts []chart) ([]byte, error) {
	p := page{
		Legend: v.legend(), Baseline: v.baseline, Headlines: v.headlines(), Rounds: v.Setting("rounds"),
		Losses: newDuels(strongest(v.losses())), Wins: newDuels(strongest(v.wins())), Cast: v.cast(),
	}
	for _, s := range v.Settings {
		p.Settings = append(p.Settings, Setting(s))
	}
	for _, c := range charts {
		p.Charts = append(p.Charts, figure{c.name, c.title, c.caption, inline(c.svg)})
	}
	for _, t := range v.tables() {
		if n := len(p.Groups); n == 0 || p.Groups[n-1].Name != t.group {
			p.Groups = append(p.Groups, group{Name: t.group, About: t.about})
		}
		g := &p.Groups[len(p.Groups)-1]
		g.Tables = append(g.Tables, t.web())
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// variables are the colours of charts as the page's style sheet names them, which gives them other values on dark screens.
var variables = strings.NewReplacer(
	"#222222", "var(--ink)", "#595959", "var(--quiet)", "#DDDDDD", "var(--rule)", "#FFFFFF", "var(--paper)",
	"#D55E00", "var(--orange)", "#009E73", "var(--green)", "#0072B2", "var(--blue)", "#777777", "var(--grey)",
	` xmlns="http://www.w3.org/2000/svg"`, "",
)

// inline makes a chart part of a page. What is in it comes from this package and is escaped.
func inline(svg []byte) template.HTML { return template.HTML(variables.Replace(string(svg))) }

func (t table) web() webTable {
	_, columns := t.layout()
	w := webTable{Title: t.title}
	for _, h := range t.heads {
		row := webHead{Label: h.label}
		for i, c := range h.cells {
			span := 1
			if columns[i].spread > 0 {
				span++
			}
			if columns[i].ratio > 0 {
				span++
			}
			row.Cells = append(row.Cells, webCell{Text: c, Span: span})
		}
		w.Heads = append(w.Heads, row)
	}
	for _, l := range t.lines {
		row := webLine{Name: l.name, Ours: l.kind == contender.Ours}
		for i, c := range l.cells {
			row.Cells = append(row.Cells, webCell{c.value, "value", 1})
			if columns[i].spread > 0 {
				row.Cells = append(row.Cells, webCell{c.spread, "spread", 1})
			}
			if columns[i].ratio > 0 {
				row.Cells = append(row.Cells, webCell{c.ratio, "ratio", 1})
			}
		}
		w.Lines = append(w.Lines, row)
	}
	return w
}

// duelList is findings, of which the first are shown at once.
type duelList struct{ First, Rest []duelLine }

// atOnce is how many findings are shown at once.
const atOnce = 20

func newDuels(all []Finding) duelList {
	lines := duelLines(all)
	n := min(atOnce, len(lines))
	return duelList{lines[:n], lines[n:]}
}

func duelLines(all []Finding) []duelLine {
	var lines []duelLine
	for _, f := range all {
		m, _ := measureOf(f.Row.Study, f.Unit)
		lines = append(lines, duelLine{
			What: m.plain, Where: where(f.Row), Rival: f.Rival, Factor: times(f.Factor),
			Ours: wrote(f.Row.Study, f.Unit, f.Ours.Median), Theirs: wrote(f.Row.Study, f.Unit, f.Theirs.Median),
		})
	}
	return lines
}

// cast says of every contender in the record what it cannot do, and by how much it overshoots.
func (v *view) cast() []castLine {
	excess, breaking := v.other("Excess", "", ""), v.breaking()
	var lines []castLine
	for _, c := range contenders() {
		l := castLine{Name: c.Name, Kind: kindName(c.Kind), Cannot: c.Cannot, Excess: missing, Ours: c.Kind == contender.Ours}
		if len(v.Rows(record.Row{Contender: c.Name})) == 0 {
			continue
		}
		if x, ok := v.median(excess.Of(c.Name), record.OfBound); ok {
			l.Excess = times(x)
			if slices.Contains(breaking, c.Name) {
				l.Excess += ", at worst " + times(v.worst(excess, c.Name))
			}
		}
		lines = append(lines, l)
	}
	return lines
}
