package report

import (
	"bytes"
	_ "embed" // for the templates
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/limitpal/limitpal-go/bench/record"
)

var (
	//go:embed contention.md.tmpl
	contentionText string
	//go:embed readme.md.tmpl
	readmeText string
)

// The marks between which README.md holds what was measured.
const (
	readmeBegin = "<!-- measured: begin -->"
	readmeEnd   = "<!-- measured: end -->"
)

// errMarks is returned by Docs if README.md has no place for the table.
var errMarks = errors.New("report: README.md needs one " + readmeBegin + " and, after it, one " + readmeEnd)

// Docs writes docs/contention.md and docs/contention/*.svg below root, removes the charts there that it no longer makes, and
// replaces what stands between "<!-- measured: begin -->" and "<!-- measured: end -->" in root/README.md. raw is the path of
// the raw file, which is only named and linked: as it is from root if it is a file below it, else as it is given.
func Docs(root string, r *record.Results, raw string) error {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return err
	}
	if _, err := replaced(readme, nil); err != nil {
		return err
	}
	v := newView(r, Baseline)
	charts := v.charts()
	files := map[string][]byte{}
	for _, c := range charts {
		files[filepath.Join("docs", "contention", c.name+".svg")] = c.svg
	}
	text := words{view: v, charts: charts, raw: below(root, raw)}
	document, err := text.fill("contention.md", contentionText)
	if err != nil {
		return err
	}
	files[filepath.Join("docs", "contention.md")] = document
	block, err := text.fill("readme.md", readmeText)
	if err != nil {
		return err
	}
	if files["README.md"], err = replaced(readme, block); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(root, "docs", "contention", "*.svg"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return save(root, files)
}

// below is a path as it is from root. A file elsewhere keeps its path if that says nothing about the machine.
func below(root, path string) string {
	from, errRoot := filepath.Abs(root)
	to, errPath := filepath.Abs(path)
	if _, err := os.Stat(path); err == nil && errRoot == nil && errPath == nil {
		if rel, err := filepath.Rel(from, to); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	if !filepath.IsLocal(path) {
		return filepath.Base(path)
	}
	return filepath.ToSlash(path)
}

// replaced is a text with a block in place of what is between the marks.
func replaced(text, block []byte) ([]byte, error) {
	before, rest, begins := bytes.Cut(text, []byte(readmeBegin))
	_, after, ends := bytes.Cut(rest, []byte(readmeEnd))
	if !begins || !ends || bytes.Contains(after, []byte(readmeBegin)) || bytes.Contains(after, []byte(readmeEnd)) {
		return nil, errMarks
	}
	return slices.Concat(before, []byte(readmeBegin), []byte("\n"), bytes.TrimSpace(block), []byte("\n"), []byte(readmeEnd), after), nil
}

// words fills the templates of documents. Its methods are what they may call: every number in a document comes from one.
type words struct {
	*view
	charts []chart
	raw    string
}

func (w words) fill(name, text string) ([]byte, error) {
	t, err := template.New(name).Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, w); err != nil {
		return nil, err
	}
	return []byte(wrapped(strings.TrimSpace(b.String())) + "\n"), nil
}

// Raw is the path of the raw file from root.
func (w words) Raw() string { return w.raw }

// Set is a setting of the record.
func (w words) Set(key string) string {
	if value := w.Setting(key); value != "" {
		return value
	}
	return missing
}

// Many is how many goroutines per core tables and charts show where they show one number of them.
func (w words) Many() string { return plural(w.many, "goroutine per core", "goroutines per core") }

// Cores is how many cores they show.
func (w words) Cores() string { return plural(w.cores, "core", "cores") }

// Projected is to how many cores throughput is projected.
func (w words) Projected() string { return plural(projected, "core", "cores") }

// NS is the time per call of a contender.
func (w words) NS(workload, keys string, perCore int, name string) string {
	row := w.call(workload, keys).Of(name)
	if perCore > 0 {
		row.PerCore = perCore
	}
	if ns, ok := w.median(row, record.PerCall); ok {
		return nanos(ns)
	}
	return missing
}

// Ratio is the time per call of a contender as a multiple of another's.
func (w words) Ratio(workload, keys string, perCore int, of, to string) string {
	row := w.call(workload, keys)
	if perCore > 0 {
		row.PerCore = perCore
	}
	if x, ok := w.ratio(row, record.PerCall, of, to); ok {
		return times(x)
	}
	return missing
}

// OfRate is the part of its limit that a contender grants to a queue.
func (w words) OfRate(queue, name string) string {
	if x, ok := w.median(w.other("Waiting", queue, "1").Of(name), record.OfRate); ok {
		return amount(x)
	}
	return missing
}

// Allocs is how often a call allocates.
func (w words) Allocs(workload, keys, name string) string {
	if n, ok := w.median(w.call(workload, keys).Of(name), record.Allocs); ok {
		return amount(n)
	}
	return missing
}

// Span is the range of the ratios of two contenders over all loads of a workload.
func (w words) Span(workload, of, to string) string {
	if low, high, ok := w.span(workload, of, to); ok {
		return spanned(low, high)
	}
	return missing
}

// Findings are the things to take away.
func (w words) Findings() []headline { return w.headlines() }

// Losses and Wins are all loads with the strongest rival, the first and the rest.
func (w words) Losses() duelList { return newDuels(strongest(w.losses())) }

// Wins are like Losses.
func (w words) Wins() duelList { return newDuels(strongest(w.wins())) }

// Count is a number of lines.
func (w words) Count(lines []duelLine) string { return plural(len(lines), "load", "loads") }

// Chart is a chart with its message; nothing if there is none.
func (w words) Chart(name string) string {
	for _, c := range w.charts {
		if c.name == name {
			return fmt.Sprintf("**%s.**\n\n![%s](contention/%s.svg)\n\n%s", c.title, c.title, name, c.caption)
		}
	}
	return ""
}

// Cast is what there is to say about every contender.
func (w words) Cast() []castLine { return w.cast() }

// Breaking are the contenders that break their bound, with their factors.
func (w words) Breaking() string { return w.saysExcess() }

// Note says what kind of statement a projection is.
func (w words) Note() string { return w.projectionNote() }

// Sum is one line each on refusals, memory, and the limit.
func (w words) Sum() []string {
	var all []string
	for _, make := range []func() []headline{w.onTowers, w.onMemory, w.onRefusals, w.onExcess} {
		for _, h := range make() {
			if !h.Loss { // losses are listed before
				all = append(all, h.Text)
			}
		}
	}
	return all
}
