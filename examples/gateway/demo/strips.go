package demo

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// margin is the width of the name before a strip.
const margin = 11

// strips are the timelines of all routes, with the moods of the sick upstream and the limit that
// changes under their routes, an axis and a legend.
func (s *story) strips(ink ink) string {
	var b strings.Builder
	row := func(name, text string) { fmt.Fprintf(&b, "%-*s%s\n", margin, name, text) }
	row("", s.axis())
	for i, r := range s.script.routes {
		row(r.name, ink.strip(s.strip(i)))
		if i == s.script.reform.route {
			row(" limit", s.limits())
		}
		if r.sick {
			row(" upstream", ink.strip(s.moods()))
		}
	}
	legend := func(glyphs ...string) string {
		for i, entry := range glyphs {
			glyph, rest, _ := strings.Cut(entry, " ")
			glyphs[i] = ink.strip(glyph) + " " + rest
		}
		return strings.Join(glyphs, "  ")
	}
	row("", legend("─ answered", "4 some 429", "x some failed", "█ open", "▒ half-open", "· none"))
	row("", "upstream: "+legend("─ well", "h hangs", "r resets connections", "5 answers 503"))
	return b.String()
}

// axis has a label for every fifth of the script.
func (s *story) axis() string {
	line := []byte(strings.Repeat(" ", s.cells()+8))
	for i := range time.Duration(6) {
		at := s.script.length * i / 5
		copy(line[int(at/s.script.cell):], fmt.Sprintf("%gs", at.Seconds()))
	}
	return strings.TrimRight(string(line), " ")
}

// ink is whether to use colour.
type ink bool

const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	purple = "\x1b[35m"
	plain  = "\x1b[0m"
)

// paint gives text a colour.
func (k ink) paint(colour, text string) string {
	if !k || text == "" {
		return text
	}
	return colour + text + plain
}

var glyphs = regexp.MustCompile(`─+|4+|x+|█+|▒+|[hr5]+`)

// strip colours each run of a strip.
func (k ink) strip(text string) string {
	return glyphs.ReplaceAllStringFunc(text, func(run string) string {
		switch []rune(run)[0] {
		case '─':
			return k.paint(green, run)
		case '4', '▒':
			return k.paint(yellow, run)
		case 'x', '█':
			return k.paint(red, run)
		default:
			return k.paint(purple, run)
		}
	})
}

// breaker colours the state of a breaker.
func (k ink) breaker(state, text string) string {
	switch state {
	case open:
		return k.paint(red, text)
	case halfOpen:
		return k.paint(yellow, text)
	default:
		return k.paint(green, text)
	}
}
