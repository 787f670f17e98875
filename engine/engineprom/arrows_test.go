package engineprom_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// imports are all that the package may import besides the standard library.
var imports = []string{
	"github.com/limitpal/limitpal-go/engine",
	"github.com/prometheus/client_golang/prometheus",
	"github.com/prometheus/client_model/go",
}

// TestThePackageImportsLittle: of ours the engine alone, as every adapter.
func TestThePackageImportsLittle(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	found := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range file.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if first, _, _ := strings.Cut(target, "/"); strings.Contains(first, ".") {
				require.Contains(t, imports, target, name)
				found[target] = true
			}
		}
	}
	require.Len(t, found, len(imports), "an import that is allowed and not used")
}
