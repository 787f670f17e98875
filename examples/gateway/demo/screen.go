package demo

import (
	"io"
	"os"
	"strings"
	"time"
)

// screen is the demonstration's output. Each write of a block hides the cursor, turns line wrapping
// off and restores both, so that a terminal is in order between two writes, also after an early end
// of the program.
type screen struct {
	out      io.Writer
	live     bool // a terminal, on which a block can be redrawn
	ink      ink
	interval time.Duration // between two blocks or lines
	height   func() int    // rows of the terminal; 0: not known
	drawn    int           // rows of the block that stands there
}

// newScreen returns a screen on out. If out is a terminal with a known number of rows (height
// returns 0 otherwise), the screen redraws, in colour unless NO_COLOR is set (no-color.org).
func newScreen(out io.Writer, height func() int) *screen {
	s := &screen{out: out, interval: time.Second, height: height}
	if term := os.Getenv("TERM"); term == "" || term == "dumb" || height() == 0 {
		return s
	}
	s.live, s.interval = true, 125*time.Millisecond
	s.ink = os.Getenv("NO_COLOR") == ""
	return s
}

const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	wrapOff    = "\x1b[?7l" // so that a narrow terminal cuts lines, and a block of n lines is n rows high
	wrapOn     = "\x1b[?7h"
	clearLine  = "\x1b[K" // from the cursor to the end
	clearBelow = "\x1b[J"
)

// print writes text.
func (s *screen) print(text string) { _, _ = io.WriteString(s.out, text) } // an error means that nobody reads

// draw writes a block over the block before. Lines beyond the height of the terminal are left out,
// since rows that have scrolled away cannot be redrawn.
func (s *screen) draw(block string) {
	lines := strings.SplitAfter(block, "\n")
	lines = lines[:len(lines)-1] // behind the last newline
	if h := s.height(); h > 0 {
		lines = lines[:min(len(lines), max(1, h-1))]
	}
	text := hideCursor + wrapOff + s.top()
	for _, line := range lines {
		text += strings.TrimSuffix(line, "\n") + clearLine + "\r\n"
	}
	s.drawn = len(lines)
	s.print(text + clearBelow + wrapOn + showCursor)
}

// erase removes the block. Below lines of text, which stay, erase leaves an empty line.
func (s *screen) erase() {
	if !s.live {
		s.print("\n")
	} else if s.drawn > 0 {
		s.print(s.top() + clearBelow)
		s.drawn = 0
	}
}

// top moves the cursor to the beginning of the block.
func (s *screen) top() string { return "\r" + strings.Repeat("\x1b[A", s.drawn) }
