package engine_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

// The most lines of a file and of a function in a package of shapePackages.
const (
	shapeFile     = 300
	shapeFunction = 50
)

// shapePackages are the packages whose files and functions are measured, tests included.
var shapePackages = []string{
	"actors",
	"engine",
	"engine/internal/guard",
}

// oversized reads every Go file, under any build constraint, of the packages in the module whose
// root is tree. The result has a line for each file and each function above the bounds, and for
// each package without a Go file. The files are read as in brokenArrows.
func oversized(tree fs.FS, packages []string) ([]string, error) {
	var faults []string
	for _, dir := range packages {
		names, err := fs.Glob(tree, path.Join(dir, "*.go"))
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			faults = append(faults, fmt.Sprintf("%s: no Go file was read", dir))
		}
		for _, name := range names {
			source, err := fs.ReadFile(tree, name)
			if err != nil {
				return nil, err
			}
			found, err := oversizedIn(name, source)
			if err != nil {
				return nil, err
			}
			faults = append(faults, found...)
		}
	}
	return faults, nil
}

// oversizedIn returns a line for the Go file name if the file is above the bound, and a line for
// each function above the bound. The functions of a variable at the top of a file are measured too;
// any other function literal counts in its function. A function begins at the word func: the
// comment above is free.
func oversizedIn(name string, source []byte) (faults []string, err error) {
	if n := lineCount(source); n > shapeFile {
		faults = append(faults, fmt.Sprintf("%s: %d lines, at most %d", name, n, shapeFile))
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(file, func(node ast.Node) bool {
		called := "function literal"
		switch f := node.(type) {
		case *ast.FuncDecl:
			called = f.Name.Name
		case *ast.FuncLit:
		default:
			return true
		}
		// The bytes are counted, since a line directive changes the lines of positions.
		first, end := set.File(node.Pos()).Offset(node.Pos()), set.File(node.Pos()).Offset(node.End())
		if n := lineCount(source[first:end]); n > shapeFunction {
			faults = append(faults, fmt.Sprintf("%s:%d: %s has %d lines, at most %d",
				name, lineCount(source[:first+1]), called, n, shapeFunction))
		}
		return false
	})
	return faults, nil
}

// lineCount returns the number of lines of a text, the last of which may lack its end.
func lineCount(text []byte) int {
	n := bytes.Count(text, []byte("\n"))
	if !bytes.HasSuffix(text, []byte("\n")) {
		n++
	}
	return n
}

func TestShape(t *testing.T) {
	faults, err := oversized(os.DirFS(".."), shapePackages)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

// shaped returns a module whose files are within the bounds, with a file that has the source.
func shaped(name, source string) fs.FS {
	tree := fstest.MapFS{
		"engine/testdata/long.go": {Data: []byte("package testdata" + strings.Repeat("\n", 999))},
		"other/long.go":           {Data: []byte("package other" + strings.Repeat("\n", 999))},
	}
	for _, dir := range shapePackages {
		tree[path.Join(dir, "doc.go")] = &fstest.MapFile{Data: []byte("package " + path.Base(dir) + "\n")}
	}
	tree[name] = &fstest.MapFile{Data: []byte(source)}
	return tree
}

// long returns the source of a function with that many lines, from its head on.
func long(head string, lines int) string {
	return head + " {\n" + strings.Repeat("\t_ = 0\n", lines-2) + "}"
}

func TestShapeCatchesAPlantedOffender(t *testing.T) {
	const x = "package x\n\n"
	for _, row := range []struct{ name, file, source, want string }{
		{"a file at the bound", "engine/x.go", x + strings.Repeat("\n", shapeFile-2), ""},
		{"a file at the bound whose last line lacks its end", "engine/x.go", x + strings.Repeat("\n", shapeFile-3) + "//", ""},
		{"a file above the bound", "engine/x.go", x + strings.Repeat("\n", shapeFile-1), "engine/x.go: 301 lines"},
		{"a last line above the bound lacks its end", "engine/x.go", x + strings.Repeat("\n", shapeFile-2) + "//", "engine/x.go: 301 lines"},
		{"a test above the bound", "engine/x_test.go", x + strings.Repeat("\n", shapeFile), "engine/x_test.go: 302 lines"},
		{"another package", "engine/internal/guard/x.go", x + strings.Repeat("\n", shapeFile), "engine/internal/guard/x.go: 302 lines"},
		{"a function at the bound", "engine/x.go", x + long("func f()", 50), ""},
		{"a function at the bound under a long comment", "engine/x.go", x + strings.Repeat("// Comment.\n", 60) + long("func f()", 50), ""},
		{"a function above the bound", "engine/x.go", x + long("func f()", 51), "engine/x.go:3: f has 51 lines"},
		{"a method above the bound", "engine/x.go", x + "type t int\n" + long("func (t) m()", 51), "engine/x.go:4: m has 51 lines"},
		{"a test function above the bound", "engine/x_test.go", x + long("func TestX()", 60), "engine/x_test.go:3: TestX has 60 lines"},
		{"a literal inside a function", "engine/x.go", x + "func f() {\n\tg := " + long("func()", 48) + "\n}", ""},
		{"a literal fills a function", "engine/x.go", x + "func f() {\n\tg := " + long("func()", 60) + "\n}", "engine/x.go:3: f has 62 lines"},
		{"a literal of a variable", "engine/x.go", x + "var f = " + long("func()", 51), "engine/x.go:3: function literal has 51 lines"},
		{"a table of short literals", "engine/x.go", x + "var f = []func(){\n" + strings.Repeat(long("func()", 30)+",\n", 3) + "}", ""},
		{"a line directive hides nothing", "engine/x.go", x + "func f() {\n" + strings.Repeat("//line y.go:1\n", 49) + "}", "engine/x.go:3: f has 51 lines"},
		{"behind a build constraint", "engine/x_windows.go", x + long("func f()", 51), "engine/x_windows.go:3: f has 51 lines"},
		{"a package that is not measured", "other/x.go", x + long("func f()", 51), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			faults, err := oversized(shaped(row.file, row.source), shapePackages)
			if err != nil {
				t.Fatal(err)
			}
			if row.want == "" && len(faults) > 0 {
				t.Errorf("found %q, want no fault", faults)
			}
			if row.want != "" && (len(faults) != 1 || !strings.HasPrefix(faults[0], row.want)) {
				t.Errorf("found %q, want one fault: %s", faults, row.want)
			}
		})
	}
}

func TestShapeReportsWhatItDidNotRead(t *testing.T) {
	faults, err := oversized(fstest.MapFS{"engine/x.txt": {}}, shapePackages)
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) != len(shapePackages) {
		t.Errorf("found %q, want one fault for each of the %d packages that are not there", faults, len(shapePackages))
	}
	if _, err := oversized(shaped("engine/x.go", "package"), shapePackages); err == nil {
		t.Error("a file that does not parse is no error")
	}
}
