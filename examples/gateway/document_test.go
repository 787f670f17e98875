package main

import (
	"os"
	"path/filepath"
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
	require.Len(t, blocks, 2)
	for _, block := range blocks {
		block, _, ok := strings.Cut(block, "```")
		require.True(t, ok)
		_, err = config.Load([]byte(block))
		require.NoError(t, err)
	}

	file := write(t, "{\n  \"routes\": [{\n      \"path\": \"/\",\n      \"upstrem\": \"http://127.0.0.1:9000\"\n  }]\n}\n")
	code, _, stderr := called(t, t.Context(), "-config", file, "-check")
	require.Equal(t, invalid, code)
	said, _, _ := strings.Cut(strings.ReplaceAll(stderr, filepath.Dir(file)+string(filepath.Separator), ""), "\n")
	require.Contains(t, string(document), "    "+said+"\n")
}
