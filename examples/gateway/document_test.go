package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// TestDocumentShowsWhatIsTrue: the files in docs/gateway.md can be read, and a mistake is reported in the way that it shows.
func TestDocumentShowsWhatIsTrue(t *testing.T) {
	document, err := os.ReadFile("../../docs/gateway.md")
	require.NoError(t, err)
	blocks := strings.Split(string(document), "```json\n")[1:]
	require.Len(t, blocks, 3)
	for _, block := range blocks {
		block, _, ok := strings.Cut(block, "```")
		require.True(t, ok)
		_, err = config.Load([]byte(block))
		require.NoError(t, err)
	}

	for _, text := range []string{
		"{\n  \"routes\": [{\n      \"path\": \"/\",\n      \"upstrem\": \"http://127.0.0.1:9000\"\n  }]\n}\n",
		"{\n  \"routes\": [{\n    \"path\": \"/\", \"upstream\": \"http://127.0.0.1:9000\",\n    \"breaker\": {\"failures\": 5, \"min_calls\": 50}\n  }]\n}\n",
	} {
		file := write(t, text)
		code, _, stderr := called(t, t.Context(), "-config", file, "-check")
		require.Equal(t, invalid, code)
		said, _, _ := strings.Cut(strings.ReplaceAll(stderr, filepath.Dir(file)+string(filepath.Separator), ""), "\n")
		require.Contains(t, string(document), "    "+said+"\n")
	}
}

// The table of the fields of a breaker has each field, in the order of the type.
func TestDocumentHasTheFieldsOfBreakers(t *testing.T) {
	document, err := os.ReadFile("../../docs/gateway.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(document), "\n### The breaker\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n### ")
	var names, want []string
	for line := range strings.Lines(section) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			names = append(names, name)
		}
	}
	for field := range reflect.TypeFor[config.Breaker]().Fields() {
		want = append(want, field.Tag.Get("json"))
	}
	require.Equal(t, want, names)
}
