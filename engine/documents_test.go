package engine_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// documents are the Markdown files that are held to plain English, from the root of the module.
func documents(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	names = append(names, "../README.md", "../SECURITY.md", "../CONTRIBUTING.md")
	texts := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		texts[strings.TrimPrefix(name, "../")] = string(text)
	}
	return texts
}

var (
	fenced     = regexp.MustCompile("(?ms)^```.*?^```")
	quoted     = regexp.MustCompile("`[^`]*`")
	word       = regexp.MustCompile(`[A-Za-z']+`)
	relative   = regexp.MustCompile(`(?i)\b(?:what|who|whoever|whatever|whom)\b`)
	pronoun    = regexp.MustCompile(`(?i)\b(?:it|its|they|them|those|one|ones)\b`)
	unwrapping = regexp.MustCompile(`^(?:\||<|!\[|    )|\]\(http`) // tables, HTML, charts, blocks of code, links to elsewhere
)

// TestDocumentsAreWrapped at 120 columns, but for lines that cannot be.
func TestDocumentsAreWrapped(t *testing.T) {
	t.Parallel()
	for name, text := range documents(t) {
		for i, line := range strings.Split(fenced.ReplaceAllString(text, ""), "\n") {
			if !unwrapping.MatchString(line) {
				require.LessOrEqual(t, utf8.RuneCountInString(line), 120, "%s, line %d without blocks of code: %s", name, i+1, line)
			}
		}
	}
}

// TestDocumentsAreInPlainEnglish: of 1,000 words at most 2 begin a free relative clause, and at
// most 30 are pronouns. Models such as etcd/raft, puddle and conc have 0 to 0.2, and 10 to 24.
func TestDocumentsAreInPlainEnglish(t *testing.T) {
	t.Parallel()
	for name, text := range documents(t) {
		prose := quoted.ReplaceAllString(fenced.ReplaceAllString(text, ""), "X")
		words := float64(len(word.FindAllString(prose, -1)))
		require.LessOrEqual(t, float64(len(relative.FindAllString(prose, -1)))*1000/words, 2.0, name)
		require.LessOrEqual(t, float64(len(pronoun.FindAllString(prose, -1)))*1000/words, 30.0, name)
	}
}
