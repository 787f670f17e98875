package engine_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// hazardsDoc is the table of hazards, from the root.
const hazardsDoc = "docs/hazards.md"

// hazardGroups are how many hazards there are of each kind.
var hazardGroups = map[string]int{"L": 18, "B": 10, "R": 7, "A": 18, "C": 11}

// hazardCount is the counts of a table of hazards.
type hazardCount struct{ hazards, tested, impossible int }

var (
	hazardRow  = regexp.MustCompile(`^\| *([A-Z]\d+) *\|([^|]*)\|([^|]*)\|$`)
	hazardTest = regexp.MustCompile("`([a-z/]+)\\.(Test\\w+)`")
)

// brokenHazards reads the table of the module whose root is tree. The result has a line for each
// hazard that is not there exactly once, for each hazard that has neither a test nor a reason, and
// for each test that is not in the named package or is for other hazards.
func brokenHazards(tree fs.FS) (broken []string, count hazardCount, err error) {
	doc, err := fs.ReadFile(tree, hazardsDoc)
	if err != nil {
		return nil, count, err
	}
	r := hazardReader{tree: tree, seen: map[string]int{}, packages: map[string]map[string]bool{}}
	for line := range strings.Lines(string(doc)) {
		row := hazardRow.FindStringSubmatch(strings.TrimSpace(line))
		if row == nil {
			continue
		}
		if err := r.readRow(row[1], strings.TrimSpace(row[2]), strings.TrimSpace(row[3])); err != nil {
			return nil, r.count, err
		}
	}
	r.compareRows()
	return r.broken, r.count, nil
}

// hazardReader reads the table of hazards row by row.
type hazardReader struct {
	tree     fs.FS
	seen     map[string]int             // rows, by the hazard's id
	packages map[string]map[string]bool // the tests of each package that a row names
	broken   []string
	count    hazardCount
}

// fault adds a line about a hazard to the result.
func (r *hazardReader) fault(id, format string, args ...any) {
	r.broken = append(r.broken, id+": "+fmt.Sprintf(format, args...))
}

// readRow checks one row of the table.
func (r *hazardReader) readRow(id, hazard, answer string) error {
	r.seen[id]++
	if hazard == "" {
		r.fault(id, "says nothing")
	}
	tests := hazardTest.FindAllStringSubmatch(answer, -1)
	reason, impossible := strings.CutPrefix(answer, "cannot occur: ")
	switch {
	case impossible && reason != "" && len(tests) == 0:
		r.count.impossible++
	case len(tests) > 0 && !impossible:
		r.count.tested++
	default:
		r.fault(id, "needs a test, or else a reason")
	}
	for _, test := range tests {
		if err := r.readTest(id, test[1], test[2]); err != nil {
			return err
		}
	}
	return nil
}

// readTest checks that the package in dir has the test name, and that the test is about hazard id.
func (r *hazardReader) readTest(id, dir, name string) (err error) {
	if r.packages[dir] == nil {
		if r.packages[dir], err = testsOf(r.tree, dir); err != nil {
			return err
		}
	}
	if !r.packages[dir][name] {
		r.fault(id, "there is no %s in %s", name, dir)
	}
	if ids := hazardIDs(name); len(ids) > 0 && !slices.Contains(ids, id) {
		r.fault(id, "%s is about %v", name, ids)
	}
	return nil
}

// compareRows compares the rows that were read with hazardGroups.
func (r *hazardReader) compareRows() {
	for group, n := range hazardGroups {
		for i := range n {
			id := group + strconv.Itoa(i+1)
			if r.seen[id] != 1 {
				r.fault(id, "%d rows", r.seen[id])
			}
			delete(r.seen, id)
			r.count.hazards++
		}
	}
	for id := range r.seen {
		r.fault(id, "no such hazard")
	}
}

// hazardIDs returns the hazards that a name such as TestHazardL07Something or
// TestHazardC08C09Something begins with. Other names have none.
func hazardIDs(test string) (ids []string) {
	name, _ := strings.CutPrefix(test, "TestHazard")
	for len(name) < len(test) && len(name) > 2 {
		n, err := strconv.Atoi(name[1:3])
		if err != nil {
			break
		}
		ids = append(ids, name[:1]+strconv.Itoa(n))
		name = name[3:]
	}
	return ids
}

