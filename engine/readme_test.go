package engine_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestREADMEShowsTheExample keeps the Go block of README.md equal to the body of Example, which is
// compiled and run.
func TestREADMEShowsTheExample(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	block := between(t, string(readme), "```go\n", "```")
	body := between(t, string(source), "func Example() {\n", "	// Output:")
	require.Equal(t, strings.ReplaceAll("\n"+body, "\n	", "\n"), "\n"+block)
	require.Equal(t, 1, strings.Count(string(readme), "```go"), "README has a second block, which is compared with nothing")
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
