package engine_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestREADMEShowsTheExamples keeps each Go block of README.md equal to the body of an example, which is
// compiled and run.
func TestREADMEShowsTheExamples(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	blocks := strings.Split(string(readme), "```go\n")[1:]
	examples := []struct{ file, name string }{
		{"example_test.go", "Example"},
		{"example_chain_test.go", "ExampleChain"},
	}
	require.Len(t, blocks, len(examples), "README has a block that is compared with nothing")
	for i, example := range examples {
		source, err := os.ReadFile(example.file)
		require.NoError(t, err)
		block, _, closed := strings.Cut(blocks[i], "```")
		require.True(t, closed)
		body := between(t, string(source), "func "+example.name+"() {\n", "	// Output:")
		require.Equal(t, strings.ReplaceAll("\n"+body, "\n	", "\n"), "\n"+block, example.name)
	}
}

// TestObservabilityShowsExamples: each line of Go in docs/observability.md stands in an example, and each line of output in the
// output of one.
func TestObservabilityShowsExamples(t *testing.T) {
	doc, err := os.ReadFile("../docs/observability.md")
	require.NoError(t, err)
	shown := map[string]bool{}
	for _, file := range []string{
		"example_seen_test.go", "engineprom/example_test.go", "engineotel/example_test.go", "../examples/outage/main.go",
	} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(source)) {
			shown[strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "//"))] = true
		}
	}
	blocks := strings.Split(string(doc), "```go\n")[1:]
	require.Len(t, blocks, 5)
	for _, block := range blocks {
		code, rest, closed := strings.Cut(block, "```\n")
		require.True(t, closed)
		for line := range strings.Lines(code) {
			require.True(t, shown[strings.TrimSpace(line)] || strings.TrimSpace(line) == "", "%q is in no example", line)
		}
		if _, output, follows := strings.Cut(rest, "\n    "); follows && strings.HasPrefix(rest, "\n    ") {
			output, _, _ = strings.Cut(output, "\n\n")
			for line := range strings.Lines(output) {
				require.True(t, shown[strings.TrimSpace(line)], "%q is in no output", line)
			}
		}
	}
}

// between returns the part of s from the first begin to the end after begin, without both.
func between(t *testing.T, s, begin, end string) string {
	t.Helper()
	_, rest, ok := strings.Cut(s, begin)
	require.True(t, ok, "no %q", begin)
	found, _, ok := strings.Cut(rest, end)
	require.True(t, ok, "no %q after %q", end, begin)
	return found
}
