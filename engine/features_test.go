package engine_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFeaturesNameTestsThatExist: each row of docs/features.md that is there has a test, and each other one a reason.
func TestFeaturesNameTestsThatExist(t *testing.T) {
	doc, err := os.ReadFile("../docs/features.md")
	require.NoError(t, err)
	tests := map[string]bool{}
	for _, dir := range []string{"engine", "engine/enginehttp", "breaker", "limiter", "retry"} {
		more, err := testsOf(os.DirFS(".."), dir)
		require.NoError(t, err)
		for name := range more {
			tests[name] = true
		}
	}
	rows := 0
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 3 || cells[0] == "| feature" {
			continue
		}
		rows++
		here := cells[2]
		named := regexp.MustCompile("`(Test[A-Z]\\w*)`").FindAllStringSubmatch(here, -1)
		for _, n := range named {
			require.True(t, tests[n[1]], "there is no %s: %s", n[1], line)
		}
		if len(named) == 0 {
			require.Regexp(t, `^(no:|not yet)`, here, "no test and no reason")
		}
	}
	require.Greater(t, rows, 40)
}
