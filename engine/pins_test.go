package engine_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestActionsArePinned: a tag of an action can be moved to other code, the hash of a commit cannot.
// Every step that uses an action names a commit, and in a comment the version of that commit.
func TestActionsArePinned(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	uses := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			_, action, found := strings.Cut(line, "uses:")
			if !found {
				continue
			}
			uses++
			require.Regexp(t, `^ [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n$`, action, file)
		}
		require.Equal(t, strings.Count(string(text), "runs-on:"), strings.Count(string(text), "timeout-minutes:"),
			"%s: jobs without a time limit", file)
	}
	require.Positive(t, uses)
}

// TestMakefileIsPinned: tools have exact versions, and the target that runs every test three times
// under the race detector has a time limit of its own, since Go's is 10 minutes per package.
func TestMakefileIsPinned(t *testing.T) {
	text, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	tools := regexp.MustCompile(`(?m)^[A-Z_]+ += [\w.-]+\.[a-z]+/.*$`).FindAllString(string(text), -1)
	require.NotEmpty(t, tools)
	for _, tool := range tools {
		require.Regexp(t, `@v\d+\.\d+\.\d+$`, tool)
	}
	for _, line := range regexp.MustCompile(`(?m)^.*\$\(GO\) test .*-race.*$`).FindAllString(string(text), -1) {
		require.Regexp(t, `-timeout=\$\(TIMEOUT\)`, line)
	}
	require.Regexp(t, `(?m)^TIMEOUT +\?= [3-9]\dm$`, string(text))
}
