package report_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/record"
	"github.com/limitpal/limitpal-go/bench/report"
)

// rawFile is the committed record, from the root of the repository.
const rawFile = "bench/results/raw.txt"

// TestDocumentsAreOfTheRecord makes the documents again from the committed record and compares them with those in the
// repository. They lie outside of this module, where the test cache does not look: make nested passes -shuffle, which no cache
// answers; by hand, add -count=1.
func TestDocumentsAreOfTheRecord(t *testing.T) {
	root := filepath.Join("..", "..")
	raw, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(rawFile)))
	if err != nil {
		t.Fatalf("the record from which the documents are made is not there: %v\nmake it with: go run ./bench -full, and commit its raw.txt as %s", err, rawFile)
	}
	r, err := record.Read(bytes.NewReader(raw), rawFile)
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "README.md"), readme, 0o644))
	require.NoError(t, report.Docs(dir, r, rawFile))

	want := content(t, dir)
	have := map[string]string{"README.md": string(readme)}
	if text, err := os.ReadFile(filepath.Join(root, "docs", "contention.md")); err == nil {
		have["docs/contention.md"] = string(text)
	}
	charts, err := filepath.Glob(filepath.Join(root, "docs", "contention", "*.svg"))
	require.NoError(t, err)
	for _, path := range charts {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		have["docs/contention/"+filepath.Base(path)] = string(text)
	}
	if text := differences(have, want); text != "" {
		t.Fatalf("what is committed is not what %s says; run make report\n%s", rawFile, text)
	}
}

// TestOneFigureForAKey: every document gives the same weight of a key, that of the record. Only the bound of the test that guards the
// weight may stand beside it.
func TestOneFigureForAKey(t *testing.T) {
	root := filepath.Join("..", "..")
	study, err := os.ReadFile(filepath.Join(root, "docs", "contention.md"))
	require.NoError(t, err)
	found := regexp.MustCompile(`One of 1,000,000 keys\scosts\s(\d+) B\swith\sengine-published`).FindSubmatch(study)
	require.NotNil(t, found)
	weight := string(found[1])

	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	documents = append(documents, filepath.Join(root, "README.md"), filepath.Join(root, "SECURITY.md"))
	amounts, said := regexp.MustCompile(`\b([1-9]\d{2,3})\s(?:B|bytes)\b`), 0
	for _, path := range documents {
		if filepath.Base(path) == "contention.md" {
			continue // the study, which has all that was measured
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		written, _, _ := strings.Cut(string(text), "<!-- measured: begin -->")
		for paragraph := range strings.SplitSeq(written, "\n\n") {
			if !regexp.MustCompile(`\bkeys?\b`).MatchString(paragraph) {
				continue
			}
			for _, m := range amounts.FindAllStringSubmatch(paragraph, -1) {
				if m[1] == "144" && strings.Contains(paragraph, "TestWhatACleanKeyCosts") {
					continue
				}
				require.Equal(t, weight, m[1], "bytes of a key in %s:\n%s", path, paragraph)
				said++
			}
		}
	}
	require.Positive(t, said)
}

// differences lists the first lines in which files differ.
func differences(have, want map[string]string) string {
	names := map[string]bool{}
	for _, files := range []map[string]string{have, want} {
		for name := range files {
			names[name] = true
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, inA := have[name]
		z, inZ := want[name]
		switch {
		case !inA:
			fmt.Fprintf(&b, "%s: is missing\n", name)
		case !inZ:
			fmt.Fprintf(&b, "%s: is no longer made\n", name)
		case a != z:
			linesA, linesZ := strings.Split(a, "\n"), strings.Split(z, "\n")
			at := 0
			for at < len(linesA) && at < len(linesZ) && linesA[at] == linesZ[at] {
				at++
			}
			fmt.Fprintf(&b, "%s:%d:\n", name, at+1)
			for i := at; i < min(at+3, max(len(linesA), len(linesZ))); i++ {
				if i < len(linesA) && i < len(linesZ) && linesA[i] == linesZ[i] {
					continue
				}
				if i < len(linesA) {
					fmt.Fprintf(&b, "  committed: %s\n", linesA[i])
				}
				if i < len(linesZ) {
					fmt.Fprintf(&b, "  record:    %s\n", linesZ[i])
				}
			}
		}
	}
	return b.String()
}

func TestDifferencesAreReadable(t *testing.T) {
	require.Empty(t, differences(map[string]string{"a": "x"}, map[string]string{"a": "x"}))
	require.Equal(t, "a:2:\n  committed: 64 ns\n  record:    65 ns\nb: is missing\nc: is no longer made\n",
		differences(map[string]string{"a": "x\n64 ns", "c": ""}, map[string]string{"a": "x\n65 ns", "b": ""}))
}

const readmeAround = "# Title\n\nBefore.\n\n<!-- measured: begin -->\nold\n<!-- measured: end -->\n\nAfter: 5 %.\n"

func TestDocsReplaceTheBlockAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "README.md")
	stale := filepath.Join(dir, "docs", "contention", "stale.svg")
	require.NoError(t, os.MkdirAll(filepath.Dir(stale), 0o755))
	require.NoError(t, os.WriteFile(stale, nil, 0o644))
	require.NoError(t, os.WriteFile(path, []byte(readmeAround), 0o644))
	require.NoError(t, report.Docs(dir, full(), rawFile))
	first := content(t, dir)
	text := first["README.md"]
	require.True(t, strings.HasPrefix(text, "# Title\n\nBefore.\n\n<!-- measured: begin -->\n"))
	require.True(t, strings.HasSuffix(text, "\n<!-- measured: end -->\n\nAfter: 5 %.\n"))
	require.NotContains(t, text, "old")
	require.Contains(t, text, "| 1 | 32 | 15")
	require.Contains(t, text, "["+rawFile+"]("+rawFile+")")
	require.Contains(t, text, "(docs/contention.md)")
	require.NotContains(t, first, "docs/contention/stale.svg")
	require.Contains(t, first, "docs/contention/calls-hot.svg")

	require.NoError(t, report.Docs(dir, full(), rawFile))
	require.Equal(t, first, content(t, dir), "a second time changes nothing")
}

