package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/limitpal/limitpal-go/bench/measure"
)

// progress shows what runs now and the time left: on a terminal in one line that changes, elsewhere in a line now and then.
type progress struct {
	to       io.Writer
	terminal bool
	began    time.Time
	shown    time.Time
}

// Between two changes of the line, so that showing is not what is measured; and between two lines elsewhere.
const (
	showEvery  = 200 * time.Millisecond
	printEvery = 15 * time.Second
)

func newProgress(to io.Writer) *progress {
	p := &progress{to: to, began: time.Now()}
	if f, ok := to.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// Begin implements measure.Progress.
func (p *progress) Begin(round, rounds int, t *measure.Trial, left time.Duration) {
	now := time.Now()
	line := fmt.Sprintf("round %d of %d, about %s left: %s, %s", round, rounds, left.Round(time.Second), t.Group, t.Contender)
	switch {
	case p.terminal && now.Sub(p.shown) >= showEvery:
		fmt.Fprintf(p.to, "\r\033[K%.110s", line)
	case !p.terminal && now.Sub(p.shown) >= printEvery:
		fmt.Fprintln(p.to, line)
	default:
		return
	}
	p.shown = now
}

func (p *progress) end(err error) {
	if p.terminal {
		fmt.Fprint(p.to, "\r\033[K")
	}
	if err == nil {
		fmt.Fprintf(p.to, "measured in %s\n\n", time.Since(p.began).Round(time.Second))
	}
}

var _ measure.Progress = (*progress)(nil)
