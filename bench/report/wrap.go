package report

import (
	"strings"
	"unicode/utf8"
)

// documentWidth is the longest line of prose in a document, in characters.
const documentWidth = 120

// wrapped is a Markdown text with its paragraphs and list items broken into lines of at most documentWidth. Tables, headings, charts,
// HTML and indented blocks stay as they are.
func wrapped(text string) string {
	var out, open []string // open are the words of the paragraph that has begun
	indent := ""
	end := func() {
		if len(open) > 0 {
			out = append(out, broken(open, indent)...)
			open = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		item := strings.HasPrefix(line, "- ")
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "    ") || strings.ContainsAny(line[:1], "|#<!"):
			end()
			out = append(out, line)
			continue
		case item:
			end()
			indent = "  "
		case len(open) == 0:
			indent = ""
		}
		open = append(open, strings.Fields(line)...)
	}
	end()
	return strings.Join(out, "\n")
}

// broken are lines of words, of which all but the first are indented.
func broken(words []string, indent string) []string {
	var lines []string
	line := words[0]
	for _, word := range words[1:] {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > documentWidth {
			lines = append(lines, line)
			line = indent + word
			continue
		}
		line += " " + word
	}
	return append(lines, line)
}
