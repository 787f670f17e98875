package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// columns is the width of a lane of the timeline, and margin the width of the name before the lane.
const (
	columns = 60
	margin  = 12
)

// timeline draws the breaker of the tenant with the dying server, and below the breaker the state of
// the server.
func timeline(plan schedule, changes []change, ended time.Duration) string {
	var b strings.Builder
	row := func(name, lane string) { fmt.Fprintf(&b, "%-*s%s\n", margin, name, lane) }
	row("", axis(ended))
	for i, t := range tenants {
		if t.trouble == dying {
			row(t.name, lane(i, changes, ended))
			row("its server", plan.lane(ended))
		}
	}
	row("", "─ closed  █ open  ▒ half-open   server: · well  x dead  5 gives 503")
	return b.String()
}

// glyph stands for a breaker's state.
func glyph(s breaker.State) rune {
	switch s {
	case breaker.Open:
		return '█'
	case breaker.HalfOpen:
		return '▒'
	default:
		return '─'
	}
}

// lane draws a tenant's breaker from the start to ended. A column with a change shows the rarer
// state: half-open before open before closed.
func lane(tenant int, changes []change, ended time.Duration) string {
	cells := slices.Repeat([]breaker.State{breaker.Closed}, columns)
	fill := func(from, to time.Duration, state breaker.State) {
		for c := column(from, ended); c <= column(to, ended); c++ {
			cells[c] = max(cells[c], state) // the order of the constants is that of rarity
		}
	}
	now := change{to: breaker.Closed}
	for _, c := range changes {
		if c.tenant == tenant {
			fill(now.at, c.at, now.to)
			now = c
		}
	}
	fill(now.at, ended, now.to)

	var b strings.Builder
	for _, state := range cells {
		b.WriteRune(glyph(state))
	}
	return b.String()
}

// column is where an instant of a run lies in a lane.
func column(at, ended time.Duration) int {
	return min(columns-1, int(columns*max(0, at)/max(1, ended)))
}

// lane draws the state of the dying server from the start to ended.
func (s schedule) lane(ended time.Duration) string {
	var b strings.Builder
	for c := range columns {
		switch at := time.Duration(2*c+1) * ended / (2 * columns); {
		case at >= s.dead && at < s.failing:
			b.WriteByte('x')
		case at >= s.failing && at < s.well:
			b.WriteByte('5')
		default:
			b.WriteRune('·')
		}
	}
	return b.String()
}

// axis has labels at round times, about ten columns apart or more.
func axis(ended time.Duration) string {
	step := 100 * time.Millisecond
	for i := 0; step < ended*9/columns; i++ {
		step = step * [...]time.Duration{4, 5, 4}[i%3] / 2 // 0.1, 0.2, 0.5, 1, 2, ...
	}
	line := []byte(strings.Repeat(" ", columns+8))
	for at := time.Duration(0); at <= ended+ended/100; at += step {
		rounded := (columns*at + ended/2) / max(1, ended)
		copy(line[rounded:], fmt.Sprintf("%gs", at.Seconds()))
	}
	return strings.TrimRight(string(line), " ")
}
