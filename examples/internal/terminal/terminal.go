// Package terminal imitates a terminal, so that tests can look at the screen that a program leaves
// behind.
package terminal

import (
	"strings"
	"unicode/utf8"
)

// Screen shows written text. Screen knows the control sequences that the examples write: colours,
// cursor up, hiding the cursor, wrapping on and off, and erasing to the end of the line or of the
// screen. Any other makes Write panic.
type Screen struct {
	columns  int
	lines    [][]rune // visible lines, from the top; each has at most columns characters
	height   int
	row, col int
	noWrap   bool
	wrapped  []string // lines that were too long
	rest     []byte   // the beginning of a character or sequence whose end has not been written yet
}

// New is an empty screen.
func New(columns, rows int) *Screen {
	return &Screen{columns: columns, height: rows, lines: make([][]rune, 1, rows)}
}

// Lines are the visible lines up to the last written line, without spaces at their ends.
func (s *Screen) Lines() []string {
	lines := make([]string, len(s.lines))
	for i, l := range s.lines {
		lines[i] = strings.TrimRight(string(l), " ")
	}
	return lines
}

// Wrapped are the lines that were too long for the screen, each cut to the width of the screen.
func (s *Screen) Wrapped() []string { return s.wrapped }

// Write shows text. A newline also returns the cursor to the left, as terminals do by default.
func (s *Screen) Write(text []byte) (int, error) {
	s.rest = append(s.rest, text...)
	for len(s.rest) > 0 {
		n := s.next(string(s.rest))
		if n == 0 {
			break
		}
		s.rest = s.rest[n:]
	}
	return len(text), nil
}

// next shows the first character or sequence of text, and returns the number of bytes shown, 0 for
// an incomplete sequence.
func (s *Screen) next(text string) int {
	if text[0] == '\x1b' {
		return s.sequence(text)
	}
	if !utf8.FullRuneInString(text) {
		return 0
	}
	r, n := utf8.DecodeRuneInString(text)
	switch r {
	case '\n':
		s.col = 0
		s.down()
	case '\r':
		s.col = 0
	default:
		s.put(r)
	}
	return n
}

func (s *Screen) sequence(text string) int {
	end := strings.IndexFunc(text[1:], func(r rune) bool { return r >= '@' && r != '[' })
	if end < 0 {
		return 0
	}
	switch sequence := text[1 : end+2]; {
	case strings.HasSuffix(sequence, "m"), sequence == "[?25l", sequence == "[?25h":
	case sequence == "[A":
		s.row = max(0, s.row-1)
	case sequence == "[?7l", sequence == "[?7h":
		s.noWrap = sequence == "[?7l"
	case sequence == "[K":
		s.clearLine()
	case sequence == "[J":
		s.clearLine()
		s.lines = s.lines[:s.row+1]
	default:
		panic("terminal: unknown sequence " + sequence)
	}
	return end + 2
}

func (s *Screen) clearLine() {
	s.lines[s.row] = s.lines[s.row][:min(s.col, len(s.lines[s.row]))]
}

func (s *Screen) put(r rune) {
	if s.col == s.columns {
		s.wrapped = append(s.wrapped, string(s.lines[s.row]))
		if s.noWrap {
			s.col--
		} else {
			s.col = 0
			s.down()
		}
	}
	line := s.lines[s.row]
	for len(line) <= s.col {
		line = append(line, ' ')
	}
	line[s.col] = r
	s.lines[s.row] = line
	s.col++
}

// down moves the cursor to the next line. On the last row the screen scrolls.
func (s *Screen) down() {
	s.row++
	if s.row == s.height {
		s.lines = append(s.lines[1:], nil)
		s.row--
	} else if s.row == len(s.lines) {
		s.lines = append(s.lines, nil)
	}
}
