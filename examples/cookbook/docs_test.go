package cookbook

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// functions returns the source of each function of the recipes, with its comment.
func functions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range []string{"calls.go", "work.go"} {
		src, err := os.ReadFile(file)
		require.NoError(t, err)
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, src, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				require.NotNil(t, fn.Doc, fn.Name.Name)
				found[fn.Name.Name] = string(src[fset.Position(fn.Doc.Pos()).Offset:fset.Position(fn.End()).Offset])
			}
		}
	}
	return found
}

// TestTheCookbookShowsTheCode: each block of docs/cookbook.md is functions of this package, one after the other, each function is shown,
// and no block has more than 25 lines besides its comments.
func TestTheCookbookShowsTheCode(t *testing.T) {
	doc, err := os.ReadFile("../../docs/cookbook.md")
	require.NoError(t, err)
	all := functions(t)
	shown := map[string]bool{}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	require.Len(t, blocks, 12)
	for _, block := range blocks {
		lines := 0
		for line := range strings.Lines(block[1]) {
			if text := strings.TrimSpace(line); text != "" && !strings.HasPrefix(text, "//") {
				lines++
			}
		}
		require.LessOrEqual(t, lines, 25, block[1])
		var want []string
		for _, name := range regexp.MustCompile(`(?m)^func (\w+)`).FindAllStringSubmatch(block[1], -1) {
			shown[name[1]] = true
			want = append(want, all[name[1]])
		}
		require.Equal(t, strings.Join(want, "\n\n")+"\n", block[1])
	}
	require.Len(t, shown, len(all))
}
