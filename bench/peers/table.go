package peers

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"
)

// Markdown is the table of what was found, by name of the fault and of the subject: a row for each fault, a column for each
// subject, and the versions of the modules below.
func Markdown(faults []Fault, subjects []Subject, found map[string]map[string]Finding) string {
	var b strings.Builder
	b.WriteString("| |")
	for _, s := range subjects {
		fmt.Fprintf(&b, " %s |", s.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(subjects)) + "\n")
	for _, f := range faults {
		fmt.Fprintf(&b, "| %s |", f.Title)
		for _, s := range subjects {
			cell := found[f.Name][s.Name]
			text := cell.String()
			if cell.Bad() {
				text = "**" + text + "**"
			} else if cell.Verdict == NotApplicable {
				text = "–"
			}
			fmt.Fprintf(&b, " %s |", text)
		}
		b.WriteString("\n")
	}
	var modules []string
	for _, s := range subjects {
		modules = append(modules, s.Modules()...)
	}
	slices.Sort(modules)
	b.WriteString("\n" + inLines(fmt.Sprintf("–: not applicable. Versions: %s; %s, %s/%s, GOMAXPROCS %d.",
		strings.Join(slices.Compact(modules), ", "), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))))
	return b.String()
}

// documentWidth is the longest line of prose in a document, in characters.
const documentWidth = 120

// inLines is a paragraph broken into lines of at most documentWidth.
func inLines(paragraph string) string {
	var b strings.Builder
	length := 0
	for i, word := range strings.Fields(paragraph) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case length+1+n > documentWidth:
			b.WriteString("\n")
			length = 0
		default:
			b.WriteString(" ")
			length++
		}
		b.WriteString(word)
		length += n
	}
	return b.String() + "\n"
}