// testsOf returns the names of the tests of the package in dir, read from the files as in
// brokenArrows.
func testsOf(tree fs.FS, dir string) (map[string]bool, error) {
	names, err := fs.Glob(tree, path.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	tests := map[string]bool{}
	for _, name := range names {
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declared := range file.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				tests[f.Name.Name] = true
			}
		}
	}
	return tests, nil
}

func TestEveryHazardHasATestOrAReason(t *testing.T) {
	broken, count, err := brokenHazards(os.DirFS(".."))
	require.NoError(t, err)
	for _, fault := range broken {
		t.Error(fault)
	}
	require.Equal(t, count.hazards, count.tested+count.impossible)
	t.Attr("hazards", strconv.Itoa(count.hazards))
	t.Attr("with-a-test", strconv.Itoa(count.tested))
	t.Attr("cannot-occur", strconv.Itoa(count.impossible))
}

// hazardTree is a module whose table is right, except for the change.
func hazardTree(change func(string) string) fs.FS {
	var table strings.Builder
	for group, n := range hazardGroups {
		for i := range n {
			fmt.Fprintf(&table, "| %s%d | a hazard | `limiter.TestIt` |\n", group, i+1)
		}
	}
	return fstest.MapFS{
		hazardsDoc:            {Data: []byte(change(table.String()))},
		"limiter/it_test.go":  {Data: []byte("package limiter_test\n\nfunc TestIt() {}\n\nfunc TestHazardL01C08It() {}\n\ntype x struct{}\n\nfunc (x) TestMethod() {}\n")},
		"limiter/it.go":       {Data: []byte("package limiter\n\nfunc TestNoTest() {}\n")},
		"limiter/doc_test.go": {Data: []byte("package limiter_test\n\n// func TestComment() {}\n")},
	}
}

func TestHazardsCatchAPlantedFault(t *testing.T) {
	for _, row := range []struct {
		name, old, new string
		want           []string
	}{
		{"right", "", "", nil},
		{"a reason", "| L1 | a hazard | `limiter.TestIt` |", "| L1 | a hazard | cannot occur: there is none |", nil},
		{"a row is missing", "| L1 | a hazard | `limiter.TestIt` |\n", "", []string{"L1: 0 rows"}},
		{"a row is there twice", "| L2 |", "| L1 |", []string{"L1: 2 rows", "L2: 0 rows"}},
		{"a hazard that is not known", "| L1 |", "| L19 |", []string{"L1: 0 rows", "L19: no such hazard"}},
		{"nothing is said", "| B3 | a hazard |", "| B3 | |", []string{"B3: says nothing"}},
		{"no answer", "| L1 | a hazard | `limiter.TestIt` |", "| L1 | a hazard | it is so |", []string{"L1: needs a test"}},
		{"an empty reason", "| L1 | a hazard | `limiter.TestIt` |", "| L1 | a hazard | cannot occur: |", []string{"L1: needs a test"}},
		{"a test that does not exist", "| A7 | a hazard | `limiter.TestIt`", "| A7 | a hazard | `limiter.TestThat`", []string{"A7: there is no TestThat"}},
		{"a method", "| A7 | a hazard | `limiter.TestIt`", "| A7 | a hazard | `limiter.TestMethod`", []string{"A7: there is no TestMethod"}},
		{"no test file", "| A7 | a hazard | `limiter.TestIt`", "| A7 | a hazard | `limiter.TestNoTest`", []string{"A7: there is no TestNoTest"}},
		{"a comment", "| A7 | a hazard | `limiter.TestIt`", "| A7 | a hazard | `limiter.TestComment`", []string{"A7: there is no TestComment"}},
		{"a test of the hazard", "| C8 | a hazard | `limiter.TestIt`", "| C8 | a hazard | `limiter.TestHazardL01C08It`", nil},
		{"a test of another hazard", "| L8 | a hazard | `limiter.TestIt`", "| L8 | a hazard | `limiter.TestHazardL01C08It`", []string{"L8: TestHazardL01C08It is about [L1 C8]"}},
		{"another package", "| A7 | a hazard | `limiter.TestIt`", "| A7 | a hazard | `breaker.TestIt`", []string{"A7: there is no TestIt in breaker"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			broken, count, err := brokenHazards(hazardTree(func(table string) string {
				require.Contains(t, table, row.old)
				return strings.Replace(table, row.old, row.new, 1)
			}))
			require.NoError(t, err)
			require.Equal(t, 64, count.hazards)
			require.Len(t, broken, len(row.want))
			for i, want := range row.want {
				require.Contains(t, broken[i], want)
			}
		})
	}
}
