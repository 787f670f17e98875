package report

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestWrapped(t *testing.T) {
	word := strings.Repeat("é", 39)
	three, four := strings.Repeat(word+" ", 2)+word, strings.Repeat(word+" ", 3)+word
	require.Equal(t, 119, utf8.RuneCountInString(three))
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"short lines are joined", "a\nb\n\nc", "a b\n\nc"},
		{"as long as can be", three, three},
		{"too long", four, three + "\n" + word},
		{"list", "- " + four + "\n- a\n  b\n\nc\nd", "- " + strings.Repeat(word+" ", 1) + word + "\n  " + word + " " + word + "\n- a b\n\nc d"},
		{"a paragraph before a list", "a\nb\n- c", "a b\n- c"},
		{"what is no prose stays", "# a\nb\n| c |\n| d |\n    e\n    f\n![g](h)\n<i>\nj", "# a\nb\n| c |\n| d |\n    e\n    f\n![g](h)\n<i>\nj"},
		{"long table", "|" + four + "|", "|" + four + "|"},
	} {
		require.Equal(t, c.want, wrapped(c.text), c.name)
	}
}
