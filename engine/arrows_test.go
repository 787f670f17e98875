package engine_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// arrowModule is the import path of the module whose imports are checked.
const arrowModule = "github.com/limitpal/limitpal-go"

// arrowFolders are the only folders that may lie in the root.
var arrowFolders = []string{
	"actors", "bench", "breaker", "clock", "docs", "engine", "examples", "limiter", "mailbox", "retry",
}

// arrowRule lists the imports that the files of a package may have besides the standard library.
type arrowRule struct {
	ours   []string // packages of this module, by folder; "*" is any
	tests  []string // packages of this module that its _test.go files may import too
	theirs []string // modules of others; its _test.go files may import any that go.mod requires
	never  []string // packages of the standard library that its files may not import
}

// arrowRules has a rule for every package that must exist. A package that neither arrowRules nor
// arrowRuleOf knows is a fault: the table decides about additions.
var arrowRules = map[string]arrowRule{
	"clock":           {theirs: []string{"github.com/benbjohnson/clock"}},
	"clock/clocktest": {ours: []string{"clock"}, theirs: []string{"github.com/benbjohnson/clock"}},
	"mailbox":         {},
	"limiter":         {},
	"breaker":         {},
	"retry":           {},
	"actors": {
		ours:   []string{"clock", "mailbox"},
		theirs: []string{"golang.org/x/sync"},
	},
	"engine/internal/guard": {
		ours:  []string{"actors", "breaker", "clock", "limiter"},
		never: []string{"context"},
	},
	"engine": {
		ours:   []string{"actors", "breaker", "clock", "engine/internal/guard", "limiter", "mailbox", "retry"},
		theirs: []string{"golang.org/x/sync"},
	},
}

// arrowRuleOf returns the rule for the package in dir.
func arrowRuleOf(dir string) (arrowRule, bool) {
	if rule, ok := arrowRules[dir]; ok {
		return rule, true
	}
	if ok, _ := path.Match("engine/engine*", dir); ok {
		// An adapter's tests have to configure the engine that they adapt.
		return arrowRule{ours: []string{"engine"}, tests: []string{"breaker", "clock", "limiter", "retry"}}, true
	}
	if strings.HasPrefix(dir, "examples/") {
		return arrowRule{ours: []string{"*"}, theirs: []string{"golang.org/x/sync"}}, true
	}
	return arrowRule{}, false
}

// check returns the fault of a file of the package in dir that imports target, or "".
func (r arrowRule) check(dir, file, target string) string {
	test := strings.HasSuffix(file, "_test.go")
	if target == arrowModule || strings.HasPrefix(target, arrowModule+"/") {
		ours := r.ours
		if test {
			ours = slices.Concat(ours, r.tests, []string{dir, "clock/clocktest"})
		}
		pkg := strings.TrimPrefix(target, arrowModule+"/")
		if slices.Contains(ours, "*") || slices.Contains(ours, pkg) {
			return ""
		}
		return fmt.Sprintf("%s imports %s; of ours it may import %q", file, pkg, ours)
	}
	if !test && slices.Contains(r.never, target) {
		return fmt.Sprintf("%s imports %s, which its package may not", file, target)
	}
	first, _, _ := strings.Cut(target, "/")
	if test || !strings.Contains(first, ".") { // the standard library's paths begin without a dot
		return ""
	}
	for _, module := range r.theirs {
		if target == module || strings.HasPrefix(target, module+"/") {
			return ""
		}
	}
	return fmt.Sprintf("%s imports %s; of others' it may import %q", file, target, r.theirs)
}

// brokenArrows reads every Go file of the module whose root is tree, under any build constraint.
// The result has a line for each import and each folder that the rules do not allow, and for each
// package of arrowRules that was not found. Nested modules are skipped. The test reads the files
// because the test cache cannot see the files that `go list` reads.
func brokenArrows(tree fs.FS) ([]string, error) {
	var broken []string
	read := map[string]int{} // files that are not tests, by package
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case entry.IsDir():
			if strings.ContainsAny(path.Base(name)[:1], "._") || path.Base(name) == "testdata" {
				return fs.SkipDir
			}
			if !strings.Contains(name, "/") && !slices.Contains(arrowFolders, name) {
				broken = append(broken, fmt.Sprintf("%s: not a folder of this module's root", name))
				return fs.SkipDir
			}
			if _, err := fs.Stat(tree, path.Join(name, "go.mod")); err == nil {
				return fs.SkipDir
			}
			return nil
		case path.Ext(name) != ".go":
			return nil
		}
		if !strings.HasSuffix(name, "_test.go") {
			read[path.Dir(name)]++
		}
		faults, err := brokenImports(tree, name)
		broken = append(broken, faults...)
		return err
	})
	for _, dir := range slices.Sorted(maps.Keys(arrowRules)) {
		if read[dir] == 0 {
			broken = append(broken, fmt.Sprintf("%s: no Go file was read", dir))
		}
	}
	return broken, err
}

// brokenImports returns a line for each import of the Go file name that the rules do not allow.
func brokenImports(tree fs.FS, name string) ([]string, error) {
	rule, ok := arrowRuleOf(path.Dir(name))
	if !ok {
		return []string{fmt.Sprintf("%s: no rule says what this package may import", name)}, nil
	}
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var broken []string
	for _, spec := range file.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if fault := rule.check(path.Dir(name), name, target); fault != "" {
			broken = append(broken, fault)
		}
	}
	return broken, nil
}

