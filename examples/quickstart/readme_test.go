package main

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var readmeFlag = flag.Bool("readme", false, "write the end of the program's output into README")

// TestREADMEShowsTheEnd compares README's block with the end of the output, as a machine prints it that loses no time at
// all. After a change of the program:
//
//	go test ./examples/quickstart -run README -readme
func TestREADMEShowsTheEnd(t *testing.T) {
	const path, begin, end = "../../README.md", "<!-- quickstart: begin -->\n```text\n", "```\n<!-- quickstart: end -->\n"
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), begin)
	require.True(t, found, "README has no %q", begin)
	block, after, found := strings.Cut(rest, end)
	require.True(t, found, "README has no %q", end)

	_, report, found := strings.Cut(printed(t, 1, 6*time.Second, time.Hour), "\ntenant ")
	require.True(t, found)
	report = "tenant " + report
	if *readmeFlag {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+report+end+after), 0o644))
		return
	}
	require.Equal(t, report, block)
}
