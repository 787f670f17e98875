package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/record"
	"github.com/limitpal/limitpal-go/bench/report"
)

// records are what every output has to cope with.
func records() map[string]*record.Results {
	return map[string]*record.Results{
		"full":        full(),
		"minimal":     minimal(),
		"no baseline": planted(map[string]float64{"engine-published": 100, "tower": 1000}),
		"unknown":     planted(map[string]float64{"of-another-time": 100, "per-key-mutex": 1000}),
	}
}

func TestTextIsAligned(t *testing.T) {
	for name, r := range records() {
		var b bytes.Buffer
		require.NoError(t, report.Text(&b, r, report.Baseline), name)
		tables := 0
		for _, part := range strings.Split(b.String(), "\n\n") {
			lines := strings.Split(strings.TrimRight(part, "\n"), "\n")
			if !strings.Contains(part, "───") {
				for _, l := range lines {
					require.LessOrEqual(t, utf8.RuneCountInString(l), 120, "%s: %q", name, l)
				}
				continue
			}
			tables++
			for _, l := range lines {
				require.Equal(t, utf8.RuneCountInString(lines[0]), utf8.RuneCountInString(l), "%s:\n%s", name, part)
				require.LessOrEqual(t, utf8.RuneCountInString(l), 120, "%s:\n%s", name, part)
			}
		}
		require.Positive(t, tables, name)
	}
}

func TestTextOfOneRow(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, report.Text(&b, minimal(), report.Baseline))
	require.Contains(t, b.String(), "per-key-mutex   64 1.00×")
}

func TestTextSortsMarksAndCompares(t *testing.T) {
	r := planted(map[string]float64{"engine-published": 83, "per-key-mutex": 100, "tower": 1130})
	var b bytes.Buffer
	require.NoError(t, report.Text(&b, r, "per-key-mutex"))
	require.Regexp(t, `(?s)\* engine-published\s+83 ±\d% 0\.83×\n  per-key-mutex\s+100 ±\d% 1\.00×\n  tower\s+1,130 ±\d% 11\.3×\n`, b.String())

	b.Reset()
	require.NoError(t, report.Text(&b, r, "global-mutex"))
	require.Regexp(t, `does not have\sglobal-mutex`, b.String())
	require.Regexp(t, `engine-published +83 ±\d%\n`, b.String())
}

func TestWriteIsTheSameEveryTime(t *testing.T) {
	raw := written(t, full())
	var first map[string]string
	for range 2 {
		r, err := record.Read(bytes.NewReader(raw), "raw.txt")
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, report.Write(dir, r, report.Baseline))
		files := content(t, dir)
		if first == nil {
			first = files
		}
		require.Equal(t, first, files)
	}
	for _, name := range []string{
		"tables.txt", "results.json", "index.html", "charts/calls-hot.svg", "charts/calls-keys.svg", "charts/calls-goroutines.svg",
		"charts/refused-empty.svg", "charts/refused-open.svg", "charts/latency-steady.svg", "charts/latency-one-slow.svg", "charts/memory.svg",
		"charts/collection.svg", "charts/excess.svg", "charts/lateness.svg", "charts/goodput.svg", "charts/projection.svg",
	} {
		require.Contains(t, first, name)
	}
}

func TestWriteCopesWithWhatIsMissing(t *testing.T) {
	for name, r := range records() {
		require.NoError(t, report.Write(t.TempDir(), r, report.Baseline), name)
	}
	r := full()
	for _, row := range r.Rows(record.Row{Cores: 2}) { // any part of a record is a record
		one := row.Contender == "engine-published" || row.Contender == "x-time-rate" || row.Contender == "no-op"
		if !one || row.PerCore > 1 || row.Study == "Calls" && row.Keys != "1" && row.Keys != "new" {
			continue
		}
		for _, u := range r.Units(row) {
			part := &record.Results{}
			part.Add(record.Sample{Row: row, N: 1, Values: []record.Value{{Amount: r.Amounts(row, u)[0], Unit: u}}})
			require.NoError(t, report.Write(t.TempDir(), part, report.Baseline), "%v %s", row, u)
		}
	}
}