func TestArrows(t *testing.T) {
	broken, err := brokenArrows(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range broken {
		t.Error(fault)
	}
}

// soundTree is a module in which every arrow points the right way, with the files of plant added.
func soundTree(plant map[string]string) fs.FS {
	tree := fstest.MapFS{
		".hidden/hidden.go":    {Data: []byte(`package hidden; import "example.org/anything"`)},
		"bench/go.mod":         {Data: []byte("module " + arrowModule + "/bench")},
		"bench/rival.go":       {Data: []byte(`package bench; import "example.org/rival"`)},
		"docs/design.md":       {Data: []byte("# Design")},
		"engine/testdata/x.go": {Data: []byte(`package x; import "example.org/anything"`)},
	}
	for dir := range arrowRules {
		tree[dir+"/doc.go"] = &fstest.MapFile{Data: []byte("package " + path.Base(dir))}
	}
	for name, imported := range plant {
		source := fmt.Sprintf("package %s\n\nimport _ %q\n", path.Base(path.Dir(name)), imported)
		tree[name] = &fstest.MapFile{Data: []byte(source)}
	}
	return tree
}

func TestArrowsCatchAPlantedImport(t *testing.T) {
	const ours = arrowModule + "/"
	for _, row := range []struct{ name, file, imports, want string }{
		{"a leaf imports the engine", "limiter/x.go", ours + "engine", "limiter/x.go imports engine"},
		{"a leaf imports a leaf", "retry/x.go", ours + "clock", "retry/x.go imports clock"},
		{"a leaf's test imports the engine", "mailbox/x_test.go", ours + "engine", "mailbox/x_test.go imports engine"},
		{"actors know of resilience", "actors/x.go", ours + "limiter", "actors/x.go imports limiter"},
		{"guard knows of callers", "engine/internal/guard/x.go", "context", "engine/internal/guard/x.go imports context"},
		{"guard knows of the pipeline", "engine/internal/guard/x.go", ours + "engine", "engine/internal/guard/x.go imports engine"},
		{"the engine imports an adapter", "engine/x.go", ours + "engine/enginex", "engine/x.go imports engine/enginex"},
		{"the engine ships the mock", "engine/x.go", ours + "clock/clocktest", "engine/x.go imports clock/clocktest"},
		{"an adapter imports a policy", "engine/enginex/x.go", ours + "limiter", "engine/enginex/x.go imports limiter"},
		{"shipped code imports a test library", "clock/x.go", "github.com/stretchr/testify", "clock/x.go imports github"},
		{"a module whose name begins alike", "actors/x.go", "golang.org/x/syncmap", "actors/x.go imports golang.org/x/syncmap"},
		{"an example needs a new module", "examples/x/main.go", "golang.org/x/term", "examples/x/main.go imports golang"},
		{"behind a build constraint", "breaker/x_windows.go", ours + "retry", "breaker/x_windows.go imports retry"},
		{"a new folder in the root", "util/x.go", "fmt", "util: not a folder"},
		{"a package without a rule", "limiter/inner/x.go", "fmt", "limiter/inner/x.go: no rule"},
		{"a file in the root", "x.go", "fmt", "x.go: no rule"},
	} {
		t.Run(row.name, func(t *testing.T) {
			broken, err := brokenArrows(soundTree(map[string]string{row.file: row.imports}))
			if err != nil {
				t.Fatal(err)
			}
			if len(broken) != 1 || !strings.HasPrefix(broken[0], row.want) {
				t.Errorf("planted %s importing %s: found %q, want one fault: %s", row.file, row.imports, broken, row.want)
			}
		})
	}
}

func TestArrowsAllowWhatTheDesignAllows(t *testing.T) {
	broken, err := brokenArrows(soundTree(map[string]string{
		"actors/x.go":                arrowModule + "/mailbox",
		"actors/y.go":                "golang.org/x/sync/errgroup",
		"bench/x.go":                 arrowModule + "/limiter",
		"clock/x.go":                 "github.com/benbjohnson/clock",
		"engine/enginex/x.go":        arrowModule + "/engine",
		"engine/enginex/x_test.go":   arrowModule + "/breaker",
		"engine/internal/guard/x.go": arrowModule + "/actors",
		"engine/x.go":                arrowModule + "/engine/internal/guard",
		"engine/x_test.go":           "go.uber.org/goleak",
		"examples/x/main.go":         arrowModule + "/engine",
		"limiter/x_test.go":          arrowModule + "/limiter",
		"limiter/y_test.go":          arrowModule + "/clock/clocktest",
		"limiter/z_test.go":          "github.com/stretchr/testify/require",
	}))
	if err != nil || len(broken) > 0 {
		t.Errorf("found %q (%v) in a module whose arrows are right", broken, err)
	}
}

func TestArrowsReportWhatTheyDidNotRead(t *testing.T) {
	broken, err := brokenArrows(fstest.MapFS{"limiter/only_test.go": {Data: []byte("package limiter_test")}})
	if err != nil {
		t.Fatal(err)
	}
	if len(broken) != len(arrowRules) {
		t.Errorf("found %q, want one fault for each of the %d packages that are not there", broken, len(arrowRules))
	}
}
