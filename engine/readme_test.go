package engine_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestREADMEShowsTheExample keeps the Go block of README.md equal to what is compiled and run: the body of Example.
func TestREADMEShowsTheExample(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	block := between(t, string(readme), "```go\n", "```")
	body := between(t, string(source), "func Example() {\n", "	fmt.Println(user.Name, err)\n")
	body = strings.Replace(body, "	ctx := context.Background()\n", "", 1)
	body = strings.Replace(body, "	if err != nil {\n		log.Fatal(err)\n	}\n", "", 1)
	require.Equal(t, strings.ReplaceAll("\n"+body, "\n	", "\n"), "\n"+block)
	require.Equal(t, 1, strings.Count(string(readme), "```go"), "one block, so that none escapes")
}

// between is what stands in s between the first begin and the end after it.
func between(t *testing.T, s, begin, end string) string {
	t.Helper()
	_, rest, ok := strings.Cut(s, begin)
	require.True(t, ok, "no %q", begin)
	found, _, ok := strings.Cut(rest, end)
	require.True(t, ok, "no %q after %q", end, begin)
	return found
}
