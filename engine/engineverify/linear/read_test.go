package linear_test

import (
	"fmt"
	"strings"

	"github.com/limitpal/limitpal-go/engine"
)

// reader reads the operations on one key from lines such as written writes. The setting has a
// queue, and no chain. What the lines leave out is made up: the serials and, as the time before a
// call, that of the steps of the clock which had returned.
type reader struct {
	client
	serials int8
	held    [clients + 1]int8 // the serials of the tickets that clients have
	steps   []*operation
}

// read returns the operations in text.
func read(text string) ([]*operation, error) {
	var r reader
	for line := range strings.Lines(text) {
		if err := r.line(strings.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	return r.seen[0], nil
}

// line reads one operation.
func (r *reader) line(line string) error {
	o := new(operation)
	span, rest, _ := strings.Cut(line, "  client ")
	id, what, _ := strings.Cut(rest, "  ")
	if _, err := fmt.Sscanf(span+" "+id, "%d to %d %d", &o.call, &o.ret, &o.client); err != nil {
		return err
	}
	o.until = o.ret
	name, came, _ := strings.Cut(what, ": ")
	switch {
	case strings.HasPrefix(what, "the clock"):
		o.kind = step
		r.steps = append(r.steps, o)
		return r.note(o, what, "the clock steps by %d", &o.d)
	case name == "Inspect":
		o.kind = inspect
		s := &o.shown
		return r.note(o, came, "{known:%t state:%d failures:%d openFor:%d waiting:%d available:[%g %g]}",
			&s.known, &s.state, &s.failures, &s.openFor, &s.waiting, &s.available[0], &s.available[1])
	case name == "ticket is done":
		o.kind, o.serial = report, r.held[o.client]
		for o.outcome = engine.Success; o.outcome.String() != came && o.outcome < engine.Ignore; o.outcome++ {
		}
		r.seen[0] = append(r.seen[0], o.told()...)
		return nil
	}
	for o.result = refused; o.result.String() != came && o.result < wrong; o.result++ {
	}
	if strings.HasPrefix(name, "AllowN") {
		o.kind = allow
		return r.note(o, name, "AllowN(%d)", &o.tokens)
	}
	return r.asks(o, name)
}

// asks reads a call for tokens or for a ticket.
func (r *reader) asks(o *operation, name string) error {
	name, within, limited := strings.Cut(name, " for less than ")
	if limited {
		if _, err := fmt.Sscanf(within, "%d ticks", &o.patience); err != nil {
			return err
		}
		o.patience--
	}
	var before state
	for _, p := range r.steps {
		if p.ret < o.call {
			new(rules).step(&before, p.d)
		}
	}
	r.serials++
	o.serial, o.floor, o.tokens, o.asks = r.serials, before.now, 1, name == "Admit"
	o.alone()
	if o.asks && o.result == granted {
		r.held[o.client] = o.serial
	}
	format := "AcquireN(%d)"
	if o.asks {
		name, format = "1", "%d"
	}
	err := r.note(o, name, format, &o.tokens)
	r.further(0, o)
	return err
}

// note scans text into parts of o, and notes o.
func (r *reader) note(o *operation, text, format string, parts ...any) error {
	r.seen[0] = append(r.seen[0], o)
	_, err := fmt.Sscanf(text, format, parts...)
	return err
}
