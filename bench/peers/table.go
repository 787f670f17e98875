package peers

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
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
	fmt.Fprintf(&b, "\n–: not applicable. The versions, with %s on %s/%s and GOMAXPROCS %d:\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	var modules []string
	for _, s := range subjects {
		modules = append(modules, s.Modules()...)
	}
	slices.Sort(modules)
	for _, m := range slices.Compact(modules) {
		b.WriteString("- " + m + "\n")
	}
	return b.String()
}
