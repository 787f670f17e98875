package enginehttp_test

import (
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
)

// TestTheTableOfTheConfiguration has a row for every field: a new field of the engine is an adapter's business, too.
func TestTheTableOfTheConfiguration(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	_, table, found := strings.Cut(file.Doc.Text(), "field       Transport                      Handler\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	var rows []string
	for line := range strings.Lines(table) {
		if row := strings.TrimLeft(line, "\t"); row[0] != ' ' {
			rows = append(rows, strings.Fields(row)[0])
		}
	}
	var fields []string
	for field := range reflect.TypeFor[engine.Config]().Fields() {
		fields = append(fields, field.Name)
	}
	require.ElementsMatch(t, fields, rows)
}
