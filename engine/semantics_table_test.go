package engine_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// brokenRows compares the rows of "Semantics" in doc with the names of tests. A row's name without
// spaces and marks begins the name of each of the row's tests, after TestRow. The result has a line
// for each row without a test, and for each TestRow without a row.
func brokenRows(doc string, tests map[string]bool) (broken []string) {
	_, table, _ := strings.Cut(doc, "\n## Semantics\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var rows []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]*) \|`).FindAllStringSubmatch(table, -1)[1:] {
		rows = append(rows, strings.ToLower(regexp.MustCompile(`\W+`).ReplaceAllString(row[1], "")))
	}
	tested := map[string]bool{}
	for test := range tests {
		name, isRow := strings.CutPrefix(strings.ToLower(test), "testrow")
		if !isRow {
			continue
		}
		at := slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(name, row) })
		if at < 0 {
			broken = append(broken, test+" tests no row")
			continue
		}
		for _, row := range rows {
			tested[row] = tested[row] || strings.HasPrefix(name, row)
		}
	}
	for _, row := range rows {
		if !tested[row] {
			broken = append(broken, row+" has no test")
		}
	}
	slices.Sort(broken)
	return broken
}

func TestEveryRowOfSemanticsHasATest(t *testing.T) {
	doc, err := os.ReadFile("../docs/design.md")
	require.NoError(t, err)
	tests, err := testsOf(os.DirFS(".."), "engine")
	require.NoError(t, err)
	require.Empty(t, brokenRows(string(doc), tests))
}

func TestSemanticsCatchAPlantedFault(t *testing.T) {
	const doc = "\n## Semantics\n\n| question | answer |\n|---|---|\n| half-open | x |\n| a ctx | x |\n\n## Next\n\n| no row | x |\n"
	for _, row := range []struct {
		name  string
		tests []string
		want  []string
	}{
		{"right", []string{"TestRowHalfOpen", "TestRowACtxThatEnds", "TestIt"}, nil},
		{"a row without a test", []string{"TestRowHalfOpen"}, []string{"actx has no test"}},
		{"a test without a row", []string{"TestRowHalfOpen", "TestRowACtx", "TestRowNoRow"}, []string{"TestRowNoRow tests no row"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			tests := map[string]bool{}
			for _, test := range row.tests {
				tests[test] = true
			}
			require.Equal(t, row.want, brokenRows(doc, tests))
		})
	}
}
