package demo

import (
	"io"
	"os"
	"strings"
	"time"
)

// screen is where everything is printed. Between two writes nothing is ever left changed on a terminal: each block hides
// the cursor, turns line wrapping off and restores both in one write, so that whatever ends the program leaves the cursor as it was.
type screen struct {
	out      io.Writer
	live     bool // a terminal, on which a block can be redrawn
	ink      ink
	interval time.Duration // between two blocks or lines
	height   func() int    // rows of the terminal; 0: not known
	drawn    int           // rows of the block that stands there
}

// newScreen redraws if out is a terminal that can, with as many rows as height says (0: it is none), and uses colour if nobody minds
// (no-color.org).
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
	wrapOff    = "\x1b[?7l" // so that a terminal too narrow cuts lines, and a block is as high as it has lines
	wrapOn     = "\x1b[?7h"
	clearLine  = "\x1b[K" // from the cursor to the end
	clearBelow = "\x1b[J"
)

// print writes text below what is there.
func (s *screen) print(text string) { _, _ = io.WriteString(s.out, text) } // without a reader there is nothing to report either

// draw writes a block over the last one. What does not fit the height of the terminal is left out, since the rows that have
// scrolled away cannot be redrawn.
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

// erase removes the block that stands there. Below lines, which stay, it leaves one free.
func (s *screen) erase() {
	if !s.live {
		s.print("\n")
	} else if s.drawn > 0 {
		s.print(s.top() + clearBelow)
		s.drawn = 0
	}
}

// top moves the cursor to the beginning of the block that stands there.
func (s *screen) top() string { return "\r" + strings.Repeat("\x1b[A", s.drawn) }