func TestDocsNeedAPlace(t *testing.T) {
	for _, readme := range []string{
		"no marks", "<!-- measured: begin -->", "<!-- measured: end --><!-- measured: begin -->", readmeAround + readmeAround,
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "README.md"), []byte(readme), 0o644))
		require.Error(t, report.Docs(dir, full(), rawFile))
		require.Equal(t, map[string]string{"README.md": readme}, content(t, dir), "nothing is written")
	}
}

func TestDocsNameTheRecordAsItIsFromRoot(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "README.md"), []byte(readmeAround), 0o644))
	raw := filepath.Join(dir, "results", "raw.txt")
	require.NoError(t, os.MkdirAll(filepath.Dir(raw), 0o755))
	require.NoError(t, os.WriteFile(raw, nil, 0o644))
	require.NoError(t, report.Docs(dir, minimal(), raw))
	require.Contains(t, content(t, dir)["docs/contention.md"], "[results/raw.txt](../results/raw.txt)")
	require.NoError(t, report.Docs(dir, minimal(), "/somewhere/else/raw.txt"))
	require.NotContains(t, content(t, dir)["docs/contention.md"], "somewhere")
}

func TestEveryTableOfTheDocumentIsWhole(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "README.md"), []byte(readmeAround), 0o644))
	require.NoError(t, report.Docs(dir, full(), rawFile))
	files := content(t, dir)
	text := files["docs/contention.md"]
	columns := 0
	for i, l := range strings.Split(text, "\n") {
		if !strings.HasPrefix(l, "|") {
			columns = 0
			continue
		}
		n := strings.Count(l, "|")
		if columns == 0 {
			columns = n
		}
		require.Equal(t, columns, n, "line %d: %s", i+1, l)
	}
	for _, m := range regexp.MustCompile(`\]\((contention/[^)]+)\)`).FindAllStringSubmatch(text, -1) {
		require.Contains(t, files, "docs/"+m[1])
	}
	require.Equal(t, 13, strings.Count(text, "](contention/"), "every chart is shown")
	for _, heading := range []string{"What to take away", "Where engine-published loses", "Where it wins", "How costs grow", "How it was measured", "How to repeat it"} {
		require.Contains(t, text, "## "+heading)
	}
	require.Less(t, strings.Index(text, "## Where engine-published loses"), strings.Index(text, "## Where it wins"))
	require.NotContains(t, text, "<no value>")
}

// TestNoNumberIsTyped holds the templates to take their numbers from the record. What is allowed are parameters of the load.
func TestNoNumberIsTyped(t *testing.T) {
	allowed := []string{
		"2,000 goroutines", "100,000 tokens a second", "burst of 1,000", "1,000 keys", "100,000 to 1,000,000 keys", "exponent 1.1",
		"(N − 1)", "(N−1)", "(1 + σ", "X(1)", "− 1",
	}
	action := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	for _, name := range []string{"contention.md.tmpl", "readme.md.tmpl"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		plain := action.ReplaceAllString(string(text), "")
		for _, a := range allowed {
			plain = strings.ReplaceAll(plain, a, "")
		}
		for i, l := range strings.Split(plain, "\n") {
			require.NotRegexp(t, `[0-9]`, l, "%s:%d", name, i+1)
		}
	}
}