func TestZerosAreNoTrouble(t *testing.T) {
	r := makeFull() // which is changed
	for _, row := range r.Rows(record.Row{Contender: "engine-published"}) {
		for _, u := range r.Units(row) {
			for range 30 {
				r.Add(record.Sample{Row: row, N: 1, Values: []record.Value{{Amount: 0, Unit: u}}})
			}
		}
	}
	dir := t.TempDir()
	require.NoError(t, report.Write(dir, r, report.Baseline))
	for name, text := range content(t, dir) {
		require.NotContains(t, text, "NaN", name)
		require.NotContains(t, text, "Inf\"", name)
	}
}

func TestChartsAreWellFormed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, report.Write(dir, full(), report.Baseline))
	charts := 0
	for name, text := range content(t, dir) {
		if filepath.Ext(name) != ".svg" {
			continue
		}
		charts++
		d := xml.NewDecoder(strings.NewReader(text))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, name)
		}
		require.Contains(t, text, "font-family:'Liberation Sans',Arial,Helvetica,sans-serif", name)
		require.NotContains(t, text, "font-family:Liberation", name)
		require.Contains(t, text, "<title>", name)
		require.NotContains(t, text, "NaN", name)
	}
	require.Equal(t, 13, charts)
}

func TestPageNeedsNothingElse(t *testing.T) {
	loads := regexp.MustCompile(`(?i)<(script|link|iframe|object|embed|img|base)\b|\bsrc\s*=|url\(|@import|https?://`)
	for name, r := range records() {
		dir := t.TempDir()
		require.NoError(t, report.Write(dir, r, report.Baseline))
		page := content(t, dir)["index.html"]
		require.Empty(t, loads.FindAllString(page, -1), name)
		require.NotContains(t, page, "ZgotmplZ", name)
	}
	dir := t.TempDir()
	require.NoError(t, report.Write(dir, full(), report.Baseline))
	page := content(t, dir)["index.html"]
	for _, want := range []string{"Synthetic CPU", "go1.26.8", "0123456", "2026-11-23", "raw.txt", "it reads the clock before its lock", "<svg "} {
		require.Contains(t, page, want)
	}
	require.Less(t, strings.Index(page, `class="loss"`), strings.Index(page, "<b></b>"), "losses come first")
}

func TestDataIsReadBack(t *testing.T) {
	dir := t.TempDir()
	r := full()
	require.NoError(t, report.Write(dir, r, "per-key-mutex"))
	text := content(t, dir)["results.json"]
	var d report.Document
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	require.Equal(t, "per-key-mutex", d.Baseline)
	require.Contains(t, d.Settings, report.Setting{Key: "mode", Value: "full"})
	again, err := json.MarshalIndent(d, "", "\t")
	require.NoError(t, err)
	require.Equal(t, text, string(again)+"\n")

	seen := 0
	for _, m := range d.Rows {
		row := record.Row{Study: m.Study, Workload: m.Workload, Keys: m.Keys, PerCore: m.GoroutinesPerCore, Contender: m.Contender, Cores: m.Cores}
		s, ok := r.Summary(row, record.Unit(m.Unit))
		require.True(t, ok, row)
		require.Equal(t, record.Summary{Median: m.Median, Low: m.LowerQuartile, High: m.UpperQuartile, Samples: m.Samples}, s)
		if base, ok := r.Summary(row.Of("per-key-mutex"), record.Unit(m.Unit)); ok && base.Median != 0 {
			require.InDelta(t, m.Median/base.Median, *m.Ratio, 1e-12)
			seen++
		} else {
			require.Nil(t, m.Ratio)
		}
	}
	require.Positive(t, seen)
}

// content is all files below dir, with slashes in their names.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(text)
		return err
	}))
	return files
}
