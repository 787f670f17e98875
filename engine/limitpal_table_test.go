package engine_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const limitPalDoc = "../docs/limitpal.md"

// The Go program of the page is the body of the example, so that the program is compiled and its
// output is checked.
func TestLimitPalDocShowsTheExample(t *testing.T) {
	doc, err := os.ReadFile(limitPalDoc)
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllSubmatch(doc, -1)
	require.Len(t, blocks, 1, "every Go block must be one that is compiled")

	source, err := os.ReadFile("example_limitpal_test.go")
	require.NoError(t, err)
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "example_limitpal_test.go", source, parser.SkipObjectResolution)
	require.NoError(t, err)
	found := false
	for _, d := range file.Decls {
		if f, isFunc := d.(*ast.FuncDecl); isFunc && f.Name.Name == "ExampleNew_limitPal" {
			body := string(source[files.Position(f.Body.Lbrace).Offset+2 : files.Position(f.Body.Rbrace).Offset])
			body = strings.TrimPrefix(strings.ReplaceAll("\n"+body, "\n\t", "\n"), "\n")
			require.Equal(t, body, string(blocks[0][1]))
			found = true
		}
	}
	require.True(t, found, "the example is gone")
}

// The tests that the page names as its proofs exist.
func TestLimitPalDocNamesTestsThatExist(t *testing.T) {
	doc, err := os.ReadFile(limitPalDoc)
	require.NoError(t, err)
	names, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var tests strings.Builder
	for _, name := range names {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		tests.Write(source)
	}
	named := regexp.MustCompile(`\bTest\w+`).FindAllString(string(doc), -1)
	for n := 1; n <= 21; n++ {
		require.Contains(t, strings.Join(named, " "), fmt.Sprintf("TestLimitPal%02d", n))
	}
	for _, name := range named {
		exists := strings.Contains(tests.String(), "\nfunc "+name+"(t *testing.T) {")
		require.True(t, exists, "docs/limitpal.md names %s, which is not there", name)
	}
}
